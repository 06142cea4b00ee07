"""Logarithm of a sum of exponentials, and its gradient, each in one visit.

A task finds the largest element of its part and adds up the exponentials of the distances from it
while the part is in the cache. Parts of one result are joined in float64, in a fixed order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import Block, block, kernel, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, int64_at
from tapegrad_kernels.cpu import _basis
from tapegrad_kernels.cpu._map import REAL_NAMES, scalar_functions
from tapegrad_kernels.cpu._real import as_real
from tapegrad_kernels.cpu.indexing._call import Array, run

__all__ = ["logsumexp", "logsumexp_grad"]

Axis = int | Sequence[int] | None

PIECE = 4096
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
        x, largest, sums = at(packed[0]), at(packed[1]), at(packed[2])
        length, pieces = packed[3], packed[4]
        for task in range(start, stop):
            row = task // pieces
            left = row * length + (task - row * pieces) * PIECE
            right = min(left + PIECE, (row + 1) * length)
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
        x, largest, sums = at(packed[0]), at(packed[1]), at(packed[2])
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

    wide = scalar_functions("float64")
    exp_64, log_64 = wide["exp"], wide["log"]

    @block(f"logsumexp_join.{real}")
    def join(record, start, stop):  # type: ignore[no-untyped-def]
        # Parts of a result, `step` apart, joined in float64.
        packed = int64_at(record)
        largest, sums, y = at(packed[0]), at(packed[1]), at(packed[2])
        parts, step, between = packed[3], packed[4], packed[5]
        for position in range(start, stop):
            first = position * between
            top, total = float(largest[first]), float(sums[first])
            if parts > 1:
                # Of a part that is -inf throughout the shift says nothing.
                top = -np.inf
                for part in range(parts):
                    here = first + part * step
                    if sums[here] != zero:
                        top = max(top, float(largest[here]))
                total = 0.0
                for part in range(parts):
                    here = first + part * step
                    term = float(sums[here])
                    if abs(term) < np.inf and term != 0.0:
                        term *= exp_64(float(largest[here]) - top)
                    total += term
            y[position] = log_64(total) + top

    @block(f"logsumexp_grad_rows.{real}")
    def grad_rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        g, x, y, dx = at(packed[0]), at(packed[1]), at(packed[2]), at(packed[3])
        length, pieces = packed[4], packed[5]
        for task in range(start, stop):
            row = task // pieces
            left = row * length + (task - row * pieces) * PIECE
            scale, shift = g[row], shift_of(y[row])
            for i in range(left, min(left + PIECE, (row + 1) * length)):
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
        "join": join,
        "grad_rows": grad_rows,
        "grad_columns": grad_columns,
    }


_BLOCKS = {
    (name, np.dtype(real)): made for real in REAL_NAMES for name, made in _make_blocks(real).items()
}


def block_of(name: str, dtype: np.dtype[Any]) -> Block:
    """A block of float32 or float64."""
    return _BLOCKS[name, dtype]


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes, sorted, as numbers that are not negative."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    named = (axis,) if isinstance(axis, int) else tuple(axis)
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(named, ndim)))


def matrix_of(
    shape: tuple[int, ...], axes: tuple[int, ...]
) -> tuple[int, int, bool, tuple[int, ...] | None]:
    """An array as a matrix with the axes at one end.

    Elements that are kept and elements that go, whether these lead, and the order in which
    the axes have to stand if not as they are.
    """
    ndim, count = len(shape), len(axes)
    reduced = math.prod([shape[i] for i in axes])
    size = math.prod(shape)
    kept = size // reduced if reduced else 0
    leading = axes == tuple(range(count)) and count < ndim
    order = None
    if not leading and axes != tuple(range(ndim - count, ndim)):
        order = (*(i for i in range(ndim) if i not in axes), *axes)
    return kept, reduced, leading, order


def _matrix(
    x: Array, axes: tuple[int, ...]
) -> tuple[Array, int, int, bool, tuple[int, ...] | None]:
    kept, reduced, leading, order = matrix_of(x.shape, axes)
    x = x if order is None else x.transpose(order)
    return np.asarray(x, order="C"), kept, reduced, leading, order


def pieces_of(length: int) -> tuple[int, int]:
    """Pieces of a row, and how many pieces a task takes."""
    return -(-length // PIECE), max(1, PIECE // max(length, 1))


def side_by_side(height: int, width: int) -> int:
    """Rows to lay side by side as one where columns are few: a power of 2 that divides `height`."""
    together = 1
    while together * width < _ACROSS // 2 and height % (2 * together) == 0:
        together *= 2
    return together


class Plan(NamedTuple):
    """How to reduce: the block, what it gets besides arrays, and how its parts are joined.

    Attributes
    ----------
    name : str
        ``"columns"``, ``"rows"`` or ``"short_rows"``.
    tasks, chunk : int
        Tasks, and how many a thread takes.
    p, q : int
        Numbers for the block.
    parts, step, between : int
        Parts of a result, their distance, and that of the first parts of two results.
    """

    name: str
    tasks: int
    chunk: int
    p: int
    q: int
    parts: int
    step: int
    between: int


def plan_of(kept: int, reduced: int, leading: bool) -> Plan:
    """The plan for a matrix of `reduced` rows if the reduced axes lead, else of `kept` rows."""
    if leading:
        together = side_by_side(reduced, kept)
        height, width = reduced // together, kept * together
        down, across = -(-height // _DOWN), -(-width // _ACROSS)
        chunk = PIECE // (min(_DOWN, height) * min(_ACROSS, width))
        return Plan("columns", down * across, chunk, height, width, down * together, kept, 1)
    pieces, chunk = pieces_of(reduced)
    if reduced < _SHORT:
        return Plan("short_rows", kept, chunk, reduced, 0, 1, 1, 1)
    return Plan("rows", kept * pieces, chunk, reduced, pieces, pieces, 1, pieces)


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
    axes = axes_of(axis, array.ndim)
    kept_shape = tuple([n for i, n in enumerate(array.shape) if i not in axes])
    matrix, kept, reduced, leading, _ = _matrix(array, axes)
    if not reduced:
        raise ValueError(
            f"logsumexp: axis {axis} of an array of shape {array.shape} has no elements, so that "
            "there is no largest one"
        )
    y = np.empty(kept, array.dtype)
    if kept:
        plan = plan_of(kept, reduced, leading)
        largest, sums = (np.empty(kept * plan.parts, array.dtype) for _ in range(2))
        work = [np.empty_like(matrix)] if plan.name == "short_rows" else []
        made = block_of(plan.name, array.dtype)
        run(made, plan.tasks, plan.chunk, matrix, largest, sums, *work, p=plan.p, q=plan.q)
        join, chunk = block_of("join", array.dtype), PIECE // plan.parts
        parts = {"p": plan.parts, "q": plan.step, "r": plan.between}
        run(join, kept, chunk, largest, sums, y, **parts)
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
    axes = axes_of(axis, array.ndim)
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
        together = side_by_side(reduced, kept)
        made, width = block_of("grad_columns", array.dtype), kept * together
        scale, shift = (np.tile(part.reshape(-1), together) for part in few)
        run(made, reduced // together, PIECE // width, scale, matrix, shift, dx, p=width)
    elif array.size:
        pieces, chunk = pieces_of(reduced)
        made = block_of("grad_rows", array.dtype)
        run(made, kept * pieces, chunk, few[0], matrix, few[1], dx, p=reduced, q=pieces)
    return dx if order is None else dx.transpose(tuple(np.argsort(order)))


def _warm(real: str) -> None:
    x = np.ones((2, 2), real)
    for axis in (0, 1):
        logsumexp_grad(x[:1, :1], x, logsumexp(x, axis=axis, keepdims=True), axis=axis)


for _real in REAL_NAMES:
    on_warmup(f"logsumexp {_real}")(lambda real=_real: _warm(real))
