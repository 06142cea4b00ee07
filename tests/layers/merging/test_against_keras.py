"""Layers that join inputs compute what Keras 3 computes."""

from __future__ import annotations

import layer_reference
import pytest

CASES = layer_reference.names(
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_outputs_gradients_and_masks(name: str, dtype: str):
    layer_reference.check(name, dtype)


@pytest.mark.parametrize("name", CASES)
def test_shapes_and_descriptions(name: str):
    layer_reference.check_shapes(name)
