"""Running sums, products, extremes and sums of exponentials, and linear recurrences, along an axis.

Running sums are added in float64, also those of float32, which are rounded once for each result:
the error does not grow with the length of the axis. Long rows are cut into pieces whose sums are
added first; within a piece four chains of additions run side by side, since one alone would wait
for each addition. What is cut depends on sizes alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import Block, block, kernel, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels.cpu._map import REAL_NAMES, scalar_functions
from tapegrad_kernels.cpu.indexing._call import (
    CHUNK,
    Array,
    as_real,
    back,
    checked_axis,
    last_axis,
    run,
)

_PIECE = 8192
"""Elements of a row that one task adds."""
_COLUMNS = 256
"""Columns that one task adds, where the axis is not the last."""


def _make_sum_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    number: Any = np.dtype(real).type

    @kernel(inline=True, reassociate=True)
    def total_of(x, start, stop):  # type: ignore[no-untyped-def]
        total = 0.0
        for i in range(start, stop):
            total += x[i]
        return total

    @block(f"cumsum_totals.{real}")
    def totals(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, carries, length, pieces = at(packed[0]), float64_at(packed[2]), packed[3], packed[4]
        for task in range(start, stop):
            row = task // pieces
            left = row * length + (task - row * pieces) * _PIECE
            carries[task] = total_of(x, left, min(left + _PIECE, (row + 1) * length))

    @block(f"cumsum_pieces.{real}")
    def rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, carries = at(packed[0]), at(packed[1]), float64_at(packed[2])
        length, pieces, reverse = packed[3], packed[4], packed[5]
        for task in range(start, stop):
            row = task // pieces
            left = row * length + (task - row * pieces) * _PIECE
            right = min(left + _PIECE, (row + 1) * length)
            quarter = (right - left) // 4
            step = -1 if reverse else 1
            first = right - 1 if reverse else left
            a = carries[task]
            if quarter >= 8:
                # Four chains, each from where the one before will end.
                i, j = first, first + step * quarter
                k, m = j + step * quarter, j + 2 * step * quarter
                if reverse:
                    b = a + total_of(x, j + 1, i + 1)
                    c = b + total_of(x, k + 1, j + 1)
                    d = c + total_of(x, m + 1, k + 1)
                else:
                    b = a + total_of(x, i, j)
                    c = b + total_of(x, j, k)
                    d = c + total_of(x, k, m)
                for _ in range(quarter):
                    a += x[i]
                    b += x[j]
                    c += x[k]
                    d += x[m]
                    y[i], y[j], y[k], y[m] = number(a), number(b), number(c), number(d)
                    i, j, k, m = i + step, j + step, k + step, m + step
                first, a = m, d
            last = left - 1 if reverse else right
            while first != last:
                a += x[first]
                y[first] = number(a)
                first += step

    @block(f"cumsum_columns.{real}")
    def columns(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, carries = at(packed[0]), at(packed[1]), float64_at(packed[2])
        length, width, reverse = packed[3], packed[4], packed[5]
        across = (width + _COLUMNS - 1) // _COLUMNS
        for task in range(start, stop):
            outer = task // across
            left = (task - outer * across) * _COLUMNS
            wide = min(_COLUMNS, width - left)
            at_carry = outer * width + left
            for j in range(wide):
                carries[at_carry + j] = 0.0
            for i in range(length):
                line = length - 1 - i if reverse else i
                here = (outer * length + line) * width + left
                for j in range(wide):
                    total = carries[at_carry + j] + x[here + j]
                    carries[at_carry + j] = total
                    y[here + j] = number(total)

    return {"totals": totals, "rows": rows, "columns": columns}


def _make_row_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    number: Any = np.dtype(real).type
    one, lowest = number(1.0), number(-np.inf)
    scalar = scalar_functions(real)
    exp, log = scalar["exp"], scalar["log"]

    @block(f"cumprod.{real}")
    def products(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, length, reverse = at(packed[0]), at(packed[1]), packed[2], packed[3]
        step = -1 if reverse else 1
        for row in range(start, stop):
            i = (row + 1) * length - 1 if reverse else row * length
            product = one
            for _ in range(length):
                product *= x[i]
                y[i] = product
                i += step

    @block(f"cummax.{real}")
    def extremes(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, places = at(packed[0]), at(packed[1]), int64_at(packed[2])
        length, reverse, smallest = packed[3], packed[4], packed[5]
        step = -1 if reverse else 1
        sign = -one if smallest else one
        for row in range(start, stop):
            first = row * length
            i = first + length - 1 if reverse else first
            best, place = x[i], i - first
            for _ in range(length):
                if sign * x[i] > sign * best or (x[i] != x[i] and best == best):
                    best, place = x[i], i - first
                y[i], places[i] = best, place
                i += step

    @block(f"logcumsumexp.{real}")
    def exponentials(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, length, reverse = at(packed[0]), at(packed[1]), packed[2], packed[3]
        step = -1 if reverse else 1
        for row in range(start, stop):
            i = (row + 1) * length - 1 if reverse else row * length
            largest, total = lowest, number(0.0)
            for _ in range(length):
                value = x[i]
                if value > largest:
                    total = total * exp(largest - value) + one
                    largest = value
                elif value == largest:
                    total += one if value > lowest else number(0.0)
                else:
                    total += exp(value - largest)
                y[i] = largest + log(total)
                i += step

    @block(f"linear_scan.{real}")
    def recurrence(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        a, b, y = at(packed[0]), at(packed[1]), at(packed[2])
        length, reverse = packed[3], packed[4]
        step = -1 if reverse else 1
        for row in range(start, stop):
            i = (row + 1) * length - 1 if reverse else row * length
            state = b[i]
            y[i] = state
            for _ in range(length - 1):
                i += step
                state = a[i] * state + b[i]
                y[i] = state

    return {
        "cumprod": products,
        "cummax": extremes,
        "logcumsumexp": exponentials,
        "linear_scan": recurrence,
    }


_BLOCKS = {
    (name, np.dtype(real)): made
    for real in REAL_NAMES
    for name, made in (_make_sum_blocks(real) | _make_row_blocks(real)).items()
}


def _prepared(operation: str, x: ArrayLike, axis: int | None) -> tuple[Array, int]:
    array = np.asarray(x)
    if axis is None:
        array, axis = array.reshape(-1), 0
    return array, checked_axis(operation, axis, array.ndim)


def _is_other(array: Array) -> bool:
    return array.dtype.kind in "iubc"


def _numpy_scan(function: Any, array: Array, axis: int, reverse: bool) -> Array:
    if not reverse:
        return function(array, axis=axis)
    return np.flip(function(np.flip(array, axis), axis=axis), axis)


def _run_rows(name: str, reverse: bool, *arrays: Array, smallest: bool = False) -> None:
    first = arrays[0]
    if first.size:
        length = first.shape[-1]
        made = _BLOCKS[name, first.dtype]
        settings = {"p": length, "q": int(reverse), "r": int(smallest)}
        run(made, first.size // length, CHUNK // length, *arrays, **settings)


def cumsum(x: ArrayLike, *, axis: int | None = None, reverse: bool = False) -> Array:
    """Running sums along an axis, or over the flattened array.

    Parameters
    ----------
    x : array_like
        Numbers.
    axis : int or None
        None runs over the flattened array.
    reverse : bool, default False
        Whether the sums run from the end.

    Returns
    -------
    ndarray
        Of the dtype of `x`, of NumPy's for integers. Each float32 is the correctly rounded
        float64 sum but for the error of that.

    Raises
    ------
    ValueError
        If the axis does not exist.

    Examples
    --------
    >>> cumsum([1.0, 2.0, 3.0], reverse=True)
    array([6., 5., 3.])
    """
    array, axis = _prepared("cumsum", x, axis)
    if _is_other(array):
        return _numpy_scan(np.cumsum, array, axis, reverse)
    array = as_real("cumsum", array)
    y = np.empty_like(array)
    if not y.size:
        return y
    length = array.shape[axis]
    outer = int(np.prod(array.shape[:axis]))
    width = array.size // (outer * length)
    if width > 1:
        tasks = outer * -(-width // _COLUMNS)
        chunk = CHUNK // (length * min(width, _COLUMNS))
        made, carries = _BLOCKS["columns", y.dtype], np.empty(outer * width)
        run(made, tasks, chunk, array, y, carries, p=length, q=width, r=int(reverse))
        return y
    pieces = -(-length // _PIECE)
    chunk = CHUNK // min(length, _PIECE)
    carries = np.zeros((outer, pieces))
    settings = {"p": length, "q": pieces, "r": int(reverse)}
    if pieces > 1:
        made = _BLOCKS["totals", y.dtype]
        run(made, outer * pieces, chunk, array, y, carries, **settings)
        sums = carries[:, ::-1] if reverse else carries
        before = np.zeros_like(sums)
        np.cumsum(sums[:, :-1], axis=1, out=before[:, 1:])
        carries = np.ascontiguousarray(before[:, ::-1] if reverse else before)
    run(_BLOCKS["rows", y.dtype], outer * pieces, chunk, array, y, carries, **settings)
    return y


def cumprod(x: ArrayLike, *, axis: int | None = None, reverse: bool = False) -> Array:
    """Running products along an axis; parameters and errors as in `cumsum`.

    Examples
    --------
    >>> cumprod([1.0, 2.0, 3.0])
    array([1., 2., 6.])
    """
    array, axis = _prepared("cumprod", x, axis)
    if _is_other(array):
        return _numpy_scan(np.cumprod, array, axis, reverse)
    rows = last_axis(as_real("cumprod", array), axis)
    y = np.empty_like(rows)
    _run_rows("cumprod", reverse, rows, y)
    return back(y, axis)


def _running_extreme(operation: str, x: ArrayLike, axis: int | None, reverse: bool) -> Any:
    array, axis = _prepared(operation, x, axis)
    rows = last_axis(as_real(operation, array), axis)
    y, places = np.empty_like(rows), np.empty(rows.shape, np.int64)
    _run_rows("cummax", reverse, rows, y, places, smallest=operation == "cummin")
    return back(y, axis), back(places, axis)


def cummax(x: ArrayLike, *, axis: int | None = None, reverse: bool = False) -> tuple[Array, Array]:
    """Largest elements up to each place, and where they stand.

    Parameters
    ----------
    x : array_like
        Real numbers.
    axis, reverse
        As in `cumsum`.

    Returns
    -------
    values : ndarray
        float32 for float32, otherwise float64. From the first NaN on, NaN.
    indices : ndarray of int64
        Where each stands along the axis; of equal ones, the first that was met.

    Raises
    ------
    ValueError
        If the axis does not exist.

    Examples
    --------
    >>> cummax([1.0, 3.0, 2.0, 3.0])
    (array([1., 3., 3., 3.]), array([0, 1, 1, 1]))
    """
    return _running_extreme("cummax", x, axis, reverse)


def cummin(x: ArrayLike, *, axis: int | None = None, reverse: bool = False) -> tuple[Array, Array]:
    """Smallest elements up to each place, and where they stand; otherwise as `cummax`.

    Examples
    --------
    >>> cummin([3.0, 1.0, 2.0])
    (array([3., 1., 1.]), array([0, 1, 1]))
    """
    return _running_extreme("cummin", x, axis, reverse)


def logcumsumexp(x: ArrayLike, *, axis: int | None = None, reverse: bool = False) -> Array:
    """Logarithms of the running sums of exponentials, without overflow.

    Parameters
    ----------
    x : array_like
        Real numbers.
    axis, reverse
        As in `cumsum`.

    Returns
    -------
    ndarray
        float32 for float32, otherwise float64; -Inf as long as nothing but -Inf was met.

    Raises
    ------
    ValueError
        If the axis does not exist.

    Examples
    --------
    >>> logcumsumexp([1000.0, 1000.0]).round(3)
    array([1000.   , 1000.693])
    """
    array, axis = _prepared("logcumsumexp", x, axis)
    rows = last_axis(as_real("logcumsumexp", array), axis)
    y = np.empty_like(rows)
    _run_rows("logcumsumexp", reverse, rows, y)
    return back(y, axis)


def linear_scan(a: ArrayLike, b: ArrayLike, *, axis: int = -1, reverse: bool = False) -> Array:
    """Linear recurrence ``y[i] = a[i] * y[i - 1] + b[i]`` along an axis, with ``y[0] = b[0]``.

    Parameters
    ----------
    a, b : array_like
        Real numbers, of one shape. The first of `a` is not used.
    axis : int, default -1
        Where the recurrence runs.
    reverse : bool, default False
        Whether it runs from the end: ``y[i] = a[i] * y[i + 1] + b[i]``.

    Returns
    -------
    ndarray
        float32 if both are, otherwise float64.

    Raises
    ------
    ValueError
        If the shapes differ or the axis does not exist.

    Examples
    --------
    >>> linear_scan([0.5, 0.5, 0.5], [1.0, 1.0, 1.0])
    array([1.  , 1.5 , 1.75])
    """
    factors, terms = as_real("linear_scan", a), as_real("linear_scan", b)
    if factors.shape != terms.shape:
        raise ValueError(
            f"linear_scan: a has shape {factors.shape} and b {terms.shape}; they must be equal"
        )
    axis = checked_axis("linear_scan", axis, terms.ndim)
    dtype = np.result_type(factors, terms)
    rows = [last_axis(np.asarray(array, dtype), axis) for array in (factors, terms)]
    y = np.empty_like(rows[1])
    _run_rows("linear_scan", reverse, *rows, y)
    return back(y, axis)


def _warm(real: str) -> None:
    x = np.ones((1, _PIECE + 1), real)
    cumsum(x, axis=1)
    cumsum(x, axis=0)
    for scan in (cumprod, cummax, logcumsumexp):
        scan(x[:, :2], axis=1)
    linear_scan(x[:, :2], x[:, :2])


for _real in REAL_NAMES:
    on_warmup(f"cumsum cumprod cummax logcumsumexp linear_scan {_real}")(
        lambda real=_real: _warm(real)
    )

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "linear_scan", "logcumsumexp"]
