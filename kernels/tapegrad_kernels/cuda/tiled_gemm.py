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

from tapegrad_kernels.cuda import arrays, elementwise, layout, library
from tapegrad_kernels.cuda.shim import (
    SHARED_ALIGNMENT,
    SIMULATED,
    Specimen,
    cuda,
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
SIMULATED_SMALL = Tiling(16, 16, 8, 4)
"""The simulator pays for each thread; the tests run the others there once each."""

_WANTED_BLOCKS = 96
"""Enough blocks to give each multiprocessor of a large GPU work; below, smaller tiles."""


def choose_tiling(dtype: str, m: int, n: int, batches: int) -> Tiling:
    """The largest tiling that still makes enough blocks for the whole GPU.

    Examples
    --------
    >>> choose_tiling("float32", 4096, 4096, 1) == LARGE["float32"]
    True
    >>> choose_tiling("float32", 300, 10, 1) in (SMALL, SIMULATED_SMALL)
    True
    """
    for tiling in (LARGE.get(dtype, MEDIUM), MEDIUM):
        if -(-m // tiling.m) * -(-n // tiling.n) * batches >= _WANTED_BLOCKS:
            return tiling
    return SIMULATED_SMALL if SIMULATED else SMALL


@functools.cache
def _epilogue(activation: str | None, dtype: str) -> Any:
    """Device function that finishes one element of C."""
    if activation in (None, "linear"):
        return elementwise.identity
    return getattr(library.shared(dtype), activation)


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
    # Neighbouring threads read along the contiguous axis. A thread keeps its place on
    # that axis and moves along the other by a fixed step from one load to the next.
    loads_a, loads_b = tile_m * tile_k // threads, tile_n * tile_k // threads
    width_a = tile_k if a_along_k else tile_m
    width_b = tile_n if b_along_n else tile_k
    step_a, step_b = threads // width_a, threads // width_b
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

        # Unsigned numbers cannot be negative indices, which would be counted from the end.
        thread = np.uint32(cuda.threadIdx.x)
        batch = np.uint32(cuda.blockIdx.z)
        first_row = np.uint32(cuda.blockIdx.y) * tile_m
        first_column = np.uint32(cuda.blockIdx.x) * tile_n
        rows, width = out.shape[1], out.shape[2]
        thread_row = (thread // columns) * group
        thread_column = (thread % columns) * group
        near_a, far_a = thread % width_a, thread // width_a
        near_b, far_b = thread % width_b, thread // width_b

        for i in range(micro):
            for j in range(micro):
                sums[i, j] = zero

        steps = (depth + tile_k - 1) // tile_k
        for step in range(-1, steps):
            more = step + 1 < steps
            # Fetch the slice of the next step into registers …
            if more:
                start = np.uint32((step + 1) * tile_k)
                for load in range(loads_a):
                    if a_along_k:
                        p, i = near_a, far_a + load * step_a
                    else:
                        i, p = near_a, far_a + load * step_a
                    next_a[load] = zero
                    if first_row + i < rows and start + p < depth:
                        next_a[load] = a[batch, first_row + i, start + p]
                for load in range(loads_b):
                    if b_along_n:
                        j, p = near_b, far_b + load * step_b
                    else:
                        p, j = near_b, far_b + load * step_b
                    next_b[load] = zero
                    if first_column + j < width and start + p < depth:
                        next_b[load] = b[batch, start + p, first_column + j]
            # … multiply the slice of this one …
            if step >= 0:
                half = np.uint32(step & 1)
                for p in range(tile_k):
                    for g in range(groups):
                        for i in range(group):
                            column_a[g * group + i] = shared_a[
                                half, p, thread_row + (g * group_m + i)
                            ]
                        for i in range(group):
                            row_b[g * group + i] = shared_b[
                                half, p, thread_column + (g * group_n + i)
                            ]
                    for i in range(micro):
                        for j in range(micro):
                            sums[i, j] += column_a[i] * row_b[j]
            # … and leave the next in the other half of shared memory.
            if more:
                half = np.uint32((step + 1) & 1)
                for load in range(loads_a):
                    if a_along_k:
                        shared_a[half, near_a, far_a + load * step_a] = next_a[load]
                    else:
                        shared_a[half, far_a + load * step_a, near_a] = next_a[load]
                for load in range(loads_b):
                    if b_along_n:
                        shared_b[half, far_b + load * step_b, near_b] = next_b[load]
                    else:
                        shared_b[half, near_b, far_b + load * step_b] = next_b[load]
                cuda.syncthreads()

        if micro > group:
            # The loops below are too long to unroll, and what a variable indexes cannot
            # be in registers. A copy in memory keeps the sums themselves there until now.
            parked = cuda.local.array((micro, micro), element)
            for i in range(micro):
                for j in range(micro):
                    parked[i, j] = sums[i, j]
        else:
            parked = sums
        for i in range(micro):
            row = first_row + (i // group) * group_m + thread_row + i % group
            if row < rows:
                for j in range(micro):
                    column = first_column + (j // group) * group_n + thread_column + j % group
                    if column < width:
                        value = parked[i, j]
                        if accumulate:
                            value += out[batch, row, column]
                        if use_bias:
                            value += bias[column]
                        out[batch, row, column] = finish(value)

    return product


def _check_activation(name: str, activation: str | None) -> None:
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"{name}: activation is {activation!r}; the choice is "
            + ", ".join(repr(known) for known in ACTIVATIONS)
        )


def _transposed(x: Any) -> Any:
    """View with the last two axes swapped."""
    return layout.permute(x, [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2])


def _multiply(
    a: Any,
    b: Any,
    out: Any,
    *,
    bias: Any = None,
    activation: str | None = None,
    accumulate: bool = False,
    tiling: Tiling | None = None,
) -> None:
    """``out (+)= a @ b`` for arrays with three axes of one dtype; `out` in C order."""
    batches, rows, depth = a.shape
    width = b.shape[2]
    if out.size == 0:
        return
    dtype = out.dtype.name
    tiling = tiling or choose_tiling(dtype, rows, width, batches)
    product = _product_kernel(
        dtype,
        tiling,
        abs(a.strides[2]) <= abs(a.strides[1]),
        abs(b.strides[2]) <= abs(b.strides[1]),
        None if activation == "linear" else activation,
    )
    grid_columns, grid_rows = -(-width // tiling.n), -(-rows // tiling.m)
    offset_vector = arrays.flat(out) if bias is None else bias
    for first in range(0, batches, _MOST_BATCHES):
        count = min(_MOST_BATCHES, batches - first)
        parts = [
            arrays.view(x, (count, *x.shape[1:]), x.strides, first * x.strides[0])
            for x in (a, b, out)
        ]
        product[(grid_columns, grid_rows, count), tiling.threads](
            parts[0], parts[1], offset_vector, parts[2], depth, bias is not None, accumulate
        )


def _as_batches(x: Any, batch_shape: tuple[int, ...]) -> Any:
    """`x` repeated to a batch shape, as an array with three axes; a copy only if it must."""
    shape = (*batch_shape, *x.shape[-2:])
    strides = layout.broadcast_strides(x, shape)
    (count, *more), (strides_merged,) = layout.merge_axes(batch_shape, [strides[:-2]])
    if more:
        x = elementwise.copy(arrays.view(x, shape, strides))
        return arrays.view(
            x, (math.prod(batch_shape), *shape[-2:]), x.strides[len(batch_shape) - 1 :]
        )
    return arrays.view(x, (count, *shape[-2:]), (*strides_merged, *strides[-2:]))


def gemm(
    a: Any,
    b: Any,
    out: Any = None,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: Any = None,
    activation: str | None = None,
    accumulate: bool = False,
) -> Any:
    """Matrix product ``activation(op(a) @ op(b) + bias)``, or added to `out`.

    Parameters
    ----------
    a, b : device array
        Matrices of any strides. Different dtypes are promoted as in NumPy.
    out : device array, optional
        Where the result is written, shape (M, N).
    transpose_a, transpose_b : bool
        Whether the operand is used transposed.
    bias : device array, optional
        Shape (N,), added to each row.
    activation : {None, "linear", "relu", "tanh", "sigmoid"}
        Applied last.
    accumulate : bool
        Add the product to `out` instead of overwriting it.

    Returns
    -------
    device array
        `out`, or a new array.

    Raises
    ------
    ValueError
        If shapes do not fit or an option is unknown; the message says which.
    """
    _check_activation("gemm", activation)
    elementwise.check_operands("gemm", [x for x in (a, b, out, bias) if x is not None])
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(
            f"gemm: a and b must be matrices, got shapes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    a = _transposed(a) if transpose_a else a
    b = _transposed(b) if transpose_b else b
    if a.shape[1] != b.shape[0]:
        raise ValueError(
            f"gemm: a has {a.shape[1]} columns and b has {b.shape[0]} rows "
            f"(shapes {tuple(a.shape)} and {tuple(b.shape)} after transposition); "
            "they must be equal"
        )
    shape = (a.shape[0], b.shape[1])
    dtype = np.result_type(a.dtype, b.dtype) if out is None else out.dtype
    if out is not None and tuple(out.shape) != shape:
        raise ValueError(f"gemm: out has shape {tuple(out.shape)}, expected {shape}")
    if accumulate and out is None:
        raise ValueError("gemm: accumulate=True needs out, the array to add to")
    if bias is not None and tuple(bias.shape) != (shape[1],):
        raise ValueError(f"gemm: bias has shape {tuple(bias.shape)}, expected {(shape[1],)}")
    if activation not in (None, "linear") and dtype.kind != "f":
        raise TypeError(f"gemm: activation {activation!r} needs floats, got {dtype}")
    a, b = elementwise.astype(a, dtype=dtype), elementwise.astype(b, dtype=dtype)
    bias = None if bias is None else elementwise.astype(bias, dtype=dtype)
    direct = out is not None and arrays.is_contiguous(out)
    result = out if direct else arrays.empty(shape, dtype)
    if out is not None and accumulate and not direct:
        elementwise.map_into(result, elementwise.identity, [out], [dtype])
    _multiply(
        arrays.view(a, (1, *a.shape), (0, *a.strides)),
        arrays.view(b, (1, *b.shape), (0, *b.strides)),
        arrays.view(result, (1, *shape), arrays.contiguous_strides((1, *shape), dtype.itemsize)),
        bias=bias,
        activation=activation,
        accumulate=accumulate,
    )
    if out is not None and not direct:
        elementwise.map_into(out, elementwise.identity, [result], [dtype])
    return result if out is None else out


def matmul(a: Any, b: Any, *, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    """Matrix product as `numpy.matmul`: batched, broadcast, with vectors.

    Parameters
    ----------
    a, b : device array
        With at least one axis. Leading axes broadcast; different dtypes are promoted.
    transpose_a, transpose_b : bool
        Whether the last two axes of the operand are swapped; vectors stay as they are.

    Raises
    ------
    ValueError
        If an operand has no axes or the inner lengths differ.
    """
    elementwise.check_operands("matmul", (a, b))
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("matmul: operands must have at least one axis; use multiply for numbers")
    from_vector, to_vector = a.ndim == 1, b.ndim == 1
    if from_vector:
        a = arrays.view(a, (1, *a.shape), (0, *a.strides))
    elif transpose_a:
        a = _transposed(a)
    if to_vector:
        b = arrays.view(b, (*b.shape, 1), (*b.strides, 0))
    elif transpose_b:
        b = _transposed(b)
    (rows, depth), (other_depth, width) = tuple(a.shape)[-2:], tuple(b.shape)[-2:]
    if depth != other_depth:
        raise ValueError(
            f"matmul: shapes {tuple(a.shape)} and {tuple(b.shape)} do not fit: the last axis of a "
            f"has length {depth}, the last but one of b {other_depth}"
        )
    batch_shape = layout.broadcast_shape("matmul", [a.shape[:-2], b.shape[:-2]])
    if math.prod(b.shape[:-2]) == 1 and len(batch_shape) > 0 and arrays.is_contiguous(a):
        # One matrix for all batches: a single product with more rows.
        row_shape = (math.prod(a.shape[:-1]), depth)
        rows_of_a = arrays.view(
            a, row_shape, arrays.contiguous_strides(row_shape, a.dtype.itemsize)
        )
        out = gemm(rows_of_a, arrays.view(b, b.shape[-2:], b.strides[-2:]))
        shape = (*batch_shape, rows, width)
        strides = arrays.contiguous_strides(shape, out.dtype.itemsize)
        return _without_vectors(arrays.view(out, shape, strides), from_vector, to_vector)
    dtype = np.result_type(a.dtype, b.dtype)
    shape = (*batch_shape, rows, width)
    out = arrays.empty(shape, dtype)
    if out.size:
        flat_shape = (math.prod(batch_shape), rows, width)
        _multiply(
            _as_batches(elementwise.astype(a, dtype=dtype), batch_shape),
            _as_batches(elementwise.astype(b, dtype=dtype), batch_shape),
            arrays.view(out, flat_shape, arrays.contiguous_strides(flat_shape, dtype.itemsize)),
        )
    return _without_vectors(out, from_vector, to_vector)


def _without_vectors(out: Any, from_vector: bool, to_vector: bool) -> Any:
    """Drop the axes that vectors were given."""
    kept = [
        axis
        for axis in range(out.ndim)
        if not (from_vector and axis == out.ndim - 2) and not (to_vector and axis == out.ndim - 1)
    ]
    return layout.permute(out, kept)


def dense(x: Any, w: Any, bias: Any = None, *, activation: str | None = None) -> Any:
    """Dense layer ``activation(x @ w + bias)`` in one kernel.

    Parameters
    ----------
    x : device array, shape (..., K)
    w : device array, shape (K, N)
    bias : device array, shape (N,), optional
    activation : {None, "linear", "relu", "tanh", "sigmoid"}

    Returns
    -------
    device array, shape (..., N)
    """
    elementwise.check_operands("dense", [a for a in (x, w, bias) if a is not None])
    if w.ndim != 2 or x.ndim == 0 or tuple(x.shape)[-1] != w.shape[0]:
        raise ValueError(
            f"dense: x has shape {tuple(x.shape)} and w {tuple(w.shape)}; "
            "they must be (..., K) and (K, N)"
        )
    shape = (*x.shape[:-1], w.shape[1])
    rows = math.prod(x.shape[:-1])
    if x.ndim != 2:
        x = elementwise.contiguous(x)
        flat_shape = (rows, w.shape[0])
        x = arrays.view(x, flat_shape, arrays.contiguous_strides(flat_shape, x.dtype.itemsize))
    out = gemm(x, w, bias=bias, activation=activation)
    return arrays.view(out, shape, arrays.contiguous_strides(shape, out.dtype.itemsize))


__all__ = ["dense", "gemm", "matmul"]


@specimens
def _gemm_specimens() -> Iterator[Specimen]:
    for dtype in ("float32", "float64"):
        element = getattr(numba, dtype)
        operand, contiguous = element[:, :, :], element[:, :, ::1]
        signature = (
            operand,
            operand,
            element[::1],
            contiguous,
            numba.int64,
            numba.boolean,
            numba.boolean,
        )
        for tiling in dict.fromkeys((LARGE[dtype], MEDIUM, SMALL)):
            size = tiling.micro**2 * element.bitwidth // 8 if tiling.micro > 4 else 0
            for letters in ("NN", "NT", "TN", "TT"):
                for activation in (None, "relu") if letters == "NN" else (None,):
                    yield Specimen(
                        f"gemm {dtype} {tiling.m}x{tiling.n}x{tiling.k} {letters}"
                        + (f" {activation}" if activation else ""),
                        _product_kernel(
                            dtype, tiling, letters[0] == "N", letters[1] == "N", activation
                        ),
                        signature,
                        threads=tiling.threads,
                        stack=size,
                    )
        for activation in ("tanh", "sigmoid"):
            yield Specimen(
                f"gemm {dtype} {MEDIUM.m}x{MEDIUM.n}x{MEDIUM.k} NN {activation}",
                _product_kernel(dtype, MEDIUM, True, True, activation),
                signature,
                threads=MEDIUM.threads,
            )
