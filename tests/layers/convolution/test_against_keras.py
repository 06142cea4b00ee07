"""Convolution layers compute what Keras 3 computes."""

from __future__ import annotations

import pytest
from spatial_reference import Case, cases

CASES = cases("Conv")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_outputs_and_gradients(case: Case, dtype: str):
    case.check(dtype)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_output_shapes(case: Case):
    case.check_shapes()
