"""Write what the metrics of Keras 3 return over batches, for the tests to compare with.

Run it with Keras installed, here with PyTorch as its backend::

    KERAS_BACKEND=torch python tests/reference/make_metric_reference.py

It writes `metric_reference.npz` beside itself; the tests read that file and need no Keras.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import torch
from keras import metrics as m
from keras.src import backend

sys.path.insert(0, str(Path(__file__).parents[1]))

from metric_cases import BATCHES, CASES

HERE = Path(__file__).parent
RESULTS: dict[str, np.ndarray] = {}


def keep(name: str, value) -> None:
    """Note a result under a name."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    RESULTS[name] = np.array(value)  # a copy: what Keras returns may change with the next batch


def data() -> dict[str, np.ndarray]:
    """Return labels and predictions of 40 samples."""
    rng = np.random.default_rng(30)
    logits = 1.5 * rng.normal(size=(40, 4))
    chances = rng.random(40)
    labels = rng.integers(0, 4, 40)
    steps = rng.normal(size=(40, 3, 4))
    exponentials = np.exp(logits)
    return {
        "logits": logits,
        "scores": exponentials / exponentials.sum(1, keepdims=True),
        "many_chances": 1 / (1 + np.exp(-logits)),
        "labels": labels,
        "guesses": np.where(rng.random(40) < 0.6, labels, rng.integers(0, 4, 40)),
        "void_labels": np.where(rng.random(40) < 0.2, 255, labels),
        "one_hot": np.eye(4)[labels],
        "many": (rng.random((40, 4)) > 0.6).astype(float),
        "chances": chances,
        "grid": rng.integers(0, 11, 40) / 10,  # exactly on thresholds
        "binary": (rng.random(40) < 0.2 + 0.6 * chances).astype(float),
        "column": chances[:, None],
        "ids": np.argsort(-exponentials, axis=1),
        "targets": rng.normal(size=(40, 3)) + 2,
        "outputs": rng.normal(size=(40, 3)) + 2,
        "positive": rng.exponential(size=(40, 3)),
        "steps": steps,
        "step_labels": rng.integers(0, 4, (40, 3)),
        "step_targets": rng.normal(size=(40, 3, 4)),
        "mask": rng.random((40, 3)) > 0.3,
        "weights": rng.random(40) + 0.2,
        "step_weights": rng.random((40, 3)),
        "label_weights": np.array([0.5, 0.0, 2.0, 1.0]),
    }


def stream(name: str, metric, true, pred, weights=None, mask=None) -> None:
    """Keep what a metric returns after all batches."""
    metric.reset_state()
    for part in BATCHES:
        given = torch.tensor(pred[part])
        if mask is not None:
            backend.set_keras_mask(given, torch.tensor(mask[part]))
        extra = {} if weights is None else {"sample_weight": weights[part].copy()}
        metric.update_state(true[part], given, **extra)
    keep(name, metric.result())


def wrapped_losses(numbers: dict[str, np.ndarray], prefix: str) -> None:
    """Losses taken as metrics."""
    for name in ("huber", "binary_focal_crossentropy", "categorical_focal_crossentropy"):
        metric = m.MeanMetricWrapper(getattr(keras.losses, name))
        true = numbers["targets" if name == "huber" else "one_hot"]
        pred = numbers["outputs" if name == "huber" else "scores"]
        stream(f"{prefix}/wrapped/{name}", metric, true, pred, numbers["weights"])


def means(numbers: dict[str, np.ndarray], prefix: str) -> None:
    """Sums and means of values of one to three axes, with weights of fewer axes."""
    for cls in (m.Mean, m.Sum):
        for value in ("chances", "targets", "steps"):
            for weight in (None, "weights", "step_weights", "number"):
                if weight == "step_weights" and value == "chances":
                    continue
                metric = cls()
                for i, part in enumerate(BATCHES):
                    given = 0.5 + i if weight == "number" else None
                    if weight in numbers:
                        given = numbers[weight][part].copy()
                    metric.update_state(numbers[value][part], sample_weight=given)
                keep(f"{prefix}/{cls.__name__}/{value}/{weight}", metric.result())


def main() -> None:
    """Write the file."""
    warnings.simplefilter("ignore")
    for name, array in data().items():
        keep(f"data/{name}", array)
    for dtype in ("float64", "float32"):
        keras.backend.set_floatx(dtype)
        numbers = {k: v.astype(dtype) if v.dtype.kind == "f" else v for k, v in data().items()}
        for name, (cls, options, true_name, pred_name) in CASES.items():
            kwargs = {"dtype": dtype} if "IoU" in cls else {}
            true, pred = numbers[true_name], numbers[pred_name]
            metric = getattr(m, cls)(**options, **kwargs)
            stream(f"{dtype}/{name}/plain", metric, true, pred)
            steps = true_name.startswith("step") and "axis" not in name
            weights = numbers["step_weights" if steps else "weights"]
            if "IoU" in cls and not steps and true.ndim > 1:
                weights = numbers["weights"]
            stream(f"{dtype}/{name}/weighted", metric, true, pred, weights)
            if steps and "iou" not in name and "rmse" not in name:
                mask = numbers["mask"]
                stream(f"{dtype}/{name}/masked", metric, true, pred, None, mask)
                stream(f"{dtype}/{name}/masked_weighted", metric, true, pred, weights, mask)
        wrapped_losses(numbers, dtype)
        means(numbers, dtype)
    np.savez_compressed(HERE / "metric_reference.npz", **RESULTS)
    print(len(RESULTS), "results")


if __name__ == "__main__":
    main()
