"""Gradients of what is shared by all steps: products over all of them at the end.

The left factors of the gradients of U, b and W may stand side by side, ``[h | 1 | x]``. One
product of these reads the gradients by the gates once, which pays where gates are many.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels.cpu.gemm import gemm
from tapegrad_kernels.cpu.reductions import sum as sum_over

Array = NDArray[Any]


def of_recurrent_weights(d_gates: Array, left: Array) -> Array:
    """Gradient by U from that by the gates, as rows, and the left factors of its product."""
    masks, units = len(left), left.shape[-1]
    if masks == 1:
        return gemm(left.reshape(len(d_gates), units), d_gates, transpose_a=True)
    parts = [
        gemm(
            left[k].reshape(len(d_gates), units),
            d_gates[:, k * units : (k + 1) * units],
            transpose_a=True,
        )
        for k in range(masks)
    ]
    return np.concatenate(parts, axis=1)


def of_inputs(x: Array, w: Array, d_gates: Array, inputs: bool, weights: bool) -> list[Array]:
    """Gradients by x and w, of those that are wanted."""
    features = w.shape[0]
    gradients = []
    if inputs:
        gradients.append(gemm(d_gates, w, transpose_b=True).reshape(x.shape))
    if weights:
        rows = x.reshape(len(d_gates), features)
        gradients.append(gemm(rows, d_gates, transpose_a=True))
    return gradients


def of_weights(x: Array, w: Array, d_gates: Array, left: Array | None, inputs: bool) -> list[Array]:
    """Gradients by x if `inputs`, and by w, u and b unless `left` is None."""
    rows = d_gates.reshape(x.shape[0] * x.shape[1], w.shape[1])
    gradients = of_inputs(x, w, rows, inputs, left is not None)
    if left is not None:
        gradients += [of_recurrent_weights(rows, left), sum_over(rows, axis=0)]
    return gradients


def joined_left(x: Array, units: int) -> Array:
    """Memory for the left factors of the gradients of U, b and W side by side."""
    batch, steps, features = x.shape
    return np.empty((1, batch, steps, units + 1 + features), x.dtype)


def of_joined_weights(x: Array, w: Array, d_gates: Array, left: Array, inputs: bool) -> list[Array]:
    """Gradients by x if `inputs`, and by w, u and b, whose left factors stand side by side."""
    rows = d_gates.reshape(x.shape[0] * x.shape[1], w.shape[1])
    gradients = of_inputs(x, w, rows, inputs, False)
    product = gemm(left.reshape(len(rows), left.shape[-1]), rows, transpose_a=True)
    units = left.shape[-1] - 1 - x.shape[2]
    return [*gradients, product[units + 1 :], product[:units], product[units]]
