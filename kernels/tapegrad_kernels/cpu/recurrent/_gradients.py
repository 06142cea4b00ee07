"""Gradients of what is shared by all steps: products over all of them at the end.

The left factors of the gradients of W, U and b stand side by side, so that one product of these
reads the gradients by the gates once: ``[1 | x | h | 1]``, the last three in the order of a
layer's weights. The first belongs to x where the products of x and of h are apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64
from tapegrad_kernels.cpu.gemm import gemm

Array = NDArray[Any]

ONE = {dtype: np.ones(1, dtype) for dtype in (FLOAT32, FLOAT64)}
"""The left factor of the gradient by b."""


def left_factors(x: Array, units: int, masks: int) -> Array:
    """Memory for the left factors, once for each mask of recurrent dropout."""
    batch, steps, features = x.shape
    return np.empty((max(1, masks), batch, steps, features + units + 2), x.dtype)


def as_rows(sequence: Array) -> Array:
    """The steps of all samples, one below the other."""
    return sequence.reshape(sequence.shape[0] * sequence.shape[1], sequence.shape[2])


def of_inputs(x: Array, w: Array, d_gates: Array) -> Array:
    """Gradient by x."""
    return gemm(as_rows(d_gates), w, transpose_b=True).reshape(x.shape)


def of_weights(d_gates: Array, left: Array, units: int) -> tuple[Array, Array, Array]:
    """Gradients by w, u and b."""
    rows, factors = as_rows(d_gates), [as_rows(part) for part in left]
    states = left.shape[-1] - units - 1
    if len(factors) == 1:
        product = gemm(factors[0][:, 1:], rows, transpose_a=True)
        return product[: states - 1], product[states - 1 : -1], product[-1]
    others = gemm(factors[0][:, :states], rows, transpose_a=True)
    return others[1:], of_states(rows, [factor[:, states:-1] for factor in factors]), others[0]


def of_states(rows: Array, factors: list[Array]) -> Array:
    """Gradient by u: the products of its left factors.

    There is a left factor for all columns or, with masks of recurrent dropout, one for each
    gate. With one column more than units, the last row is that by what is added to the products.
    """
    width = rows.shape[1] // len(factors)
    parts = [
        gemm(factor, rows[:, k * width : (k + 1) * width], transpose_a=True)
        for k, factor in enumerate(factors)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
