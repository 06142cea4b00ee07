"""Matrix products on the GPU: tiled gemm with a fused epilogue, batched matmul, dense.

A block of threads computes one tile of C. It walks along k in steps: the threads
bring a slice of A and of B into shared memory together, and each multiplies its
own small sub-tile from there in registers [1]_. While one slice is multiplied,
the next is already on its way from global memory, and two buffers in shared
memory make one barrier a step enough. Edges are filled with zeros, so the inner
loop knows no bounds.

Transposition costs nothing: an operand is a view with its strides swapped, and
the kernel is compiled for the axis along which its memory is contiguous, so that
neighbouring threads read neighbouring elements.

.. [1] V. Volkov and J. Demmel, "Benchmarking GPUs to tune dense linear algebra",
   SC 2008.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from tapegrad_kernels.cuda import arrays, elementwise, layout
from tapegrad_kernels.cuda.shim import (
    SHARED_ALIGNMENT,
    Specimen,
    cuda,
    device_function,
    kernel,
    specimens,
)

ACTIVATIONS = (None, "linear", "relu", "tanh", "sigmoid")
"""What `gemm` and `dense` can apply to their result."""

_MOST_BATCHES = 65_535  # limit of the grid's third axis


@dataclass(frozen=True)
class Tiling:
    """How a product is cut up.

    Attributes
    ----------
    m, n, k : int
        Tile of C that a block computes, and the depth of one step.
    micro : int
        Each thread computes ``micro × micro`` elements of it.
    """

    m: int
    n: int
    k: int
    micro: int

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return (self.m // self.micro) * (self.n // self.micro)


LARGE = {
    "float32": Tiling(128, 128, 8, 8),
    "float64": Tiling(64, 64, 8, 4),
}
MEDIUM = Tiling(64, 64, 16, 4)
SMALL = Tiling(32, 32, 16, 4)

_WANTED_BLOCKS = 96
"""Enough blocks to give each multiprocessor of a large GPU work; below, smaller tiles."""


def choose_tiling(dtype: str, m: int, n: int, batches: int) -> Tiling:
    """The largest tiling that still makes enough blocks for the whole GPU.

    Examples
    --------
    >>> choose_tiling("float32", 4096, 4096, 1) == LARGE["float32"]
    True
    >>> choose_tiling("float32", 32, 10, 1) == SMALL
    True
    """
    for tiling in (LARGE.get(dtype, MEDIUM), MEDIUM):
        if -(-m // tiling.m) * -(-n // tiling.n) * batches >= _WANTED_BLOCKS:
            return tiling
    return SMALL


@functools.cache
def _product_kernel(
    dtype: str, tiling: Tiling, a_along_k: bool, b_along_n: bool, activation: str | None
) -> Any:
    """Kernel for one dtype, tiling, memory order of both operands, and activation."""
    element = getattr(numba, dtype)
    zero = np.dtype(dtype).type(0)
    tile_m, tile_n, tile_k, micro = tiling.m, tiling.n, tiling.k, tiling.micro
    threads = tiling.threads
    columns = tile_n // micro  # of threads
    loads_a = tile_m * tile_k // threads
    loads_b = tile_n * tile_k // threads
    # A thread's rows and columns come in groups of four neighbours, the groups far
    # apart: one 128-bit read a group, and a warp's reads fall into different banks.
    group = 4
    groups = micro // group
    group_m, group_n = tile_m // groups, tile_n // groups
    # Padding by four keeps rows aligned and spreads transposed stores over the banks.
    shape_a = (2, tile_k, tile_m + 4)
    shape_b = (2, tile_k, tile_n + 4)
    finish = _epilogue(activation, dtype)

    @kernel(threads=threads)
    def product(a, b, bias, out, depth, use_bias, accumulate):  # type: ignore[no-untyped-def]
        shared_a = cuda.shared.array(shape_a, element, alignment=SHARED_ALIGNMENT)
        shared_b = cuda.shared.array(shape_b, element, alignment=SHARED_ALIGNMENT)
        sums = cuda.local.array((micro, micro), element)
        next_a = cuda.local.array(loads_a, element)
        next_b = cuda.local.array(loads_b, element)
        column_a = cuda.local.array(micro, element)
        row_b = cuda.local.array(micro, element)

        thread = cuda.threadIdx.x
        batch = cuda.blockIdx.z
        first_row = cuda.blockIdx.y * tile_m
        first_column = cuda.blockIdx.x * tile_n
        rows, width = out.shape[1], out.shape[2]
        thread_row = thread // columns
        thread_column = thread % columns

        for i in range(micro):
            for j in range(micro):
                sums[i, j] = zero

        steps = (depth + tile_k - 1) // tile_k
        for step in range(-1, steps):
            # Fetch the slice of the next step into registers …
            if step + 1 < steps:
                start = (step + 1) * tile_k
                for load in range(loads_a):
                    place = load * threads + thread
                    if a_along_k:
                        p, i = place % tile_k, place // tile_k
                    else:
                        i, p = place % tile_m, place // tile_m
                    if first_row + i < rows and start + p < depth:
                        next_a[load] = a[batch, first_row + i, start + p]
                    else:
                        next_a[load] = zero
                for load in range(loads_b):
                    place = load * threads + thread
                    if b_along_n:
                        j, p = place % tile_n, place // tile_n
                    else:
                        p, j = place % tile_k, place // tile_k
                    if first_column + j < width and start + p < depth:
                        next_b[load] = b[batch, start + p, first_column + j]
                    else:
                        next_b[load] = zero
            # … multiply the slice of this one …
            if step >= 0:
                half = step & 1
                for p in range(tile_k):
                    for g in range(groups):
                        for i in range(group):
                            column_a[g * group + i] = shared_a[
                                half, p, g * group_m + thread_row * group + i
                            ]
                            row_b[g * group + i] = shared_b[
                                half, p, g * group_n + thread_column * group + i
                            ]
                    for i in range(micro):
                        for j in range(micro):
                            sums[i, j] += column_a[i] * row_b[j]
            # … and leave the next in the other half of shared memory.
            if step + 1 < steps:
                half = (step + 1) & 1
                for load in range(loads_a):
                    place = load * threads + thread
                    if a_along_k:
                        p, i = place % tile_k, place // tile_k
                    else:
                        i, p = place % tile_m, place // tile_m
                    shared_a[half, p, i] = next_a[load]
                for load in range(loads_b):
                    place = load * threads + thread
                    if b_along_n:
                        j, p = place % tile_n, place // tile_n
                    else:
                        p, j = place % tile_k, place // tile_k
                    shared_b[half, p, j] = next_b[load]
                cuda.syncthreads()

        for i in range(micro):
            row = first_row + (i // group) * group_m + thread_row * group + i % group
            if row < rows:
                for j in range(micro):
                    column = first_column + (j // group) * group_n
                    column += thread_column * group + j % group
                    if column < width:
                        value = sums[i, j]
                        if accumulate:
                            value += out[batch, row, column]
                        if use_bias:
                            value += bias[column]
                        out[batch, row, column] = finish(value)

    return product
