"""Gradients of what is shared by all steps: one product over all of them at the end."""

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


def of_weights(
    x: Array, w: Array, d_gates: Array, left: Array, inputs: bool, weights: bool
) -> list[Array]:
    """Gradients by x, w, u and b, of those that are wanted."""
    rows = d_gates.reshape(x.shape[0] * x.shape[1], w.shape[1])
    gradients = of_inputs(x, w, rows, inputs, weights)
    if weights:
        gradients += [of_recurrent_weights(rows, left), sum_over(rows, axis=0)]
    return gradients
