"""What losses must get right beyond Keras's values: extremes, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import activations, losses


def gradient(loss, y_true, logits, activation=None):
    variable = tg.Variable(np.asarray(logits))
    with tg.Tape() as tape:
        pred = variable if activation is None else activation(variable)
        value = loss(y_true, pred)
    return float(value), tape.gradient(value, variable).numpy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_at_a_thousand_stay_finite_and_right(dtype):
    logits = np.array([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 0.0]], dtype=dtype)
    sparse = losses.SparseCategoricalCrossentropy(from_logits=True)
    value, slope = gradient(sparse, np.array([0, 0]), logits)
    assert value == pytest.approx(1000.0)
    np.testing.assert_allclose(slope, [[0, 0, 0], [-0.5, 0.5, 0]], atol=1e-7)
    dense = losses.CategoricalCrossentropy(from_logits=True)
    assert gradient(dense, np.eye(3)[[0, 0]], logits)[0] == pytest.approx(1000.0)
    binary = losses.BinaryCrossentropy(from_logits=True)
    value, slope = gradient(binary, np.array([[1.0], [1.0]]), logits[:, :1])
    assert value == pytest.approx(500.0)
    np.testing.assert_allclose(slope, [[0.0], [-0.5]], atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "y_true", "activation"),
    [
        (losses.SparseCategoricalCrossentropy(), np.array([1]), activations.softmax),
        (losses.CategoricalCrossentropy(), np.array([[0.0, 1.0]]), activations.softmax),
        (losses.BinaryCrossentropy(), np.array([[0.0, 1.0]]), activations.sigmoid),
    ],
    ids=["sparse", "categorical", "binary"],
)
def test_an_activated_output_is_fused_with_its_loss(loss, y_true, activation):
    # Clipped at 1e-7 the loss could not exceed 16.2, and its gradient would be zero.
    value, slope = gradient(loss, y_true, [[40.0, -40.0]], activation)
    assert value > 39
    assert np.abs(slope).max() >= 0.5


def test_probabilities_are_clipped_like_in_keras():
    loss = losses.CategoricalCrossentropy()
    value = loss(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]))
    assert float(value) == pytest.approx(-np.log(1e-7), rel=1e-6)


@pytest.mark.parametrize("name", ["mse", "mae", "bce"])
@pytest.mark.parametrize(
    ("true", "pred"), [((3,), (4,)), ((3, 1), (3, 2)), ((3,), (3, 2)), ((1, 3), (3, 3)), ((), (3,))]
)
def test_shapes_that_would_broadcast_are_refused(name, true, pred):
    loss = losses.get(name)
    assert loss is not None
    with pytest.raises(ValueError, match=r"y_true has shape .* y_pred") as error:
        loss(np.zeros(true), np.full(pred, 0.5))
    assert str(true) in str(error.value)
    assert str(pred) in str(error.value)


def test_class_numbers_for_categorical_name_the_other_loss():
    with pytest.raises(ValueError, match="to_categorical"):
        losses.CategoricalCrossentropy()(np.array([0, 1]), np.full((2, 3), 1 / 3))
    with pytest.raises(ValueError, match="categorical_crossentropy"):
        losses.SparseCategoricalCrossentropy()(np.eye(3)[[0, 1]], np.full((2, 3), 1 / 3))


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("label", [3, -1])
def test_labels_out_of_range_are_named(label, from_logits):
    loss = losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    with pytest.raises(ValueError, match=f"{label}"):
        loss(np.array([0, label]), np.full((2, 3), 1 / 3))


def test_fractional_labels_are_refused():
    with pytest.raises(ValueError, match="whole class numbers"):
        losses.SparseCategoricalCrossentropy()(np.array([0.5, 1.0]), np.full((2, 3), 1 / 3))


def test_weights_of_vectors_apply_to_samples():
    loss = losses.MeanSquaredError()
    value = loss(np.zeros(3), np.array([1.0, 2.0, 3.0]), sample_weight=[0.0, 0.0, 1.0])
    assert float(value) == pytest.approx(3.0)
    binary = losses.BinaryCrossentropy(reduction="none")
    assert binary(np.array([0.0, 1.0]), np.array([0.5, 0.5])).shape == (2,)


@pytest.mark.parametrize(
    ("identifier", "cls"),
    [
        ("mse", losses.MeanSquaredError),
        ("MSE", losses.MeanSquaredError),
        ("mean_absolute_error", losses.MeanAbsoluteError),
        ("BinaryCrossentropy", losses.BinaryCrossentropy),
        (losses.categorical_crossentropy, losses.CategoricalCrossentropy),
        (losses.SparseCategoricalCrossentropy, losses.SparseCategoricalCrossentropy),
    ],
)
def test_get(identifier, cls):
    assert type(losses.get(identifier)) is cls


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(ValueError, match='Did you mean "categorical_crossentropy"'):
        losses.get("categorical_crossentropi")
    with pytest.raises(ValueError, match="Unknown reduction"):
        losses.MeanSquaredError(reduction="average")
    with pytest.raises(TypeError, match="A loss is"):
        losses.get(3)


def test_functions_return_a_value_a_sample():
    true, pred = np.eye(3)[[0, 1]], np.full((2, 3), 1 / 3)
    for function in (
        losses.mean_squared_error,
        losses.mean_absolute_error,
        losses.binary_crossentropy,
        losses.categorical_crossentropy,
    ):
        assert function(true, pred).shape == (2,)
    assert losses.sparse_categorical_crossentropy([0, 1], pred).shape == (2,)


def test_classes_along_another_axis():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(2, 3, 4)), rng.integers(0, 3, size=(2, 4))
    for from_logits in (True, False):
        pred = logits if from_logits else activations.softmax(logits, axis=1).numpy()
        moved = np.moveaxis(pred, 1, -1)
        sparse = losses.sparse_categorical_crossentropy
        expected = sparse(labels, moved, from_logits).numpy()
        np.testing.assert_allclose(sparse(labels, pred, from_logits, axis=1).numpy(), expected)
        one_hot = np.moveaxis(np.eye(3)[labels], -1, 1)
        dense = losses.categorical_crossentropy(one_hot, pred, from_logits, axis=1)
        np.testing.assert_allclose(dense.numpy(), expected)


def test_dtype():
    true, pred = np.eye(3)[[0, 1]], np.full((2, 3), 1 / 3)
    assert losses.MeanSquaredError()(true, pred).dtype == "float64"
    assert losses.MeanSquaredError(dtype="float32")(true, pred).dtype == "float32"
    assert losses.MeanSquaredError()([[0, 1]], [[1, 1]]).dtype == "float32"
