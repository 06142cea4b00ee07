"""Constraints project as Keras's do."""

from __future__ import annotations

import layer_reference
import numpy as np
import pytest

import tapegrad as tg
from tapegrad import constraints

CASES = {
    "max_norm": constraints.MaxNorm(1.0),
    "max_norm/axis": constraints.max_norm(1.0, axis=1),
    "min_max_norm": constraints.MinMaxNorm(0.9, 1.1, 0.7),
    "min_max_norm/axis": constraints.MinMaxNorm(0.9, 1.1, axis=[0, 1]),
    "non_neg": constraints.NonNeg(),
    "unit_norm": constraints.UnitNorm(),
    "unit_norm/axis": constraints.unit_norm(axis=1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("key", CASES)
def test_values(key: str, dtype: str):
    expected, _ = layer_reference.reference()
    result = CASES[key](tg.tensor(expected["functions/w"].astype(dtype)))
    assert result.dtype == dtype
    layer_reference.close(result, expected[f"constraints/{key}"], dtype)


@pytest.mark.parametrize("name", ["max_norm", "MinMaxNorm", "non_neg", "UnitNorm", "unit_norm"])
def test_names(name: str):
    constraint = constraints.get(name)
    again = type(constraint).from_config(constraint.get_config())
    w = np.array([[-3.0, 0.1], [4.0, 0.2]])
    np.testing.assert_array_equal(constraint(w), again(w))


def test_what_is_no_constraint():
    assert constraints.get(None) is None
    with pytest.raises(ValueError, match=r'"max_nrm".*Did you mean "max_norm"'):
        constraints.get("max_nrm")
    with pytest.raises(TypeError, match="not int"):
        constraints.get(3)


def test_constraints_act_after_updates():
    layer = tg.layers.Dense(2, kernel_constraint="min_max_norm", bias_constraint="non_neg")
    model = tg.Sequential([layer])
    model.compile("sgd", "mse")
    model.train_on_batch(np.ones((4, 3)), -10.0 * np.ones((4, 2)))
    assert (np.linalg.norm(layer.kernel.numpy(), axis=0) <= 1 + 1e-6).all()
    assert (layer.bias.numpy() >= 0).all()
