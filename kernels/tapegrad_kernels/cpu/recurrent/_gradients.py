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
from tapegrad_kernels.cpu.gemm.interface import multiply_panels
from tapegrad_kernels.cpu.gemm.microkernel import tile_for

Array = NDArray[Any]

ONE = {dtype: np.ones(1, dtype) for dtype in (FLOAT32, FLOAT64)}
"""The left factor of the gradient by b."""
PANEL_PRODUCTS = 1_000_000
"""Multiplications with U from which on gradients by the gates are written in panels."""


def left_factors(x: Array, units: int, masks: int) -> Array:
    """Memory for the left factors, once for each mask of recurrent dropout."""
    return np.empty(factors_shape(x.shape, units, masks), x.dtype)


def factors_shape(shape: tuple[int, ...], units: int, masks: int) -> tuple[int, ...]:
    """Shape of the left factors for x of a shape; rows are an odd number of elements apart."""
    batch, steps, features = shape
    # Gemm reads columns in place: at powers of two they would share the cache's few sets.
    return max(1, masks), batch, steps, (features + units + 2) | 1


def gates_shape(x: Any, u: Any, in_panels: bool) -> tuple[tuple[int, ...], int]:
    """Shape of the gradients by the gates, and the rows of a panel of them; 0 without panels.

    They can be written as the product with the left factors reads them, if nothing else does.
    Takes arrays, or operands of a program.
    """
    batch, steps, _ = x.shape
    columns = u.shape[1]
    if not in_panels or batch * steps * u.size < PANEL_PRODUCTS:
        return (batch, steps, columns), 0
    width = tile_for(x.dtype.name).columns
    # With an odd number of rows, panels do not begin in the same few sets of the cache.
    panel_rows = batch * steps | 1
    return (-(-columns // width), panel_rows, width), panel_rows


def as_rows(sequence: Array) -> Array:
    """The steps of all samples, one below the other."""
    return sequence.reshape(sequence.shape[0] * sequence.shape[1], sequence.shape[2])


def of_inputs(x: Array, w: Array, d_gates: Array) -> Array:
    """Gradient by x."""
    return gemm(as_rows(d_gates), w, transpose_b=True).reshape(x.shape)


def of_weights(
    d_gates: Array, left: Array, w: Array, u: Array, panel_rows: int
) -> tuple[Array, Array, Array]:
    """Gradients by w, u and b; `panel_rows` is from `gates_shape`."""
    states = w.shape[0] + 1
    last = states + u.shape[0]
    if left.shape[0] == 1:
        factor = left.reshape(-1, left.shape[3])[:, 1 : last + 1]
        if panel_rows:
            product = multiply_panels(factor, d_gates, u.shape[1])
        else:
            product = gemm(factor, as_rows(d_gates), transpose_a=True)
        return product[: states - 1], product[states - 1 : -1], product[-1]
    rows, factors = as_rows(d_gates), [as_rows(part) for part in left]
    others = gemm(factors[0][:, :states], rows, transpose_a=True)
    return others[1:], of_states(rows, [part[:, states:last] for part in factors]), others[0]


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
