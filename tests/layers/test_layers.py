"""Dense, Dropout, Flatten, Activation, and what all layers share."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import activations, layers, regularizers

X = np.random.default_rng(0).normal(size=(5, 4))


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid", "softmax", "gelu"])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4), (0, 4)])
def test_dense(activation, use_bias, shape):
    layer = layers.Dense(3, activation, use_bias, bias_initializer="ones", dtype="float64")
    x = np.random.default_rng(1).normal(size=shape)
    y = layer(x)
    product = x @ layer.kernel.numpy() + (1.0 if use_bias else 0.0)
    assert y.shape == (*shape[:-1], 3)
    np.testing.assert_allclose(y.numpy(), activations.get(activation)(product).numpy(), atol=1e-12)
    assert len(layer.weights) == 1 + use_bias
    assert layer.compute_output_shape((None, *shape[1:])) == (None, *shape[1:-1], 3)


def test_dense_gradients():
    layer = layers.Dense(3, "tanh", dtype="float64")
    x = tg.Variable(X)
    with tg.Tape() as tape:
        y = layer(x).sum()
    gradients = tape.gradient(y, [x, *layer.trainable_variables])
    y = np.tanh(X @ layer.kernel.numpy())
    slope = 1 - y * y
    np.testing.assert_allclose(gradients[0].numpy(), slope @ layer.kernel.numpy().T)
    np.testing.assert_allclose(gradients[1].numpy(), X.T @ slope)
    np.testing.assert_allclose(gradients[2].numpy(), slope.sum(0))


def test_inputs_are_converted_to_the_layers_dtype():
    assert layers.Dense(2)(X).dtype == "float32"
    assert layers.Dense(2, dtype="float64")(X.astype("float32")).dtype == "float64"
    assert layers.Dense(2)(np.arange(8).reshape(2, 4)).dtype == "float32"
    assert layers.Dense(2)([[1.0, 2.0]]).dtype == "float32"
    assert layers.Dense(2)(tg.Variable(X)).dtype == "float32"
    assert layers.Flatten()(np.arange(8).reshape(2, 2, 2)).dtype.kind == "i"


def test_floatx_decides_the_default(float64):
    layer = layers.Dense(2)
    assert layer(X).dtype == "float64"
    assert layer.kernel.dtype == "float64"
    assert layer.dtype == "float64"


def test_dense_refuses_what_does_not_fit():
    layer = layers.Dense(3, name="mine")
    layer(X)
    with pytest.raises(ValueError, match=r"mine .*shape \(5, 3\).*\(4, 3\)"):
        layer(X[:, :3])
    with pytest.raises(ValueError, match="at least two axes"):
        layers.Dense(3)(X[0])
    with pytest.raises(ValueError, match="positive whole number"):
        layers.Dense(0)
    with pytest.raises(ValueError, match='Did you mean "relu"'):
        layers.Dense(3, "rellu")
    with pytest.raises(TypeError, match="no array"):
        layer([["a", "b"]])


def test_weights():
    layer = layers.Dense(3)
    with pytest.raises(ValueError, match="not built"):
        layer.count_params()
    layer.build((None, 4))
    assert layer.built
    assert layer.count_params() == 15
    assert [w.name for w in layer.weights] == ["kernel", "bias"]
    assert [w.shape for w in layer.trainable_variables] == [(4, 3), (3,)]
    weights = layer.get_weights()
    weights[0][:] = 7  # a copy
    assert not (layer.kernel.numpy() == 7).any()
    layer.set_weights([np.ones((4, 3)), np.zeros(3)])
    np.testing.assert_array_equal(layer.kernel.numpy(), 1)
    before = layer.get_weights()
    with pytest.raises(ValueError, match=r"bias has shape \(3,\).*\(4,\)"):
        layer.set_weights([np.zeros((4, 3)), np.zeros(4)])
    with pytest.raises(ValueError, match="got 1 arrays, but there are 2"):
        layer.set_weights([np.zeros((4, 3))])
    for old, new in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_trainable_can_be_switched():
    layer = layers.Dense(3)
    layer(X)
    layer.trainable = False
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 2
    with tg.Tape() as tape:
        y = layer(X).sum()
    assert tape.gradient(y, layer.weights) == [None, None]
    layer.trainable = True
    assert len(layer.trainable_weights) == 2
    frozen = layers.Dense(3, trainable=False)
    frozen(X)
    assert frozen.trainable_weights == []


def test_names_are_unique_unless_given():
    first, second = layers.Dense(1), layers.Dense(1)
    assert first.name != second.name
    assert first.name.startswith("dense")
    assert layers.Dense(1, name="head").name == "head"


def test_dropout():
    tg.set_seed(0)
    layer = layers.Dropout(0.25)
    x = np.ones((200, 100), np.float32)
    np.testing.assert_array_equal(layer(x).numpy(), x)
    y = layer(x, training=True).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert not np.array_equal(y, layer(x, training=True).numpy())
    tg.set_seed(0)
    np.testing.assert_array_equal(y, layer(x, training=True).numpy())


def test_dropout_gradient_has_the_mask():
    layer = layers.Dropout(0.5, seed=3, dtype="float64")
    x = tg.Variable(np.ones((6, 6)))
    with tg.Tape() as tape:
        y = layer(x, training=True)
        total = y.sum()
    np.testing.assert_array_equal(tape.gradient(total, x).numpy(), y.numpy())


def test_dropout_options():
    x = np.ones((8, 5, 6))
    y = layers.Dropout(0.5, noise_shape=(None, 1, 6), seed=0)(x, training=True).numpy()
    assert (y == y[:, :1]).all()
    assert (layers.Dropout(1.0)(x, training=True).numpy() == 0).all()
    assert (layers.Dropout(0.0)(x, training=True).numpy() == 1).all()
    with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\]"):
        layers.Dropout(1.5)


def test_flatten_and_activation():
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(layers.Flatten()(x).numpy(), x.reshape(2, 12))
    first = layers.Flatten(data_format="channels_first")(x).numpy()
    np.testing.assert_array_equal(first, np.moveaxis(x, 1, -1).reshape(2, 12))
    assert layers.Flatten().compute_output_shape((None, 3, 4)) == (None, 12)
    assert layers.Flatten().compute_output_shape((None, None, 4)) == (None, None)
    np.testing.assert_array_equal(layers.Activation("relu")(-x).numpy(), np.zeros_like(x))
    assert layers.Activation("relu").compute_output_shape((None, 3)) == (None, 3)


def test_penalties():
    layer = layers.Dense(
        3,
        kernel_regularizer="l2",
        bias_regularizer=regularizers.L1(0.5),
        activity_regularizer=regularizers.L2(0.1),
        bias_initializer="ones",
        dtype="float64",
    )
    for _ in range(3):  # penalties of earlier calls do not pile up
        y = layer(X).numpy()
    activity, kernel, bias = [float(loss) for loss in layer.losses]
    assert activity == pytest.approx(0.1 * (y**2).sum() / len(X))
    assert kernel == pytest.approx(0.01 * (layer.kernel.numpy() ** 2).sum())
    assert bias == pytest.approx(1.5)


def test_custom_layers_need_no_registration():
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [layers.Dense(4, "relu"), layers.Dropout(0.5)]
            self.named = {"head": layers.Dense(2)}
            self.scale = tg.Variable(2.0, name="scale")

        def call(self, inputs):
            for part in self.parts:
                inputs = part(inputs)
            return self.named["head"](inputs) * self.scale

    block = Block()
    assert block(X).shape == (5, 2)
    assert list(block.named_weights()) == [
        "scale",
        "parts/0/kernel",
        "parts/0/bias",
        "named/head/kernel",
        "named/head/bias",
    ]
    assert block.compute_output_shape((None, 4)) == (None, 2)
    # Inner layers learn from the outer call whether it trains.
    tg.set_seed(0)
    assert not np.array_equal(block(X, training=True).numpy(), block(X).numpy())
    block.trainable = False
    assert [v.name for v in block.trainable_weights] == ["scale"]


def test_add_weight():
    layer = layers.Layer()
    counter = layer.add_weight((), dtype="int64", trainable=False, name="counter")
    kernel = layer.add_weight((2, 2), name="kernel")
    assert int(counter) == 0
    assert layer.trainable_weights[0] is kernel
    assert layer.non_trainable_weights[0] is counter
    with pytest.raises(ValueError, match="unknown length"):
        layer.add_weight((None, 3), name="kernel")
    with pytest.raises(NotImplementedError, match=r"call\(\)"):
        layer(X)
