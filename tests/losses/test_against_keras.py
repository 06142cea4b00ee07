"""Loss values of Keras 3, over reductions and sample weights, in both precisions."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad import losses

CASES = {
    "mean_squared_error": (losses.MeanSquaredError, {}, "binary", "logits"),
    "mean_absolute_error": (losses.MeanAbsoluteError, {}, "binary", "logits"),
    "binary_crossentropy": (losses.BinaryCrossentropy, {}, "binary", "sigmoids"),
    "binary_crossentropy_logits": (
        losses.BinaryCrossentropy,
        {"from_logits": True},
        "binary",
        "logits",
    ),
    "binary_crossentropy_smooth": (
        losses.BinaryCrossentropy,
        {"label_smoothing": 0.1},
        "binary",
        "sigmoids",
    ),
    "categorical_crossentropy": (losses.CategoricalCrossentropy, {}, "one_hot", "probabilities"),
    "categorical_crossentropy_logits": (
        losses.CategoricalCrossentropy,
        {"from_logits": True},
        "one_hot",
        "logits",
    ),
    "categorical_crossentropy_smooth": (
        losses.CategoricalCrossentropy,
        {"label_smoothing": 0.1},
        "one_hot",
        "probabilities",
    ),
    "sparse_categorical_crossentropy": (
        losses.SparseCategoricalCrossentropy,
        {},
        "labels",
        "probabilities",
    ),
    "sparse_categorical_crossentropy_logits": (
        losses.SparseCategoricalCrossentropy,
        {"from_logits": True},
        "labels",
        "logits",
    ),
    "sparse_categorical_crossentropy_ignore": (
        losses.SparseCategoricalCrossentropy,
        {"ignore_class": 2},
        "labels",
        "probabilities",
    ),
}


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    "reduction", ["sum_over_batch_size", "sum", "none", "mean_with_sample_weight"]
)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 2e-6), ("float32", 2e-4)])
def test_values(keras_reference, name, reduction, weighted, dtype, tolerance):
    cls, options, true_name, pred_name = CASES[name]
    data = {key: keras_reference[f"losses/{key}"] for key in ("labels", "binary")}
    data["one_hot"] = np.eye(5)[data["labels"]]
    pred = keras_reference[f"losses/{pred_name}"].astype(dtype)
    arguments = [data[true_name], pred]
    key = f"losses/{name}/{reduction}"
    if weighted:
        arguments.append(keras_reference["losses/weights"])
        key += "/weighted"
    result = cls(reduction=reduction, **options)(*arguments)
    assert result.dtype == dtype
    expected = keras_reference[key]
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=tolerance * scale)


def test_column_and_vector_are_aligned(keras_reference):
    labels = keras_reference["losses/labels"].astype(float)
    column = keras_reference["losses/logits"][:, :1]
    weights = keras_reference["losses/weights"]
    loss = losses.MeanSquaredError()
    for true, pred in ((labels, column), (labels[:, None], column[:, 0])):
        assert float(loss(true, pred)) == pytest.approx(keras_reference["losses/aligned"])
        assert float(loss(true, pred, weights)) == pytest.approx(
            keras_reference["losses/aligned_weighted"]
        )
