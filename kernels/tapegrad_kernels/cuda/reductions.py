"""Sums, extremes and their places along any axes, in an order that depends on sizes alone.

The array is seen as ``[kept, kept, reduced]``. Where the reduced axis is the
contiguous one, a block of threads takes one result: each thread strides through
the row, and a tree in shared memory joins the threads. Where another axis is
contiguous, each thread takes one result and walks down its column, neighbours side
by side. Long rows and columns are cut into pieces of fixed length whose partial
results are reduced again, so that few results still occupy many threads. Nothing
is added atomically: the same input gives the same bits.
"""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numba
import numpy as np

from tapegrad_kernels.cuda import arrays, elementwise, layout
from tapegrad_kernels.cuda.scalar import device_operation
from tapegrad_kernels.cuda.shim import (
    SIMULATED,
    THREADS,
    Specimen,
    cuda,
    device_function,
    grid_for,
    kernel,
    specimens,
)

Axis = int | Sequence[int] | None

_ROW_PIECE = 8 if SIMULATED else 16_384
_COLUMN_PIECE = 8 if SIMULATED else 256
_MOST_BLOCKS = 2 if SIMULATED else 65_535

_COMBINE = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}


def _identity(operation: str, dtype: np.dtype[Any]) -> Any:
    """What leaves every element unchanged under the operation."""
    if operation == "sum":
        return dtype.type(0)
    if operation == "prod":
        return dtype.type(1)
    if dtype.kind == "f":
        return dtype.type(-np.inf if operation == "max" else np.inf)
    if dtype.kind == "b":
        return dtype.type(operation == "min")
    limits = np.iinfo(dtype)
    return dtype.type(limits.min if operation == "max" else limits.max)


@functools.cache
def _convert(dtype: str, truth: bool) -> Any:
    """Device function that brings an element into the dtype to reduce in."""
    cast = np.dtype(dtype).type

    @device_function
    def convert(x):  # type: ignore[no-untyped-def]
        return cast(x)

    @device_function
    def is_true(x):  # type: ignore[no-untyped-def]
        return x != 0

    return is_true if truth else convert


@functools.cache
def join_threads(operation: str, dtype: str, threads: int) -> Any:
    """Device function that joins one value of each thread of a block by a tree.

    ``join(shared, thread, value)`` gives every thread the result. `shared` holds
    one value a thread; `threads` is a power of two.
    """
    combine = device_operation(_COMBINE[operation], dtype)
    half = threads // 2
    cast = np.dtype(dtype).type  # Numba widens what operators make of small integers

    @device_function
    def join(shared, thread, value):  # type: ignore[no-untyped-def]
        cuda.syncthreads()  # the last result has been read
        shared[thread] = value
        cuda.syncthreads()
        reach = half
        while reach > 0:
            if thread < reach:
                shared[thread] = cast(combine(shared[thread], shared[thread + reach]))
            cuda.syncthreads()
            reach //= 2
        return shared[0]

    return join


@functools.cache
def _row_kernel(operation: str, dtype: str, truth: bool) -> Any:
    """Reduce pieces of rows, a block for each: ``out[row, piece]``."""
    real = np.dtype(dtype)
    element = numba.from_dtype(real)
    start_value = _identity(operation, real)
    cast = real.type
    convert = _convert(dtype, truth)
    combine = device_operation(_COMBINE[operation], dtype)
    join = join_threads(operation, dtype, THREADS)

    @kernel
    def reduce_rows(x, out, length):  # type: ignore[no-untyped-def]
        shared = cuda.shared.array(THREADS, element)
        thread = np.uint32(cuda.threadIdx.x)
        inner, whole = x.shape[1], x.shape[2]
        pieces = out.shape[1]
        for place in range(cuda.blockIdx.x, out.size, cuda.gridDim.x):
            row, piece = place // pieces, place % pieces
            i, j = row // inner, row % inner
            value = start_value
            stop = (piece + 1) * length
            if stop > whole:
                stop = whole
            for p in range(piece * length + thread, stop, THREADS):
                value = cast(combine(value, convert(x[i, j, p])))
            result = join(shared, thread, value)
            if thread == 0:
                out[row, piece] = result

    return reduce_rows


@functools.cache
def _column_kernel(operation: str, dtype: str, truth: bool) -> Any:
    """Reduce pieces of columns, a thread for each: ``out[piece, column]``."""
    real = np.dtype(dtype)
    start_value = _identity(operation, real)
    cast = real.type
    convert = _convert(dtype, truth)
    combine = device_operation(_COMBINE[operation], dtype)

    @kernel
    def reduce_columns(x, out, length):  # type: ignore[no-untyped-def]
        inner, whole = x.shape[1], x.shape[2]
        columns = out.shape[1]
        for place in range(cuda.grid(1), out.size, cuda.gridsize(1)):
            piece, column = place // columns, place % columns
            i, j = column // inner, column % inner
            value = start_value
            stop = (piece + 1) * length
            if stop > whole:
                stop = whole
            for p in range(piece * length, stop):
                value = cast(combine(value, convert(x[i, j, p])))
            out[piece, column] = value

    return reduce_columns


def _reduce_view(operation: str, x: Any, out: Any, truth: bool = False) -> None:
    """Reduce ``x[kept, kept, reduced]`` along its last axis into the flat array `out`."""
    outer, inner, length = tuple(x.shape)
    count = outer * inner
    dtype = out.dtype.name
    by_rows = length == 1 or inner == 1 or abs(x.strides[2]) <= abs(x.strides[1])
    piece = _ROW_PIECE if by_rows else _COLUMN_PIECE
    pieces = -(-length // piece)
    partial = out if pieces == 1 else arrays.empty((count * pieces,), out.dtype)
    item = out.dtype.itemsize
    if by_rows:
        seen = arrays.view(partial, (count, pieces), (pieces * item, item))
        blocks = most_blocks(count * pieces)
        _row_kernel(operation, dtype, truth)[blocks, THREADS](x, seen, piece)
        again = arrays.view(partial, (1, count, pieces), (0, pieces * item, item))
    else:
        seen = arrays.view(partial, (pieces, count), (count * item, item))
        _column_kernel(operation, dtype, truth)[grid_for(count * pieces)](x, seen, piece)
        again = arrays.view(partial, (1, count, pieces), (0, item, count * item))
    if pieces > 1:
        _reduce_view(operation, again, out)


def as_rows(x: Any, axes: Sequence[int]) -> tuple[Any, tuple[int, ...]]:
    """View as ``[kept, kept, reduced]``, of a copy if there is none, and the kept shape."""
    split = layout.split_axes(x, axes)
    if split is None:
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        x = elementwise.copy(layout.permute(x, [*kept, *axes]))
        split = layout.split_axes(x, range(len(kept), x.ndim))
        assert split is not None  # a contiguous array merges completely
    return split


def _kept_shape(shape: Sequence[int], axes: Sequence[int], keepdims: bool) -> tuple[int, ...]:
    if keepdims:
        return tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


def _reshaped(x: Any, shape: tuple[int, ...]) -> Any:
    return arrays.view(x, shape, arrays.contiguous_strides(shape, x.dtype.itemsize))


def _reduce(
    name: str,
    operation: str,
    x: Any,
    axis: Axis,
    keepdims: bool,
    dtype: np.dtype[Any],
    truth: bool = False,
) -> Any:
    elementwise.check_operands(name, [x])
    axes = layout.normalize_axes(name, axis, x.ndim)
    shape = _kept_shape(x.shape, axes, keepdims)
    if x.size == 0:
        if operation in ("max", "min") and not truth and math.prod(shape) > 0:
            raise ValueError(
                f"{name}: an array of shape {tuple(x.shape)} has no {name} along {axes}"
            )
        return arrays.full(shape, _identity(operation, dtype), dtype)
    rows, _ = as_rows(x, axes)
    out = arrays.empty((math.prod(shape),), dtype)
    _reduce_view(operation, rows, out, truth)
    return _reshaped(out, shape)


def most_blocks(count: int) -> int:
    """Blocks for so many rows; a block takes several where there are too many."""
    return builtins.min(count, _MOST_BLOCKS)


def sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a sum or product by NumPy's rules: small integers widen."""
    if dtype.kind in "bi":
        return np.dtype(np.int64)
    return np.dtype(np.uint64) if dtype.kind == "u" else dtype


def sum(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """Sum of the elements along axes; all of them without `axis`.

    Parameters
    ----------
    x : device array
    axis : int or sequence of int, optional
    keepdims : bool
        Whether the reduced axes stay, with length 1.

    Returns
    -------
    device array
        float32 stays float32; integers and bool give 64-bit integers.
    """
    return _reduce("sum", "sum", x, axis, keepdims, sum_dtype(x.dtype))


def prod(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """Product of the elements along axes; parameters as in `sum`."""
    return _reduce("prod", "prod", x, axis, keepdims, sum_dtype(x.dtype))


def mean(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """Arithmetic mean along axes; parameters as in `sum`. Integers give float64."""
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    total = _reduce("mean", "sum", x, axis, keepdims, dtype)
    axes = layout.normalize_axes("mean", axis, x.ndim)
    count = math.prod(x.shape[i] for i in axes)
    divide = device_operation("divide", dtype.name)
    return elementwise.map_into(total, divide, [total, float(count)], [dtype, dtype])


def max(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """Largest element along axes, NaN if there is one; parameters as in `sum`.

    Raises
    ------
    ValueError
        If there are no elements.
    """
    return _reduce("max", "max", x, axis, keepdims, x.dtype)


def min(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """Smallest element along axes, NaN if there is one; parameters as in `sum`.

    Raises
    ------
    ValueError
        If there are no elements.
    """
    return _reduce("min", "min", x, axis, keepdims, x.dtype)


def any(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """Whether any element along the axes is true."""
    return _reduce("any", "max", x, axis, keepdims, np.dtype(bool), truth=True)


def all(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """Whether all elements along the axes are true."""
    return _reduce("all", "min", x, axis, keepdims, np.dtype(bool), truth=True)


@functools.cache
def _place_kernel(dtype: str, largest: bool) -> Any:
    """Index of the first extreme of each row, a block for each. NaN wins."""
    element = getattr(numba, dtype)

    @device_function
    def precedes(value, index, other, other_index):  # type: ignore[no-untyped-def]
        # Whether the other element is to be chosen instead.
        if other_index < 0:
            return False
        if index < 0:
            return True
        if value != value or other != other:
            if value != value and other != other:
                return other_index < index
            return other != other
        if other == value:
            return other_index < index
        return (other > value) == largest

    @kernel
    def find_places(x, out):  # type: ignore[no-untyped-def]
        values = cuda.shared.array(THREADS, element)
        indices = cuda.shared.array(THREADS, numba.int64)
        thread = np.uint32(cuda.threadIdx.x)
        inner, length = x.shape[1], x.shape[2]
        for row in range(cuda.blockIdx.x, out.size, cuda.gridDim.x):
            i, j = row // inner, row % inner
            value = x[i, j, 0]
            index = numba.int64(-1)
            for p in range(thread, length, THREADS):
                if precedes(value, index, x[i, j, p], p):
                    value = x[i, j, p]
                    index = numba.int64(p)
            cuda.syncthreads()
            values[thread] = value
            indices[thread] = index
            cuda.syncthreads()
            reach = THREADS // 2
            while reach > 0:
                if thread < reach:
                    other = thread + reach
                    if precedes(values[thread], indices[thread], values[other], indices[other]):
                        values[thread] = values[other]
                        indices[thread] = indices[other]
                cuda.syncthreads()
                reach //= 2
            if thread == 0:
                out[row] = indices[0]

    return find_places


def _places(name: str, x: Any, axis: int | None, keepdims: bool, largest: bool) -> Any:
    elementwise.check_operands(name, [x])
    axes = layout.normalize_axes(name, axis, x.ndim)
    if math.prod(x.shape[i] for i in axes) == 0:
        raise ValueError(f"{name}: no elements along axis {axis} of shape {tuple(x.shape)}")
    if x.dtype.kind == "b":
        x = elementwise.astype(x, dtype=np.uint8)
    shape = _kept_shape(x.shape, axes, keepdims)
    out = arrays.empty((math.prod(shape),), np.int64)
    if out.size:
        x = elementwise.contiguous(x) if axis is None else x
        rows, _ = as_rows(x, axes)
        blocks = most_blocks(out.size)
        _place_kernel(x.dtype.name, largest)[blocks, THREADS](rows, out)
    return _reshaped(out, shape)


def argmax(x: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index of the first largest element, along an axis or in the flattened array."""
    return _places("argmax", x, axis, keepdims, True)


def argmin(x: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index of the first smallest element, along an axis or in the flattened array."""
    return _places("argmin", x, axis, keepdims, False)


def sum_to_shape(x: Any, *, shape: Sequence[int]) -> Any:
    """Sum over the axes along which `shape` would be broadcast to the shape of `x`."""
    shape = tuple(shape)
    missing = x.ndim - len(shape)
    axes = [
        axis
        for axis in range(x.ndim)
        if axis < missing or (shape[axis - missing] == 1 and x.shape[axis] != 1)
    ]
    if not axes:
        return x
    return _reshaped(elementwise.contiguous(sum(x, axis=axes)), shape)


def relu_bias_grad(g: Any, y: Any) -> tuple[Any, Any]:
    """Gradients by `x` and by `bias` of ``y = relu(x + bias)``: `g` where y > 0, and its sum."""
    if g.shape != y.shape or not g.ndim:
        raise ValueError(
            f"relu_bias_grad: g has shape {tuple(g.shape)} and y {tuple(y.shape)}; they must be "
            "the same, with an axis at least"
        )
    by_x = elementwise.relu_grad(g, y)  # type: ignore[attr-defined]
    return by_x, sum(by_x, axis=tuple(range(by_x.ndim - 1)))


__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "max",
    "mean",
    "min",
    "prod",
    "relu_bias_grad",
    "sum",
    "sum_to_shape",
]


@specimens
def _reduction_specimens() -> Iterator[Specimen]:
    for dtype in ("float32", "float64", "int64"):
        element = getattr(numba, dtype)
        for operation in _COMBINE:
            arguments = (element[:, :, :], element[:, ::1], numba.int64)
            yield Specimen(
                f"{operation} of rows {dtype}",
                _row_kernel(operation, dtype, False),
                arguments,
            )
            yield Specimen(
                f"{operation} of columns {dtype}",
                _column_kernel(operation, dtype, False),
                arguments,
            )
        yield Specimen(
            f"argmax {dtype}",
            _place_kernel(dtype, True),
            (element[:, :, :], numba.int64[::1]),
        )
    truth = (numba.float32[:, :, :], numba.boolean[:, ::1], numba.int64)
    yield Specimen("any of rows", _row_kernel("max", "bool", True), truth)
