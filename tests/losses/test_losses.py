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


# ---- beyond Keras's values: all losses -----------------------------------------------

PROBABILISTIC = {
    "binary_crossentropy": np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]),
    "binary_focal_crossentropy": np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]),
    "categorical_crossentropy": np.eye(3)[[0, 2]],
    "categorical_focal_crossentropy": np.eye(3)[[0, 2]],
    "sparse_categorical_crossentropy": np.array([0, 2]),
    "categorical_generalized_cross_entropy": np.array([0, 2]),
    "kl_divergence": np.eye(3)[[0, 2]],
    "poisson": np.eye(3)[[0, 2]],
    "dice": np.eye(3)[[0, 2]],
    "tversky": np.eye(3)[[0, 2]],
    "mean_squared_logarithmic_error": np.eye(3)[[0, 2]],
    "mean_absolute_percentage_error": np.eye(3)[[0, 2]],
    "cosine_similarity": np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PROBABILISTIC)
def test_chances_of_exactly_0_and_1_are_finite(name, dtype):
    pred = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], dtype=dtype)
    value, slope = gradient(losses.get(name), PROBABILISTIC[name], pred)
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("from_logits", [False, True])
def test_focal_losses_are_finite_at_extremes(from_logits, gamma):
    pred = np.array([[1000.0, -1000.0], [0.0, -1000.0]])
    if not from_logits:
        pred = np.array([[1.0, 0.0], [0.5, 0.0]])
    for loss in (
        losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=from_logits),
        losses.CategoricalFocalCrossentropy(gamma=gamma, from_logits=from_logits),
    ):
        for true in (np.eye(2), np.eye(2)[::-1].copy()):
            value, slope = gradient(loss, true, pred)
            assert np.isfinite(value)
            assert np.isfinite(slope).all()


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("binary_focal_crossentropy", activations.sigmoid),
        ("categorical_focal_crossentropy", activations.softmax),
        ("categorical_generalized_cross_entropy", activations.softmax),
    ],
)
def test_activated_outputs_are_fused_with_the_other_losses(name, activation):
    true = np.array([1]) if "generalized" in name else np.array([[0.0, 1.0]])
    value, slope = gradient(losses.get(name), true, np.array([[30.0, -30.0]]), activation)
    assert value > (1.99 if "generalized" in name else 0.25 * 29)
    assert np.isfinite(slope).all()
    assert slope.any()


def test_a_row_without_pairs_has_no_gradient():
    value, slope = gradient(losses.Circle(), np.array([0, 1, 2]), np.eye(3))
    assert value == 0.0
    assert not slope.any()


def test_ctc_of_labels_that_do_not_fit():
    loss = losses.CTC(reduction="none")
    # Two equal labels need three steps; an empty row is all blanks.
    values = loss(np.array([[1, 1], [1, 2], [0, 0]]), np.zeros((3, 2, 3)))
    np.testing.assert_allclose(values.numpy(), [np.inf, np.log(9), np.log(9)])
    with pytest.raises(ValueError, match="label 3 in y_true"):
        loss(np.array([[3]]), np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match=r"ctc: expected labels of shape"):
        loss(np.array([1]), np.zeros((1, 2, 3)))


ALL = [loss for loss in vars(losses).values() if isinstance(loss, type)]
ELEMENTWISE = [
    "mse", "mae", "mape", "msle", "huber", "log_cosh", "binary_crossentropy",
    "binary_focal_crossentropy", "poisson", "hinge", "squared_hinge",
]  # fmt: skip


@pytest.mark.parametrize("name", [*ELEMENTWISE, "kld", "cosine_similarity", "categorical_hinge"])
@pytest.mark.parametrize(("true", "pred"), [((3,), (3, 2)), ((1, 3), (3, 3)), ((3, 1), (3, 3))])
def test_no_loss_broadcasts(name, true, pred):
    with pytest.raises(ValueError, match=r"y_true has shape .* y_pred"):
        losses.get(name)(np.zeros(true), np.full(pred, 0.5))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_vector_is_one_value_a_sample_with_or_without_its_axis(name):
    true, pred = np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.7, 0.4])
    loss, weights = losses.get(name), np.array([1.0, 0.0, 2.0])
    expected = loss(true[:, None], pred[:, None], weights)
    for t, p in ((true, pred), (true[:, None], pred), (true, pred[:, None])):
        assert float(loss(t, p, weights)) == pytest.approx(float(expected))


@pytest.mark.parametrize("kind", [np.int64, np.uint8, bool, np.float64])
def test_labels_of_any_kind(kind):
    pred = np.array([[0.25, 0.75], [0.5, 0.5]], dtype=np.float32)
    true = np.array([[0, 1], [1, 0]])
    for name in (*ELEMENTWISE, "cce", "kld", "dice", "categorical_hinge", "cosine_similarity"):
        loss = losses.get(name)
        assert loss(true.astype(kind), pred).dtype == "float32"
        assert float(loss(true.astype(kind), pred)) == float(loss(true.astype("float32"), pred))
    sparse = losses.SparseCategoricalCrossentropy()
    assert float(sparse(np.array([0, 1], dtype=kind), pred)) == float(sparse([0, 1], pred))


def test_a_label_a_time_step_under_a_mask():
    from tapegrad._core.masking import set_mask

    true, pred = np.zeros((2, 3)), np.arange(6.0).reshape(2, 3, 1)
    mask = np.array([[True, False, False], [True, True, False]])
    value = losses.MeanSquaredError()(true, set_mask(tg.tensor(pred), mask))
    assert float(value) == pytest.approx((0 + 9 + 16) / 3)
    # A weight a sample, with the mask over its steps.
    weighted = losses.MeanSquaredError()(true, set_mask(tg.tensor(pred), mask), [1.0, 2.0])
    assert float(weighted) == pytest.approx(2 * (9 + 16) / 3)
    nothing = losses.MeanSquaredError()(true, set_mask(tg.tensor(pred), mask & False))
    assert float(nothing) == 0.0


def test_weights_that_do_not_fit_are_refused():
    loss = losses.MeanSquaredError()
    with pytest.raises(ValueError, match=r"sample_weight has shape \(3,\).*\(2,\)"):
        loss(np.zeros((2, 4)), np.zeros((2, 4)), np.ones(3))
    with pytest.raises(ValueError, match=r"sample_weight has shape \(2, 4\)"):
        loss(np.zeros((2, 4)), np.zeros((2, 4)), np.ones((2, 4)))


def test_losses_of_users_get_aligned_labels_of_the_dtype_of_predictions():
    def error(y_true, y_pred):
        assert y_true.dtype == y_pred.dtype == "float32"
        assert y_true.shape == y_pred.shape == (3, 1)
        return tg.ops.mean(tg.ops.square(y_true - y_pred), axis=-1)

    true, pred = np.array([1, 2, 3]), np.zeros((3, 1), dtype=np.float32)
    assert float(losses.get(error)(true, pred)) == pytest.approx(14 / 3)

    class Structured(losses.Loss):
        def call(self, y_true, y_pred):
            return tg.ops.absolute(y_pred["a"] - y_true["a"])

    assert float(Structured()({"a": [1]}, {"a": tg.tensor([3.0])})) == 2.0


def test_one_column_is_no_choice_of_classes():
    with pytest.warns(SyntaxWarning, match="binary_crossentropy"):
        losses.CategoricalCrossentropy()(np.ones((2, 1)), np.ones((2, 1)))


KERAS_NAMES = [
    "kl_divergence", "KLDivergence", "kld", "KLD", "poisson", "Poisson", "binary_crossentropy",
    "bce", "BCE", "BinaryFocalCrossentropy", "binary_focal_crossentropy",
    "categorical_focal_crossentropy", "CategoricalFocalCrossentropy",
    "sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", "mse", "MSE", "mae", "MAE",
    "mape", "MAPE", "msle", "MSLE", "MeanSquaredError", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "mean_squared_logarithmic_error",
    "mean_absolute_percentage_error", "CosineSimilarity", "cosine_similarity", "LogCosh",
    "log_cosh", "Huber", "huber", "Hinge", "hinge", "SquaredHinge", "squared_hinge",
    "CategoricalHinge", "categorical_hinge", "Dice", "dice", "Tversky", "tversky", "Circle",
    "circle", "CTC", "ctc",
]  # fmt: skip


@pytest.mark.parametrize("name", KERAS_NAMES)
def test_every_name_of_keras(name):
    loss = losses.get(name)
    assert isinstance(loss, losses.Loss)
    assert callable(getattr(losses, name))


@pytest.mark.parametrize("cls", [loss for loss in ALL if loss.__name__ not in ("Loss",)])
def test_descriptions_make_equal_losses(cls):
    loss = cls(losses.huber, delta=2.0) if cls is losses.LossFunctionWrapper else cls()
    again = losses.deserialize(losses.serialize(loss))
    assert type(again) is cls
    assert again.get_config() == loss.get_config()
    assert type(losses.get(losses.serialize(loss))) is cls


def test_described_arguments_count():
    loss = losses.get({"class_name": "Huber", "config": {"delta": 3.0, "reduction": "sum"}})
    assert float(loss([[0.0]], [[2.0]])) == pytest.approx(2.0)


def test_a_loss_of_the_whole_batch_is_not_divided_by_its_weight():
    true, pred = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    plain = float(losses.Dice()(true, pred))
    for reduction in ("mean", "sum", "none", "mean_with_sample_weight"):
        assert float(losses.Dice(reduction=reduction)(true, pred, 3.0)) == pytest.approx(3 * plain)
