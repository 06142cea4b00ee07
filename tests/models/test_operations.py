"""Operations called on the outputs of layers become parts of the network."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import layers, ops

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
Z = np.random.default_rng(1).normal(size=(3, 2, 4)).astype("float32")
W = np.arange(8.0, dtype="float32").reshape(4, 2)

CASES = {
    "relu": lambda x, z: ops.relu(x),
    "exp": lambda x, z: ops.exp(x),
    "maximum": lambda x, z: ops.maximum(0.5, x),
    "where": lambda x, z: ops.where(x > 0, x, -x),
    "concatenate": lambda x, z: ops.concatenate([x, x + 1], axis=-1),
    "stack": lambda x, z: ops.stack([x, x], axis=1),
    "split": lambda x, z: ops.split(x, 2, axis=1)[1],
    "mean": lambda x, z: ops.mean(z, axis=1, keepdims=True),
    "sum": lambda x, z: ops.sum(z, axis=(1, 2)),
    "max": lambda x, z: ops.max(x, axis=-1),
    "std": lambda x, z: ops.std(x, axis=-1),
    "norm": lambda x, z: ops.norm(x, axis=1),
    "argmax": lambda x, z: ops.argmax(x, axis=-1),
    "reshape": lambda x, z: ops.reshape(z, (-1, 8)),
    "transpose": lambda x, z: ops.transpose(z, (0, 2, 1)),
    "expand_dims": lambda x, z: ops.squeeze(ops.expand_dims(x, 1), 1),
    "matmul": lambda x, z: ops.matmul(z, W),
    "tensordot": lambda x, z: ops.tensordot(z, W, axes=1),
    "attention by hand": lambda x, z: ops.matmul(
        ops.softmax(ops.matmul(z, ops.transpose(z, (0, 2, 1))) / 2.0), z
    ),
    "softmax": lambda x, z: ops.log_softmax(x),
    "clip": lambda x, z: ops.clip(x, -0.5, 0.5),
    "cumsum": lambda x, z: ops.cumsum(x, axis=1),
    "take": lambda x, z: ops.take(x, [0, 2], axis=1),
    "tile": lambda x, z: ops.tile(x, (1, 2)),
    "flip": lambda x, z: ops.flip(z, 1),
    "pad": lambda x, z: ops.pad(x, ((0, 0), (1, 1))),
    "cast": lambda x, z: ops.cast(x, "int64"),
    "zeros_like": lambda x, z: ops.zeros_like(x),
    "one_hot": lambda x, z: ops.one_hot(ops.argmax(x, axis=-1), 4),
}


def network(function):
    x, z = tg.Input((4,), name="x"), tg.Input((2, 4), name="z")
    return tg.Model([x, z], function(x, z))


@pytest.mark.parametrize("key", CASES)
def test_same_as_on_tensors(key):
    model = network(CASES[key])
    found = model([X, Z])
    expected = CASES[key](tg.tensor(X), tg.tensor(Z))
    assert model.output_shape == (None, *expected.shape[1:])
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


def test_trained_and_saved(tmp_path):
    inputs = tg.Input((2, 4))
    x = ops.reshape(ops.relu(layers.Dense(3)(inputs)), (-1, 6))
    x = ops.concatenate([x, ops.mean(inputs, axis=1)], axis=-1)
    model = tg.Model(inputs, layers.Dense(1)(x))
    model.compile("adam", "mse")
    before = model.layers[1].get_weights()[0]
    model.fit(Z, X[:, :1], verbose=0)
    assert (model.layers[1].get_weights()[0] != before).any()
    model.save(tmp_path / "model.tapegrad")
    loaded = tg.load_model(tmp_path / "model.tapegrad")
    np.testing.assert_array_equal(loaded.predict(Z, verbose=0), model.predict(Z, verbose=0))


def test_errors_of_operations_stay_theirs():
    with pytest.raises(ValueError, match="axis 7 is out of bounds"):
        ops.mean(tg.tensor(X), axis=7)
    with pytest.raises(ValueError, match="axis 7 is out of bounds"):
        ops.mean(tg.Input((4,)), axis=7)
    with pytest.raises(TypeError, match="symbolic tensor has no values"):
        np.asarray(tg.Input((4,)))
