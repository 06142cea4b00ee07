"""Every activation of Keras 3 has Keras's values and slopes."""

from __future__ import annotations

import layer_cases
import layer_reference
import numpy as np
import pytest

import tapegrad as tg
from tapegrad import activations
from tapegrad.test_util import check_grads

# Those with arguments, under the names of the reference.
ARGUMENTS = {
    "celu/alpha": {"alpha": 0.5},
    "elu/alpha": {"alpha": 0.5},
    "gelu/approximate": {"approximate": True},
    "glu/axis": {"axis": 0},
    "hard_shrink/threshold": {"threshold": 1.0},
    "leaky_relu/slope": {"negative_slope": 0.4},
    "log_softmax/axis": {"axis": 0},
    "relu/all": {"negative_slope": 0.2, "max_value": 1.5, "threshold": 0.4},
    "soft_shrink/threshold": {"threshold": 1.0},
    "softmax/axis": {"axis": 0},
    "sparsemax/axis": {"axis": 0},
    "squareplus/b": {"b": 0.5},
    "threshold": {"threshold": 0.3, "default_value": -1.5},
}
NAMES = sorted(set(activations.__all__) - {"deserialize", "get", "serialize", "threshold"})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("key", [*NAMES, *ARGUMENTS])
def test_values_and_slopes(key: str, dtype: str):
    expected, _ = layer_reference.reference()
    function = activations.get(key.partition("/")[0])
    x = tg.tensor(expected["activations/x"].astype(dtype))
    with tg.Tape() as tape:
        tape.watch(x)
        y = function(x, **ARGUMENTS.get(key, {}))
        loss = (y * layer_cases.output_gradient(y.shape).astype(dtype)).sum()
    assert y.dtype == dtype
    layer_reference.close(y, expected[f"activations/{key}"], dtype)
    slope = tape.gradient(loss, x)
    layer_reference.close(slope, expected[f"activations/{key}/gradient"], dtype)


@pytest.mark.parametrize("key", [*NAMES, *ARGUMENTS])
def test_gradients_of_second_order(key: str):
    x = layer_reference.reference()[0]["activations/x"]
    function = activations.get(key.partition("/")[0])
    check_grads(lambda x: function(x, **ARGUMENTS.get(key, {})), modes=("rev",), order=2)(x)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"exponential", "glu"}))
def test_extremes_are_finite(name: str):
    x = tg.Variable(np.array([-1000.0, -1.0, 0.0, 1.0, 1000.0], dtype=np.float32))
    with tg.Tape() as tape:
        y = activations.get(name)(x)
        loss = y.sum()
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(tape.gradient(loss, x).numpy()).all()


def test_names():
    assert activations.get("swish") is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    assert activations.get(None) is activations.linear
    layer = tg.layers.ReLU()
    assert activations.get(layer) is layer
    with pytest.raises(ValueError, match=r'"squareplu".*Did you mean "squareplus"'):
        activations.get("squareplu")
    with pytest.raises(TypeError, match="not int"):
        activations.get(3)


def test_glu_refuses_odd_lengths():
    with pytest.raises(ValueError, match=r"glu: axis -1 of shape \(2, 3\) has the odd length 3"):
        activations.glu(np.ones((2, 3)))
