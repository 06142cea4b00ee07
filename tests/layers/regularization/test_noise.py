"""Layers of noise: statistics in training, nothing outside of it."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers
from tapegrad.layers.masking_state import get_mask, set_mask

X = np.random.default_rng(0).normal(size=(40, 50, 60))

NOISE = {
    "dropout": lambda **options: layers.Dropout(0.3, **options),
    "alpha": lambda **options: layers.AlphaDropout(0.3, **options),
    "gaussian_dropout": lambda **options: layers.GaussianDropout(0.3, **options),
    "gaussian_noise": lambda **options: layers.GaussianNoise(0.3, **options),
    "spatial": lambda **options: layers.SpatialDropout1D(0.3, **options),
}


@pytest.mark.parametrize("name", NOISE)
def test_nothing_happens_outside_of_training(name):
    layer = NOISE[name](dtype="float64")
    np.testing.assert_array_equal(layer(X), X)
    np.testing.assert_array_equal(layer(X, training=False), X)
    assert (layer(X, training=True).numpy() != X).any()
    assert layer.compute_output_shape((None, 50, 60)) == (None, 50, 60)
    assert layer.weights == []


@pytest.mark.parametrize("name", NOISE)
def test_seeds_and_descriptions(name):
    one, other = NOISE[name](seed=5), NOISE[name](seed=5)
    again = type(one).from_config(one.get_config())
    first = one(X, training=True).numpy()
    np.testing.assert_array_equal(other(X, training=True), first)
    np.testing.assert_array_equal(again(X, training=True), first)
    assert (one(X, training=True).numpy() != first).any()
    tg.set_seed(3)
    drawn = NOISE[name]()(X, training=True).numpy()
    tg.set_seed(3)
    np.testing.assert_array_equal(NOISE[name]()(X, training=True), drawn)


@pytest.mark.parametrize("name", NOISE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_masks_and_gradients(name, dtype):
    layer = NOISE[name](dtype=dtype, seed=1)
    x = set_mask(tg.tensor(X[:, :, :4].astype(dtype)), np.ones((40, 50), bool))
    with tg.Tape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    assert y.dtype == dtype
    assert get_mask(y) is get_mask(x)
    slope = tape.gradient(y, x).numpy()
    again = NOISE[name](dtype=dtype, seed=1)
    shift = again(tg.tensor(np.zeros_like(x.numpy())), training=True).numpy()
    np.testing.assert_allclose(slope * x.numpy() + shift, y.numpy(), atol=2e-6)


@pytest.mark.parametrize("name", ["dropout", "gaussian_dropout", "spatial"])
def test_factors_have_mean_one_and_the_right_variance(name):
    y = NOISE[name](seed=2, dtype="float64")(np.ones((400, 20, 50)), training=True).numpy()
    assert y.mean() == pytest.approx(1.0, abs=0.02)
    assert y.var() == pytest.approx(0.3 / 0.7, rel=0.05)


def test_gaussian_noise():
    noise = layers.GaussianNoise(0.3, seed=2, dtype="float64")(X, training=True).numpy() - X
    assert noise.mean() == pytest.approx(0.0, abs=0.005)
    assert noise.std() == pytest.approx(0.3, rel=0.01)
    assert abs(np.corrcoef(noise.ravel(), X.ravel())[0, 1]) < 0.01


def test_alpha_dropout_keeps_mean_and_variance():
    layer = layers.AlphaDropout(0.4, seed=2, dtype="float64")
    y = layer(X, training=True).numpy()
    assert y.mean() == pytest.approx(0.0, abs=0.01)
    assert y.std() == pytest.approx(1.0, abs=0.01)
    # Keras: a x + b where kept, a v + b where dropped.
    v = -1.0507009873554805 * 1.6732632423543772
    a = (0.6 * (1 + 0.4 * v**2)) ** -0.5
    dropped = np.isclose(y, a * v - a * v * 0.4)
    assert dropped.mean() == pytest.approx(0.4, abs=0.01)
    np.testing.assert_allclose(y[~dropped], a * X[~dropped] - a * v * 0.4, atol=1e-12)


@pytest.mark.parametrize("layer", [layers.Dropout, layers.AlphaDropout])
def test_noise_shapes(layer):
    x = np.full((6, 30, 5), 2.0)
    y = layer(0.5, noise_shape=(None, 1, 5), seed=1)(x, training=True).numpy()
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
    assert len(np.unique(y)) == 2
    with pytest.raises(ValueError, match=r"noise_shape \(4, 1, 5\) does not fit .*\(6, 30, 5\)"):
        layer(0.5, noise_shape=(4, 1, 5))(x, training=True)
    for wrong in ((0, 1), (1.5, 1), "ab"):
        with pytest.raises(ValueError, match="noise_shape must consist of positive whole numbers"):
            layer(0.5, noise_shape=wrong)


@pytest.mark.parametrize(
    ("layer", "shape", "shared"),
    [
        (layers.SpatialDropout1D(0.5, seed=3), (8, 7, 9), (1,)),
        (layers.SpatialDropout2D(0.5, seed=3), (8, 7, 6, 9), (1, 2)),
        (layers.SpatialDropout2D(0.5, "channels_first", seed=3), (8, 9, 7, 6), (2, 3)),
        (layers.SpatialDropout3D(0.5, seed=3), (8, 3, 4, 5, 9), (1, 2, 3)),
        (layers.SpatialDropout3D(0.5, "channels_first", seed=3), (8, 9, 3, 4, 5), (2, 3, 4)),
    ],
)
def test_spatial_dropout_drops_whole_maps(layer, shape, shared):
    y = layer(np.ones(shape), training=True).numpy()
    maps = y.min(axis=shared)
    np.testing.assert_array_equal(maps, y.max(axis=shared))
    assert set(np.unique(maps)) == {0.0, 2.0}
    assert 0.25 < (maps == 0).mean() < 0.75
    with pytest.raises(ValueError, match=f"expected {len(shape)} axes"):
        type(layer)(0.5)(np.ones((2, 3)))


def test_a_rate_of_one():
    assert not layers.Dropout(1.0)(X, training=True).numpy().any()
    for layer in (layers.GaussianDropout, layers.AlphaDropout):
        with pytest.raises(ValueError, match="rate must be below 1"):
            layer(1.0)


def test_wrong_arguments():
    for layer in (layers.Dropout, layers.AlphaDropout, layers.GaussianDropout):
        with pytest.raises(ValueError, match=rf"{layer.__name__}: rate must lie in \[0, 1\]"):
            layer(1.5)
    with pytest.raises(ValueError, match=r"SpatialDropout2D: rate must lie in \[0, 1\]"):
        layers.SpatialDropout2D(-0.1)
    with pytest.raises(ValueError, match="GaussianNoise: stddev must not be negative"):
        layers.GaussianNoise(-0.1)
    with pytest.raises(ValueError, match=r'"channels_lst".*Did you mean "channels_last"'):
        layers.SpatialDropout2D(0.5, "channels_lst")


def test_activity_regularization():
    layer = layers.ActivityRegularization(l1=0.5, l2=0.25)
    x = tg.Variable(np.array([[1.0, -2.0], [3.0, 0.0]]))
    with tg.Tape() as tape:
        y = layer(x)
        penalty = sum(layer.losses)
    np.testing.assert_array_equal(y, x.numpy())
    assert float(penalty) == (0.5 * 6 + 0.25 * 14) / 2
    np.testing.assert_allclose(tape.gradient(penalty, x), [[0.5, -0.75], [1.0, 0.0]])
    again = layers.ActivityRegularization.from_config(layer.get_config())
    again(x)
    assert float(again.losses[0]) == float(penalty)


def test_activity_regularization_in_training():
    model = tg.Sequential([layers.Dense(2), layers.ActivityRegularization(l2=1.0)])
    model.compile("sgd", "mse")
    x = np.ones((4, 3))
    y = model(x).numpy()
    loss = model.train_on_batch(x, y)
    assert loss == pytest.approx((y**2).sum() / 4, rel=1e-5)
