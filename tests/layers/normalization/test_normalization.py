"""What normalizations keep, freeze and refuse."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers

X = np.random.default_rng(0).normal(3.0, 2.0, size=(32, 5))


def test_moving_statistics_follow_the_data():
    layer = layers.BatchNormalization(momentum=0.9, dtype="float64")
    for _ in range(300):
        layer(X, training=True)
    np.testing.assert_allclose(layer.moving_mean.numpy(), X.mean(0), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), X.var(0), rtol=1e-6)
    np.testing.assert_allclose(layer(X), layer(X, training=True), atol=1e-5)
    assert [w.name for w in layer.trainable_weights] == ["gamma", "beta"]
    assert [w.name for w in layer.non_trainable_weights] == ["moving_mean", "moving_variance"]


def test_a_frozen_layer_uses_and_keeps_its_statistics():
    layer = layers.BatchNormalization(dtype="float64")
    layer(X, training=True)
    layer.trainable = False
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(X, training=True), layer(X, training=False))
    for one, other in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(one, other)
    layer.trainable = True
    layer(X, training=True)
    assert (layer.moving_mean.numpy() != before[2]).all()


def test_fit_updates_the_statistics_and_predict_uses_them():
    model = tg.Sequential([layers.BatchNormalization(momentum=0.5), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], epochs=3, batch_size=8, verbose=0)
    moved = model.layers[0].moving_mean.numpy()
    assert (np.abs(moved) > 1).all()
    model.predict(X, verbose=0)
    model.evaluate(X, X[:, :1], verbose=0)
    np.testing.assert_array_equal(model.layers[0].moving_mean.numpy(), moved)


def test_symbolic_calls_leave_the_statistics():
    layer = layers.BatchNormalization()
    inputs = tg.Input((5,))
    model = tg.Model(inputs, layer(inputs, training=True))
    np.testing.assert_array_equal(layer.moving_variance.numpy(), np.ones(5))
    model(X)  # trains, as the network says
    assert (layer.moving_mean.numpy() > 0).all()


def test_a_tape_that_is_still_needed_keeps_the_old_statistics():
    layer = layers.BatchNormalization(dtype="float64")
    x = tg.Variable(X)
    with tg.Tape() as tape:
        y = layer(x, training=False).sum()
        layer(x, training=True)
    slope = tape.gradient(y, x).numpy()
    np.testing.assert_allclose(slope, 1 / np.sqrt(1.001), rtol=1e-12)


def test_what_a_mask_hides_does_not_count():
    x = np.random.default_rng(1).normal(size=(3, 4, 2))
    mask = np.array([[True, True, False, False], [True] * 4, [False] * 4])
    layer = layers.BatchNormalization(momentum=0.0, dtype="float64")
    layer(x, mask=mask, training=True)
    np.testing.assert_allclose(layer.moving_mean.numpy(), x[mask].mean(0), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), x[mask].var(0), rtol=1e-6)
    with pytest.raises(ValueError, match=r"mask has shape \(3, 5\), expected \(3, 4\)"):
        layer(x, mask=np.ones((3, 5), bool), training=True)


def test_whole_numbers_are_normalized_as_floating_ones():
    whole = np.arange(12).reshape(3, 4)
    for layer in (
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.GroupNormalization(2),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
    ):
        y = layer(whole)
        assert y.dtype == "float32"
        np.testing.assert_allclose(y, layer(whole.astype("float32")))


@pytest.mark.parametrize("axis", [1, -2, (1, 2), [2, 1], (3, 1)])
def test_layer_normalization_over_any_axes(axis):
    x = np.random.default_rng(2).normal(size=(2, 3, 4, 5))
    axes = tuple(sorted(np.atleast_1d(axis) % 4))
    layer = layers.LayerNormalization(axis, epsilon=0.0, dtype="float64")
    y = layer(x)
    expected = (x - x.mean(axes, keepdims=True)) / x.std(axes, keepdims=True)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    assert layer.gamma.shape == tuple(x.shape[one] for one in axes)
    y = layers.RMSNormalization(axis, epsilon=0.0, dtype="float64")(x)
    np.testing.assert_allclose(y, x / np.sqrt((x**2).mean(axes, keepdims=True)), atol=1e-12)


def test_rms_scaling_is_an_old_name():
    with pytest.warns(DeprecationWarning, match="write RMSNormalization"):
        layer = layers.LayerNormalization(rms_scaling=True, epsilon=0.0, dtype="float64")
    np.testing.assert_allclose(layer(X), X / X.std(-1, keepdims=True), atol=1e-12)
    assert len(layer.weights) == 1


def test_spectral_normalization_bounds_the_largest_singular_value():
    layer = layers.SpectralNormalization(layers.Dense(4, dtype="float64"), 50, dtype="float64")
    layer.build((None, 5))
    layer.layer.kernel.assign(3 * np.random.default_rng(3).normal(size=(5, 4)))
    before = layer.layer.kernel.numpy()
    np.testing.assert_allclose(layer(X), X @ before, rtol=1e-12, atol=1e-12)
    layer(X, training=True)
    after = layer.layer.kernel.numpy()
    np.testing.assert_allclose(np.linalg.norm(after, 2), 1.0, rtol=1e-6)
    np.testing.assert_allclose(after, before / np.linalg.norm(before, 2), rtol=1e-5)
    embedding = layers.SpectralNormalization(layers.Embedding(6, 3), 20)
    embedding(np.array([[1, 2]]), training=True)
    assert np.linalg.norm(embedding.layer.embeddings.numpy(), 2) == pytest.approx(1, rel=1e-3)
    zero = layers.SpectralNormalization(layers.Dense(4, kernel_initializer="zeros"))
    assert np.isfinite(zero(X, training=True).numpy()).all()


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"unknown keys \['rmix'\]"):
        layers.BatchNormalization(renorm=True, renorm_clipping={"rmix": 1.0})
    with pytest.raises(ValueError, match="rmax must not lie below rmin"):
        layers.BatchNormalization(renorm=True, renorm_clipping={"rmin": 2.0, "rmax": 1.0})
    with pytest.raises(ValueError, match="dmax must not be negative"):
        layers.BatchNormalization(renorm=True, renorm_clipping={"dmax": -1.0})
    with pytest.raises(ValueError, match="groups must be a positive whole number or -1"):
        layers.GroupNormalization(0)
    with pytest.raises(TypeError, match="LayerNormalization: axis must be a whole number"):
        layers.LayerNormalization("last")
    with pytest.raises(TypeError, match="UnitNormalization: axis must be a whole number"):
        layers.UnitNormalization(1.5)
    with pytest.raises(ValueError, match="power_iterations must be positive"):
        layers.SpectralNormalization(layers.Dense(2), 0)
    with pytest.raises(ValueError, match=r"layer must be a layer such as Dense\(8\), but is 3"):
        layers.SpectralNormalization(3)
    with pytest.raises(ValueError, match="neither a kernel nor embeddings"):
        layers.SpectralNormalization(layers.ReLU())(X)


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization,
        layers.LayerNormalization,
        layers.RMSNormalization,
        layers.UnitNormalization,
        lambda **options: layers.GroupNormalization(1, **options),
    ],
)
def test_axes_that_do_not_exist(layer):
    with pytest.raises(ValueError, match=r"mine .*shape \(.*5\), expected an axis 2"):
        layer(axis=2, name="mine")(X)
    with pytest.raises(ValueError, match="expected an axis -3"):
        layer(axis=-3).compute_output_shape((None, 5))
    assert layer(axis=1).compute_output_shape((None, 5)) == (None, 5)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="that 3 groups divide"):
        layers.GroupNormalization(3)(X)
    with pytest.raises(ValueError, match="known length along axis -1"):
        layers.BatchNormalization().build((None, None))
    layer = layers.LayerNormalization()
    layer(X)
    with pytest.raises(ValueError, match="expected 2 axes, as before"):
        layer(X[None])
