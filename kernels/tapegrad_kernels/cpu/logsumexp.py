"""Logarithm of a sum of exponentials, and its gradient, each in one visit.

A task finds the largest element of its part and adds up the exponentials of the distances from it
while the part is in the cache. Parts of one result are joined in float64, in a fixed order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import Block, block, kernel, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels.cpu import _basis
from tapegrad_kernels.cpu._map import REAL_NAMES, scalar_functions
from tapegrad_kernels.cpu._real import as_real
from tapegrad_kernels.cpu.indexing._call import Array, run

__all__ = ["logsumexp", "logsumexp_grad"]

Axis = int | Sequence[int] | None

_PIECE = 4096
"""Elements of a row that one task adds."""
_SHORT, _FEW = 512, 32
"""Rows that are taken together, and rows too short for IEEE's maximum in vectors."""
_DOWN, _ACROSS = 128, 512
"""Rows and columns that one task adds where the leading axes go."""


def _make_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    exp = scalar_functions(real)["exp"]
    pick: Any = _basis.maximum
    number: Any = np.dtype(real).type
    zero, lowest = number(0.0), number(-np.inf)

    @kernel(inline=True, reassociate=True)
    def exp_sum(x, start, stop, shift):  # type: ignore[no-untyped-def]
        total = zero
        for i in range(start, stop):
            total += exp(x[i] - shift)
        return total

    @kernel(inline=True)
    def shift_of(largest):  # type: ignore[no-untyped-def]
        # What exponentials are measured from: 0 where the largest is no finite number.
        return largest if abs(largest) < -lowest else zero

    @block(f"logsumexp_rows.{real}")
    def rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, largest, sums = at(packed[0]), float64_at(packed[1]), float64_at(packed[2])
        length, pieces = packed[3], packed[4]
        for task in range(start, stop):
            row = task // pieces
            left = row * length + (task - row * pieces) * _PIECE
            right = min(left + _PIECE, (row + 1) * length)
            best = lowest
            for i in range(left, right):
                best = pick(best, x[i])
            shift = shift_of(best)
            largest[task] = shift
            sums[task] = exp_sum(x, left, right, shift)

    @kernel(inline=True, reassociate=True)
    def row_sum(x, start, stop):  # type: ignore[no-untyped-def]
        total = zero
        for i in range(start, stop):
            total += x[i]
        return total

    @block(f"logsumexp_short_rows.{real}")
    def short_rows(record, start, stop):  # type: ignore[no-untyped-def]
        # The exponential runs over many rows at once, so that it fills its vectors.
        packed = int64_at(record)
        x, largest, sums = at(packed[0]), float64_at(packed[1]), float64_at(packed[2])
        work, length = at(packed[3]), packed[4]
        for row in range(start, stop):
            left, right = row * length, (row + 1) * length
            best = x[left]
            if length < _FEW:
                for i in range(left, right):
                    # A NaN need not be found here: it stays in the differences.
                    best = x[i] if x[i] > best else best
            else:
                for i in range(left, right):
                    best = pick(best, x[i])
            shift = shift_of(best)
            largest[row] = shift
            for i in range(left, right):
                work[i] = x[i] - shift
        for i in range(start * length, stop * length):
            work[i] = exp(work[i])
        for row in range(start, stop):
            sums[row] = row_sum(work, row * length, (row + 1) * length)

    @block(f"logsumexp_columns.{real}")
    def columns(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, largest, sums = at(packed[0]), at(packed[1]), at(packed[2])
        height, width = packed[3], packed[4]
        across = (width + _ACROSS - 1) // _ACROSS
        for task in range(start, stop):
            down = task // across
            left = (task - down * across) * _ACROSS
            wide = min(_ACROSS, width - left)
            base = down * width + left
            top, bottom = down * _DOWN, min((down + 1) * _DOWN, height)
            for j in range(base, base + wide):
                largest[j] = lowest
                sums[j] = zero
            for i in range(top, bottom):
                here = i * width + left
                for j in range(wide):
                    largest[base + j] = pick(largest[base + j], x[here + j])
            for j in range(base, base + wide):
                largest[j] = shift_of(largest[j])
            for i in range(top, bottom):
                here = i * width + left
                for j in range(wide):
                    sums[base + j] += exp(x[here + j] - largest[base + j])

    @block(f"logsumexp_grad_rows.{real}")
    def grad_rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        g, x, y, dx = at(packed[0]), at(packed[1]), at(packed[2]), at(packed[3])
        length, pieces = packed[4], packed[5]
        for task in range(start, stop):
            row = task // pieces
            left = row * length + (task - row * pieces) * _PIECE
            scale, shift = g[row], shift_of(y[row])
            for i in range(left, min(left + _PIECE, (row + 1) * length)):
                dx[i] = scale * exp(x[i] - shift)

    @block(f"logsumexp_grad_columns.{real}")
    def grad_columns(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        g, x, y, dx, width = at(packed[0]), at(packed[1]), at(packed[2]), at(packed[3]), packed[4]
        for row in range(start, stop):
            here = row * width
            for j in range(width):
                dx[here + j] = g[j] * exp(x[here + j] - shift_of(y[j]))

    return {
        "rows": rows,
        "short_rows": short_rows,
        "columns": columns,
        "grad_rows": grad_rows,
        "grad_columns": grad_columns,
    }


_BLOCKS = {
    (name, np.dtype(real)): made for real in REAL_NAMES for name, made in _make_blocks(real).items()
}


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    named = (axis,) if isinstance(axis, int) else tuple(axis)
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(named, ndim)))


def _matrix(
    x: Array, axes: tuple[int, ...]
) -> tuple[Array, int, int, bool, tuple[int, ...] | None]:
    """`x` with the axes at one end: array, kept, reduced, whether they lead, order of the axes."""
    ndim, count = x.ndim, len(axes)
    reduced = math.prod(x.shape[i] for i in axes)
    kept = x.size // reduced if reduced else 0
    leading = axes == tuple(range(count)) and count < ndim
    order = None
    if not leading and axes != tuple(range(ndim - count, ndim)):
        order = (*(i for i in range(ndim) if i not in axes), *axes)
        x = x.transpose(order)
    return np.asarray(x, order="C"), kept, reduced, leading, order


def _pieces(length: int) -> tuple[int, int]:
    """Pieces of a row, and how many pieces a task takes."""
    return -(-length // _PIECE), max(1, _PIECE // max(length, 1))


def _side_by_side(height: int, width: int) -> int:
    """Rows to lay side by side as one where columns are few: a power of 2 that divides `height`."""
    together = 1
    while together * width < _ACROSS // 2 and height % (2 * together) == 0:
        together *= 2
    return together


def _joined(largest: Array, sums: Array, axis: int) -> Array:
    """Parts of a result joined, in float64."""
    if largest.shape[axis] == 1:
        first = 0 if axis == 0 else (slice(None), 0)
        top, total = largest[first], sums[first].astype(np.float64)
    else:
        top = largest.max(axis=axis)
        spread = np.exp(largest - np.expand_dims(top, axis).astype(np.float64))
        total = (spread * sums).sum(axis=axis)
    with np.errstate(divide="ignore", invalid="ignore"):  # the logarithm of 0 is -inf
        return np.log(total) + top


def logsumexp(x: ArrayLike, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """``log(sum(exp(x)))`` over axes, measured from the largest element so that nothing overflows.

    Parameters
    ----------
    x : array_like
        Real numbers, any strides.
    axis : int or tuple of int, optional
        Axes to reduce, by default all.
    keepdims : bool, default False
        Whether the axes stay, with length 1.

    Returns
    -------
    ndarray
        float32 for float32, otherwise float64; -inf where all elements are -inf, inf where one
        is inf.

    Raises
    ------
    ValueError
        If there is nothing to choose from, or an axis does not exist.

    Examples
    --------
    >>> float(np.round(logsumexp(np.array([1000.0, 1000.0])), 3))
    1000.693
    """
    array = as_real("logsumexp", x)
    axes = _axes(axis, array.ndim)
    kept_shape = tuple([n for i, n in enumerate(array.shape) if i not in axes])
    matrix, kept, reduced, leading, _ = _matrix(array, axes)
    if not reduced:
        raise ValueError(
            f"logsumexp: axis {axis} of an array of shape {array.shape} has no elements, so that "
            "there is no largest one"
        )
    if not array.size:
        y = np.empty(0)
    elif leading:
        together = _side_by_side(reduced, kept)
        height, width = reduced // together, kept * together
        down, across = -(-height // _DOWN), -(-width // _ACROSS)
        largest, sums = (np.empty((down, width), array.dtype) for _ in range(2))
        chunk = _PIECE // (min(_DOWN, height) * min(_ACROSS, width))
        made = _BLOCKS["columns", array.dtype]
        run(made, down * across, chunk, matrix, largest, sums, p=height, q=width)
        y = _joined(largest.reshape(-1, kept), sums.reshape(-1, kept), 0)
    else:
        pieces, chunk = _pieces(reduced)
        largest, sums = np.empty((kept, pieces)), np.empty((kept, pieces))
        if reduced < _SHORT:
            made, work = _BLOCKS["short_rows", array.dtype], np.empty_like(matrix)
            run(made, kept, chunk, matrix, largest, sums, work, p=reduced)
        else:
            made = _BLOCKS["rows", array.dtype]
            run(made, kept * pieces, chunk, matrix, largest, sums, p=reduced, q=pieces)
        y = _joined(largest, sums, 1)
    y = np.asarray(y, array.dtype)
    if keepdims:
        return y.reshape(tuple([1 if i in axes else n for i, n in enumerate(array.shape)]))
    return y.reshape(kept_shape)


def logsumexp_grad(g: ArrayLike, x: ArrayLike, y: ArrayLike, *, axis: Axis = None) -> Array:
    """``g * exp(x - y)``: gradient of `logsumexp` by `x`.

    Parameters
    ----------
    g, y : array_like
        Gradient by the result and the result, with the axes kept at length 1. Where `y` is not
        finite, 0 stands for it, so that elements of -inf get the gradient 0.
    x : array_like
        As given to `logsumexp`.
    axis : int or tuple of int, optional
        As given to it.

    Returns
    -------
    ndarray
        Of the shape of `x`.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Examples
    --------
    >>> logsumexp_grad([[2.0]], [[0.0, 0.0]], [[np.log(2.0)]], axis=1)
    array([[1., 1.]])
    """
    array = as_real("logsumexp_grad", x)
    axes = _axes(axis, array.ndim)
    expected = tuple([1 if i in axes else n for i, n in enumerate(array.shape)])
    matrix, kept, reduced, leading, order = _matrix(array, axes)
    few = []
    for name, value in (("g", g), ("y", y)):
        part = np.asarray(value, array.dtype)
        if part.shape != expected:
            try:
                part = np.broadcast_to(part, expected)
            except ValueError:
                raise ValueError(
                    f"logsumexp_grad: {name} has shape {part.shape}; for x of shape "
                    f"{array.shape} and axis {axis} expected {expected}"
                ) from None
        few.append(np.asarray(part if order is None else part.transpose(order), order="C"))
    dx = np.empty_like(matrix)
    if array.size and leading:
        together = _side_by_side(reduced, kept)
        made, width = _BLOCKS["grad_columns", array.dtype], kept * together
        scale, shift = (np.tile(part.reshape(-1), together) for part in few)
        run(made, reduced // together, _PIECE // width, scale, matrix, shift, dx, p=width)
    elif array.size:
        pieces, chunk = _pieces(reduced)
        made = _BLOCKS["grad_rows", array.dtype]
        run(made, kept * pieces, chunk, few[0], matrix, few[1], dx, p=reduced, q=pieces)
    return dx if order is None else dx.transpose(tuple(np.argsort(order)))


def _warm(real: str) -> None:
    x = np.ones((2, 2), real)
    for axis in (0, 1):
        logsumexp_grad(x[:1, :1], x, logsumexp(x, axis=axis, keepdims=True), axis=axis)


for _real in REAL_NAMES:
    on_warmup(f"logsumexp {_real}")(lambda real=_real: _warm(real))
