"""Values and gradients of every loss of Keras 3, over reductions, weights and masks."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import losses
from tapegrad._core.masking import set_mask

# The loss, its labels and its predictions.
CASES = {
    "mse": (losses.MeanSquaredError, {}, "numbers", "logits"),
    "mae": (losses.MeanAbsoluteError, {}, "numbers", "logits"),
    "mape": (losses.MeanAbsolutePercentageError, {}, "numbers", "logits"),
    "msle": (losses.MeanSquaredLogarithmicError, {}, "positive", "logits"),
    "huber": (losses.Huber, {}, "numbers", "logits"),
    "huber_delta": (losses.Huber, {"delta": 2.5}, "numbers", "logits"),
    "log_cosh": (losses.LogCosh, {}, "numbers", "logits"),
    "cosine": (losses.CosineSimilarity, {}, "numbers", "logits"),
    "cosine_axis": (losses.CosineSimilarity, {"axis": 1}, "numbers", "logits"),
    "bce": (losses.BinaryCrossentropy, {}, "binary", "sigmoids"),
    "bce_logits": (losses.BinaryCrossentropy, {"from_logits": True}, "binary", "logits"),
    "bce_smooth": (losses.BinaryCrossentropy, {"label_smoothing": 0.2}, "binary", "sigmoids"),
    "bce_axis": (losses.BinaryCrossentropy, {"axis": 1}, "binary", "sigmoids"),
    "bfce": (losses.BinaryFocalCrossentropy, {}, "binary", "sigmoids"),
    "bfce_logits": (losses.BinaryFocalCrossentropy, {"from_logits": True}, "binary", "logits"),
    "bfce_all": (
        losses.BinaryFocalCrossentropy,
        {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5, "label_smoothing": 0.1},
        "binary",
        "sigmoids",
    ),
    "cce": (losses.CategoricalCrossentropy, {}, "one_hot", "probabilities"),
    "cce_logits": (losses.CategoricalCrossentropy, {"from_logits": True}, "one_hot", "logits"),
    "cce_smooth": (
        losses.CategoricalCrossentropy,
        {"label_smoothing": 0.2},
        "one_hot",
        "probabilities",
    ),
    "cce_soft": (losses.CategoricalCrossentropy, {}, "distributions", "probabilities"),
    "cce_axis": (losses.CategoricalCrossentropy, {"axis": 1}, "column_one_hot", "columns"),
    "cfce": (losses.CategoricalFocalCrossentropy, {}, "one_hot", "probabilities"),
    "cfce_logits": (
        losses.CategoricalFocalCrossentropy,
        {"from_logits": True},
        "one_hot",
        "logits",
    ),
    "cfce_all": (
        losses.CategoricalFocalCrossentropy,
        {"alpha": [0.1, 0.2, 0.3, 0.4, 0.5], "gamma": 1.5, "label_smoothing": 0.1},
        "one_hot",
        "probabilities",
    ),
    "scce": (losses.SparseCategoricalCrossentropy, {}, "labels", "probabilities"),
    "scce_logits": (
        losses.SparseCategoricalCrossentropy,
        {"from_logits": True},
        "labels",
        "logits",
    ),
    "scce_ignore": (
        losses.SparseCategoricalCrossentropy,
        {"ignore_class": 2},
        "labels",
        "probabilities",
    ),
    "scce_axis": (losses.SparseCategoricalCrossentropy, {"axis": 1}, "column_labels", "columns"),
    "gce": (losses.CategoricalGeneralizedCrossEntropy, {"q": 0.7}, "labels", "probabilities"),
    "kld": (losses.KLDivergence, {}, "distributions", "probabilities"),
    "poisson": (losses.Poisson, {}, "counts", "positive"),
    "hinge": (losses.Hinge, {}, "signs", "numbers"),
    "hinge_binary": (losses.Hinge, {}, "binary", "numbers"),
    "squared_hinge": (losses.SquaredHinge, {}, "signs", "numbers"),
    "squared_hinge_binary": (losses.SquaredHinge, {}, "binary", "numbers"),
    "categorical_hinge": (losses.CategoricalHinge, {}, "one_hot", "numbers"),
    "dice": (losses.Dice, {}, "binary", "sigmoids"),
    "dice_axis": (losses.Dice, {"axis": (1, 2)}, "binary", "sigmoids"),
    "tversky": (losses.Tversky, {"alpha": 0.3, "beta": 0.7}, "binary", "sigmoids"),
    "tversky_axis": (losses.Tversky, {"axis": 2}, "binary", "sigmoids"),
    "circle": (losses.Circle, {}, "identities", "embeddings"),
    "circle_all": (
        losses.Circle,
        {"gamma": 8.0, "margin": 0.25, "remove_diagonal": False},
        "identities",
        "embeddings",
    ),
    "ctc": (losses.CTC, {}, "sequences", "frames"),
}
KINDS = ("", "/weighted", "/steps", "/masked", "/masked_weighted")


def value_and_gradient(loss, true, pred, weights=None, mask=None):
    variable = tg.Variable(pred)
    with tg.Tape() as tape:
        given = variable * 1.0
        if mask is not None:
            set_mask(given, mask)
        value = loss(true, given, sample_weight=weights)
        total = value.sum()
    return value.numpy(), tape.gradient(total, variable).numpy()


def check(result, expected, tolerance):
    scale = max(1.0, np.abs(expected).max())
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 2e-6), ("float32", 2e-4)])
@pytest.mark.parametrize(
    "reduction", ["sum_over_batch_size", "sum", "none", "mean_with_sample_weight"]
)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(loss_reference, name, reduction, dtype, tolerance):
    cls, options, true_name, pred_name = CASES[name]
    data = {key: loss_reference[f"data/{key}"] for key in (true_name, pred_name)}
    weights = loss_reference["data/weights"]
    loss = cls(reduction=reduction, **options)
    compared = 0
    for kind in KINDS:
        key = f"{name}/{reduction}{kind}"
        if key not in loss_reference:
            continue
        given = None
        if kind == "/weighted":
            rank = loss_reference[f"{name}/none"].ndim
            given = weights.reshape((4,) + (1,) * (rank - 1))
        elif kind in ("/steps", "/masked_weighted"):
            given = loss_reference["data/step_weights"]
        mask = loss_reference["data/mask"] if "masked" in kind else None
        pred = data[pred_name].astype(dtype)
        value, slope = value_and_gradient(loss, data[true_name], pred, given, mask)
        assert value.dtype == slope.dtype == dtype
        check(value, loss_reference[key], tolerance)
        summed = key.replace("/none", "/sum")  # what is not reduced was summed for its gradient
        check(slope, loss_reference[f"{summed}/gradient"], tolerance)
        compared += 1
    assert compared >= 1


def test_a_missing_axis_is_aligned_as_in_keras(loss_reference):
    numbers = loss_reference["data/numbers"]
    loss = losses.MeanSquaredError(reduction="sum")
    value, slope = value_and_gradient(loss, numbers[..., 1], numbers[..., :1])
    check(value, loss_reference["squeezed"], 2e-6)
    check(slope, loss_reference["squeezed/gradient"], 2e-6)
