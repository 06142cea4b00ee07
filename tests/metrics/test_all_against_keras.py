"""Metrics of Keras 3, streamed over three batches of different sizes, in both precisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from metric_cases import BATCHES, CASES

import tapegrad as tg
from tapegrad import losses
from tapegrad import metrics as m
from tapegrad._core.masking import set_mask

TOLERANCE = {"float64": 2e-6, "float32": 2e-4}


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    """Return the numbers of Keras 3; see tests/reference/make_metric_reference.py."""
    path = Path(__file__).parents[1] / "reference" / "metric_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def check(result, expected, dtype):
    scale = max(1.0, np.abs(expected).max())
    assert result.shape == expected.shape
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", ["plain", "weighted", "masked", "masked_weighted"])
@pytest.mark.parametrize("name", CASES)
def test_streamed_values(reference, name, kind, dtype):
    cls, options, true_name, pred_name = CASES[name]
    if f"{dtype}/{name}/{kind}" not in reference:
        assert "masked" in kind
        return
    true, pred = reference[f"data/{true_name}"], reference[f"data/{pred_name}"]
    pred = pred.astype(dtype) if pred.dtype.kind == "f" else pred
    steps = true_name.startswith("step") and "axis" not in name
    weights = reference["data/step_weights" if steps else "data/weights"]
    metric = getattr(m, cls)(**options)
    for _ in range(2):  # a reset forgets everything
        metric.reset_state()
        for part in BATCHES:
            given = tg.tensor(pred[part])
            if "masked" in kind:
                set_mask(given, reference["data/mask"][part])
            extra = {"sample_weight": weights[part]} if "weighted" in kind else {}
            metric.update_state(true[part], given, **extra)
    check(metric.result(), reference[f"{dtype}/{name}/{kind}"], dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "name", ["huber", "binary_focal_crossentropy", "categorical_focal_crossentropy"]
)
def test_losses_as_metrics(reference, name, dtype):
    numbers = ("targets", "outputs") if name == "huber" else ("one_hot", "scores")
    true, pred = (reference[f"data/{key}"] for key in numbers)
    weights = reference["data/weights"]
    for metric in (m.get(name), m.get(getattr(losses, name)), m.get(losses.get(name))):
        assert metric.name in (name, "huber_loss")
        for part in BATCHES:
            metric.update_state(true[part], pred[part].astype(dtype), weights[part])
        check(metric.result(), reference[f"{dtype}/wrapped/{name}"], dtype)


@pytest.mark.parametrize("weight", ["None", "weights", "step_weights", "number"])
@pytest.mark.parametrize("value", ["chances", "targets", "steps"])
@pytest.mark.parametrize("cls", [m.Mean, m.Sum])
def test_means_and_sums(reference, cls, value, weight):
    key = f"float64/{cls.__name__}/{value}/{weight}"
    if key not in reference:
        assert (value, weight) == ("chances", "step_weights")
        return
    metric = cls()
    for i, part in enumerate(BATCHES):
        given = {"None": None, "number": 0.5 + i}.get(weight)
        if weight.endswith("weights"):
            given = reference[f"data/{weight}"][part]
        metric.update_state(reference[f"data/{value}"][part], given)
    check(metric.result(), reference[key], "float64")
