"""Values and slopes of activation functions."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import activations
from tapegrad.test_util import check_grads

NAMES = [
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
    "silu",
    "gelu",
    "softplus",
    "softsign",
    "exponential",
    "softmax",
    "log_softmax",
    "linear",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_values_of_keras(keras_reference, name, dtype, tolerance):
    x = keras_reference["activations/x"].astype(dtype)
    result = activations.get(name)(tg.tensor(x))
    assert result.dtype == dtype
    expected = keras_reference[f"activations/{name}"]
    scale = np.maximum(1.0, np.abs(expected))
    np.testing.assert_allclose(result.numpy() / scale, expected / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_gradients(keras_reference, name):
    check_grads(activations.get(name), modes=("rev",), order=2)(keras_reference["activations/x"])


@pytest.mark.parametrize("name", ["elu", "selu", "softplus", "silu", "sigmoid", "gelu"])
def test_slopes_at_extremes_are_finite(name):
    x = tg.Variable(np.array([-1000.0, 1000.0]))
    with tg.Tape() as tape:
        y = activations.get(name)(x).sum()
    assert np.isfinite(tape.gradient(y, x).numpy()).all()


def test_softmax_and_sigmoid_remember_their_logits():
    x = tg.tensor([[1.0, 2.0]])
    for function in (activations.softmax, activations.sigmoid):
        name, logits = function(x)._origin
        assert name == function.__name__
        assert logits is x
    assert activations.softmax(tg.tensor(np.ones((2, 2, 2))), axis=1)._origin is None


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(ValueError, match='Did you mean "softmax"'):
        activations.get("sotfmax")
    assert activations.get(None) is activations.linear
