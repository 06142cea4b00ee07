"""Running sums, products, extremes and sums of exponentials, and linear recurrences, along an axis.

Running sums are added in float64, also those of float32, which are rounded once for each result:
the error does not grow with the length of the axis. Long rows are cut into pieces whose sums are
added first; within a piece four chains of additions run side by side, since one alone would wait
for each addition. What is cut depends on sizes alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu._real import as_real
from tapegrad_kernels.cpu.indexing._call import (
    CHUNK,
    Array,
    back,
    checked_axis,
    last_axis,
    run,
)
from tapegrad_kernels.cpu.indexing._scan_kernels import BLOCKS, COLUMNS, PIECE


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
        made = BLOCKS[name, first.dtype]
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
    outer = math.prod(array.shape[:axis])
    width = array.size // (outer * length)
    if width > 1:
        tasks = outer * -(-width // COLUMNS)
        chunk = CHUNK // (length * min(width, COLUMNS))
        made, carries = BLOCKS["columns", y.dtype], np.empty(outer * width)
        run(made, tasks, chunk, array, y, carries, p=length, q=width, r=int(reverse))
        return y
    pieces = -(-length // PIECE)
    chunk = CHUNK // min(length, PIECE)
    carries = np.zeros((outer, pieces))
    settings = {"p": length, "q": pieces, "r": int(reverse)}
    if pieces > 1:
        made = BLOCKS["totals", y.dtype]
        run(made, outer * pieces, chunk, array, y, carries, **settings)
        sums = carries[:, ::-1] if reverse else carries
        before = np.zeros_like(sums)
        np.cumsum(sums[:, :-1], axis=1, out=before[:, 1:])
        carries = np.ascontiguousarray(before[:, ::-1] if reverse else before)
    run(BLOCKS["rows", y.dtype], outer * pieces, chunk, array, y, carries, **settings)
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
    x = np.ones((1, PIECE + 1), real)
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
