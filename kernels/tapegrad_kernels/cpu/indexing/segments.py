"""Sums, products and extremes of segments, and counts, in the order of the entries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu._real import as_real
from tapegrad_kernels.cpu.indexing._call import Array, as_indices, check_range
from tapegrad_kernels.cpu.indexing.rows import combine_rows


def _segments(operation: str, x: ArrayLike, segment_ids: ArrayLike, count: int) -> Any:
    ids = as_indices(operation, segment_ids)
    rows = as_real(operation, x)
    if ids.ndim != 1 or rows.ndim == 0 or len(rows) != len(ids):
        raise ValueError(
            f"{operation}: x has shape {rows.shape} and segment_ids {ids.shape}; expected one "
            "segment for each entry along the first axis of x"
        )
    if count < 0:
        raise ValueError(f"{operation}: num_segments is {count}, expected a number from 0")
    check_range(operation, "segment", ids, count, "segments")
    return rows, ids


def _combined(name: str, x: ArrayLike, segment_ids: ArrayLike, count: int, empty: float) -> Array:
    operation = "segment_sum" if name == "add" else f"segment_{name}"
    rows, ids = _segments(operation, x, segment_ids, count)
    y = np.full((count, *rows.shape[1:]), empty, rows.dtype)
    combine_rows(name, rows, ids, y)
    return y


def segment_sum(x: ArrayLike, segment_ids: ArrayLike, *, num_segments: int) -> Array:
    """Sums of the entries along the first axis that belong to one segment.

    Parameters
    ----------
    x : array_like, shape (n, ...)
        Real numbers.
    segment_ids : array_like of int, shape (n,)
        Segment of each entry, from 0 to ``num_segments - 1``, in any order.
    num_segments : int
        Length of the result.

    Returns
    -------
    ndarray, shape (num_segments, ...)
        float32 for float32, otherwise float64. An empty segment has the sum 0.

    Raises
    ------
    TypeError
        If the segments are no integers.
    ValueError
        If the shapes do not fit.
    IndexError
        If a segment is out of range; the message names the first.

    Examples
    --------
    >>> segment_sum([1.0, 2.0, 4.0], [0, 2, 0], num_segments=3)
    array([5., 0., 2.])
    """
    return _combined("add", x, segment_ids, num_segments, 0.0)


def segment_max(x: ArrayLike, segment_ids: ArrayLike, *, num_segments: int) -> Array:
    """Largest entries of segments, -Inf for an empty one, NaN for one with NaN.

    Arguments and errors as in `segment_sum`.

    Examples
    --------
    >>> segment_max([1.0, 2.0, 4.0], [0, 2, 0], num_segments=3)
    array([  4., -inf,   2.])
    """
    return _combined("max", x, segment_ids, num_segments, -np.inf)


def segment_min(x: ArrayLike, segment_ids: ArrayLike, *, num_segments: int) -> Array:
    """Smallest entries of segments, Inf for an empty one, NaN for one with NaN.

    Arguments and errors as in `segment_sum`.

    Examples
    --------
    >>> segment_min([1.0, 2.0, 4.0], [0, 2, 0], num_segments=3)
    array([ 1., inf,  2.])
    """
    return _combined("min", x, segment_ids, num_segments, np.inf)


def segment_prod(x: ArrayLike, segment_ids: ArrayLike, *, num_segments: int) -> Array:
    """Products of the entries of segments, 1 for an empty one.

    Arguments and errors as in `segment_sum`.

    Examples
    --------
    >>> segment_prod([3.0, 2.0, 4.0], [0, 2, 0], num_segments=3)
    array([12.,  1.,  2.])
    """
    return _combined("prod", x, segment_ids, num_segments, 1.0)


def bincount(indices: ArrayLike, *, length: int) -> Array:
    """How often each number from 0 to ``length - 1`` occurs.

    Parameters
    ----------
    indices : array_like of int, any shape
        In that range.
    length : int
        Length of the result.

    Returns
    -------
    ndarray of int64, shape (length,)

    Raises
    ------
    TypeError
        If the indices are no integers.
    IndexError
        If one is out of range; the message names the first.

    Examples
    --------
    >>> bincount([0, 2, 0], length=4)
    array([2, 0, 1, 0])
    """
    chosen = as_indices("bincount", indices)
    check_range("bincount", "number", chosen, length, "bins")
    return np.bincount(chosen.reshape(-1), minlength=length).astype(np.int64, copy=False)


def _warm(real: str) -> None:
    x, ids = np.ones((2, 1), real), np.zeros(2, np.int64)
    for segment in (segment_sum, segment_max, segment_min, segment_prod):
        segment(x, ids, num_segments=1)


for _real in REAL_NAMES:
    on_warmup(f"segment_sum segment_max segment_min segment_prod {_real}")(
        lambda real=_real: _warm(real)
    )

__all__ = ["bincount", "segment_max", "segment_min", "segment_prod", "segment_sum"]
