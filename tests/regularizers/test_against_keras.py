"""Regularizers have Keras's values and slopes."""

from __future__ import annotations

import layer_reference
import numpy as np
import pytest

import tapegrad as tg
from tapegrad import regularizers

CASES = {
    "l1": regularizers.L1(0.3),
    "l2": regularizers.L2(0.2),
    "l1_l2": regularizers.L1L2(0.3, 0.2),
    "orthogonal/rows": regularizers.OrthogonalRegularizer(0.4),
    "orthogonal/columns": regularizers.orthogonal_regularizer(0.4, "columns"),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("key", CASES)
def test_values_and_slopes(key: str, dtype: str):
    expected, _ = layer_reference.reference()
    w = tg.tensor(expected["functions/w"].astype(dtype))
    with tg.Tape() as tape:
        tape.watch(w)
        penalty = CASES[key](w)
    assert penalty.dtype == dtype
    layer_reference.close(penalty, expected[f"regularizers/{key}"], dtype)
    slope = tape.gradient(penalty, w)
    layer_reference.close(slope, expected[f"regularizers/{key}/gradient"], dtype)


@pytest.mark.parametrize("key", CASES)
def test_descriptions(key: str):
    again = type(CASES[key]).from_config(CASES[key].get_config())
    w = np.arange(6.0).reshape(2, 3)
    assert float(again(w)) == float(CASES[key](w))


def test_orthogonal_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="expected a matrix"):
        regularizers.OrthogonalRegularizer()(np.ones(3))
    with pytest.raises(ValueError, match="fewer than two rows"):
        regularizers.OrthogonalRegularizer()(np.ones((1, 3)))
    with pytest.raises(ValueError, match='Did you mean "rows"'):
        regularizers.OrthogonalRegularizer(mode="row")
    with pytest.raises(ValueError, match="factor must be finite"):
        regularizers.OrthogonalRegularizer(-1.0)
    assert type(regularizers.get("orthogonal_regularizer")).__name__ == "OrthogonalRegularizer"
