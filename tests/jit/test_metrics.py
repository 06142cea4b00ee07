"""Every metric, updated in recorded calls and in ordinary ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jitted import assert_same_steps, on_the_host
from metric_cases import CASES

import tapegrad as tg
from tapegrad import metrics
from tapegrad._core.masking import set_mask

BATCHES = (slice(0, 10), slice(10, 20), slice(20, 30), slice(30, 40))
KINDS = ["plain", "weighted", "masked", "masked_weighted"]


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    path = Path(__file__).parents[1] / "reference" / "metric_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_updates(reference: Any, name: str, dtype: str):
    cls, options, true_name, pred_name = CASES[name]
    true, pred = reference[f"data/{true_name}"], reference[f"data/{pred_name}"]
    pred = pred.astype(dtype) if pred.dtype.kind == "f" else pred
    steps = true_name.startswith("step") and "axis" not in name
    weights = reference["data/step_weights" if steps else "data/weights"]
    for kind in KINDS:
        if f"{dtype}/{name}/{kind}" not in reference:
            continue
        arrays = [true, pred]
        if "weighted" in kind:
            arrays.append(weights)
        if "masked" in kind:
            arrays.append(reference["data/mask"])

        def make() -> Any:
            metric = getattr(metrics, cls)(**options)
            # The first update may make Variables.
            metric.update_state(true[:10], pred[:10])
            metric.reset_state()

            def update(true: Any, pred: Any, *more: Any) -> None:
                others = list(more)
                mask = others.pop() if "masked" in kind else None  # noqa: B023
                if mask is not None:
                    set_mask(pred, mask)
                metric.update_state(true, pred, others[0] if others else None)

            return update, lambda: [metric.result(), *metric.variables]

        calls = [tuple([a[part] for a in arrays]) for part in BATCHES]
        assert_same_steps(make, calls, native=False)


# Metrics whose updates count in NumPy, so that programs call them from Python. It must not grow.
ON_THE_HOST = {
    *("AUC", "BinaryCrossentropy", "BinaryIoU", "CategoricalCrossentropy", "CategoricalHinge"),
    *("ConcordanceCorrelation", "CosineSimilarity", "FBetaScore", "FalseNegatives"),
    *("FalsePositives", "Hinge", "IoU", "KLDivergence", "LogCoshError"),
    *("MeanAbsolutePercentageError", "MeanIoU", "MeanSquaredError", "MeanSquaredLogarithmicError"),
    *("OneHotIoU", "OneHotMeanIoU", "PearsonCorrelation", "Poisson", "Precision"),
    *("PrecisionAtRecall", "R2Score", "Recall", "RecallAtPrecision", "RootMeanSquaredError"),
    *("SensitivityAtSpecificity", "SparseCategoricalCrossentropy", "SpecificityAtSensitivity"),
    *("SparseTopKCategoricalAccuracy", "SquaredHinge", "TrueNegatives", "TruePositives"),
}


def test_metrics_that_are_called_from_python(reference: Any):
    found = set()
    for cls, options, true_name, pred_name in CASES.values():
        metric = getattr(metrics, cls)(**options)
        true, pred = reference[f"data/{true_name}"][:10], reference[f"data/{pred_name}"][:10]
        metric.update_state(true, pred)
        if on_the_host(tg.jit(metric.update_state).program(true, pred)):
            found.add(cls)
    assert found <= ON_THE_HOST
