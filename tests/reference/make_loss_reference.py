"""Write what the losses of Keras 3 return, and their gradients, for the tests to compare with.

Run it with Keras installed, here with PyTorch as its backend::

    KERAS_BACKEND=torch python tests/reference/make_loss_reference.py

It writes `loss_reference.npz` beside itself; the tests read that file and need no Keras.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np
import torch
from keras.src import backend

HERE = Path(__file__).parent
RESULTS: dict[str, np.ndarray] = {}
REDUCTIONS = ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight")


def keep(name: str, value) -> None:
    """Note a result under a name."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    RESULTS[name] = np.asarray(value)


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return softmax along an axis."""
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def data() -> dict[str, np.ndarray]:
    """Return labels and predictions: 4 samples of 3 steps and 5 classes."""
    rng = np.random.default_rng(20)
    logits = 2 * rng.normal(size=(4, 3, 5))
    labels = rng.integers(0, 5, (4, 3))
    embeddings = rng.normal(size=(6, 3))
    numbers = {
        "logits": logits,
        "probabilities": softmax(logits),
        "columns": softmax(logits, 1),
        "sigmoids": 1 / (1 + np.exp(-logits)),
        "numbers": rng.normal(size=(4, 3, 5)),
        "positive": rng.exponential(size=(4, 3, 5)),
        "counts": rng.poisson(2.0, (4, 3, 5)).astype(float),
        "labels": labels,
        "one_hot": np.eye(5)[labels],
        "binary": (rng.random((4, 3, 5)) > 0.5).astype(float),
        "signs": np.sign(rng.normal(size=(4, 3, 5))),
        "distributions": softmax(rng.normal(size=(4, 3, 5))),
        "column_labels": rng.integers(0, 3, (4, 5)),
        "embeddings": embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True),
        "identities": np.array([0, 0, 1, 1, 1, 2]),
        "sequences": np.array([[1, 2, 2, 0], [3, 0, 0, 0], [1, 1, 0, 0], [4, 3, 2, 1]]),
        "frames": 2 * rng.normal(size=(4, 7, 5)),
    }
    numbers["column_one_hot"] = np.moveaxis(np.eye(3)[numbers["column_labels"]], -1, 1)
    numbers["weights"] = np.array([0.0, 0.5, 1.5, 2.0])
    numbers["step_weights"] = rng.random((4, 3))
    numbers["mask"] = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
    return numbers


# The class, its arguments, the labels and the predictions.
CASES: dict[str, tuple[str, dict, str, str]] = {
    "mse": ("MeanSquaredError", {}, "numbers", "logits"),
    "mae": ("MeanAbsoluteError", {}, "numbers", "logits"),
    "mape": ("MeanAbsolutePercentageError", {}, "numbers", "logits"),
    "msle": ("MeanSquaredLogarithmicError", {}, "positive", "logits"),
    "huber": ("Huber", {}, "numbers", "logits"),
    "huber_delta": ("Huber", {"delta": 2.5}, "numbers", "logits"),
    "log_cosh": ("LogCosh", {}, "numbers", "logits"),
    "cosine": ("CosineSimilarity", {}, "numbers", "logits"),
    "cosine_axis": ("CosineSimilarity", {"axis": 1}, "numbers", "logits"),
    "bce": ("BinaryCrossentropy", {}, "binary", "sigmoids"),
    "bce_logits": ("BinaryCrossentropy", {"from_logits": True}, "binary", "logits"),
    "bce_smooth": ("BinaryCrossentropy", {"label_smoothing": 0.2}, "binary", "sigmoids"),
    "bce_axis": ("BinaryCrossentropy", {"axis": 1}, "binary", "sigmoids"),
    "bfce": ("BinaryFocalCrossentropy", {}, "binary", "sigmoids"),
    "bfce_logits": ("BinaryFocalCrossentropy", {"from_logits": True}, "binary", "logits"),
    "bfce_all": (
        "BinaryFocalCrossentropy",
        {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5, "label_smoothing": 0.1},
        "binary",
        "sigmoids",
    ),
    "cce": ("CategoricalCrossentropy", {}, "one_hot", "probabilities"),
    "cce_logits": ("CategoricalCrossentropy", {"from_logits": True}, "one_hot", "logits"),
    "cce_smooth": ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "one_hot", "probabilities"),
    "cce_soft": ("CategoricalCrossentropy", {}, "distributions", "probabilities"),
    "cce_axis": ("CategoricalCrossentropy", {"axis": 1}, "column_one_hot", "columns"),
    "cfce": ("CategoricalFocalCrossentropy", {}, "one_hot", "probabilities"),
    "cfce_logits": ("CategoricalFocalCrossentropy", {"from_logits": True}, "one_hot", "logits"),
    "cfce_all": (
        "CategoricalFocalCrossentropy",
        {"alpha": [0.1, 0.2, 0.3, 0.4, 0.5], "gamma": 1.5, "label_smoothing": 0.1},
        "one_hot",
        "probabilities",
    ),
    "scce": ("SparseCategoricalCrossentropy", {}, "labels", "probabilities"),
    "scce_logits": ("SparseCategoricalCrossentropy", {"from_logits": True}, "labels", "logits"),
    "scce_ignore": ("SparseCategoricalCrossentropy", {"ignore_class": 2}, "labels", "logits_i"),
    "scce_axis": ("SparseCategoricalCrossentropy", {"axis": 1}, "column_labels", "columns"),
    "gce": ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, "labels", "probabilities"),
    "kld": ("KLDivergence", {}, "distributions", "probabilities"),
    "poisson": ("Poisson", {}, "counts", "positive"),
    "hinge": ("Hinge", {}, "signs", "numbers"),
    "hinge_binary": ("Hinge", {}, "binary", "numbers"),
    "squared_hinge": ("SquaredHinge", {}, "signs", "numbers"),
    "squared_hinge_binary": ("SquaredHinge", {}, "binary", "numbers"),
    "categorical_hinge": ("CategoricalHinge", {}, "one_hot", "numbers"),
    "dice": ("Dice", {}, "binary", "sigmoids"),
    "dice_axis": ("Dice", {"axis": (1, 2)}, "binary", "sigmoids"),
    "tversky": ("Tversky", {"alpha": 0.3, "beta": 0.7}, "binary", "sigmoids"),
    "tversky_axis": ("Tversky", {"axis": 2}, "binary", "sigmoids"),
    "circle": ("Circle", {}, "identities", "embeddings"),
    "circle_all": (
        "Circle",
        {"gamma": 8.0, "margin": 0.25, "remove_diagonal": False},
        "identities",
        "embeddings",
    ),
    "ctc": ("CTC", {}, "sequences", "frames"),
}


def value_and_gradient(name: str, loss, true, pred, weights=None, mask=None) -> None:
    """Keep a loss and its gradient by the predictions."""
    tensor = torch.tensor(pred, requires_grad=True)
    if mask is not None:
        backend.set_keras_mask(tensor, torch.tensor(mask))
    value = loss(true, tensor, sample_weight=weights)
    keep(name, value)
    if "/none" in name:  # the gradient of the sum is kept already
        return
    (gradient,) = torch.autograd.grad(value.sum(), tensor)
    # Precise to 6e-8, in half the space.
    keep(f"{name}/gradient", gradient.to(torch.float32))


def main() -> None:
    """Write the file."""
    keras.backend.set_floatx("float64")
    warnings.simplefilter("ignore")
    numbers = data()
    for name, array in numbers.items():
        keep(f"data/{name}", array)
    numbers["logits_i"] = numbers["probabilities"]
    for name, (cls, options, true_name, pred_name) in CASES.items():
        true, pred = numbers[true_name], numbers[pred_name]
        shape = None
        for reduction in REDUCTIONS:
            loss = getattr(keras.losses, cls)(reduction=reduction, **options)
            if shape is None:
                plain = getattr(keras.losses, cls)(reduction="none", **options)
                shape = tuple(plain(true, pred).shape)
            value_and_gradient(f"{name}/{reduction}", loss, true, pred)
            # Keras with PyTorch does not broadcast weights against a mask: see "steps" for those.
            if shape[:1] == (4,) and name != "scce_ignore":
                weights = numbers["weights"].reshape((4,) + (1,) * (len(shape) - 1))
                value_and_gradient(f"{name}/{reduction}/weighted", loss, true, pred, weights)
            if shape == (4, 3):
                mask, steps = numbers["mask"], numbers["step_weights"]
                value_and_gradient(f"{name}/{reduction}/steps", loss, true, pred, steps.copy())
                value_and_gradient(f"{name}/{reduction}/masked", loss, true, pred, None, mask)
                both = f"{name}/{reduction}/masked_weighted"
                value_and_gradient(both, loss, true, pred, steps.copy(), mask)
    column = numbers["numbers"][..., :1]
    loss = keras.losses.MeanSquaredError(reduction="sum")
    value_and_gradient("squeezed", loss, numbers["numbers"][..., 1], column)
    np.savez_compressed(HERE / "loss_reference.npz", **RESULTS)
    print(len(RESULTS), "results")


if __name__ == "__main__":
    main()
