"""Sums, means, products and extremes, over all elements or along axes.

float32 and float64 have kernels for three layouts: everything, the trailing axes (rows)
and axes in front of others (columns, as for the gradient of a bias). Axes that are apart
go one after another. NumPy does the other types.

The bits of a result depend neither on the number of threads nor on strides, and sums are more
accurate than NumPy's (see `tapegrad_kernels.cpu._reduction_kernels`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64, REAL_NAMES
from tapegrad_kernels.cpu._reduction_kernels import (
    CHUNK,
    ROW_BLOCK,
    over_all,
    over_axes,
    over_middle,
)

Array = NDArray[Any]
Axis = int | Sequence[int] | None

_REALS = frozenset((FLOAT32, FLOAT64))


def normalized_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes as a sorted tuple of non-negative numbers, by NumPy's rules."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(axes, ndim)))


def _reduce(operation: str, x: Any, axis: Axis) -> tuple[Array | None, tuple[int, ...], Array]:
    """The reduced array, if a kernel serves; the axes; the array."""
    x = np.asarray(x)
    shape = x.shape
    axes = normalized_axes(axis, len(shape))
    # Without the check of the size, the extreme of nothing would be an infinity.
    if not axes or x.size == 0 or x.dtype not in _REALS:
        return None, axes, x
    # In C order whatever the strides, so that bits depend on the elements alone.
    y = over_axes(operation, np.asarray(x, order="C"), axes)
    if y.ndim + len(axes) != len(shape):
        y = y.reshape([n for i, n in enumerate(shape) if i not in axes])
    return y, axes, x


def _is_plain_matrix(x: Array) -> bool:
    return bool(x.ndim == 2 and x.size and x.dtype in _REALS and x.flags.c_contiguous)


def _finish(y: Array, axes: tuple[int, ...], shape: tuple[int, ...], keepdims: bool) -> Array:
    if keepdims:
        return y.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))
    return y


def sum(x: ArrayLike, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Sum of the elements along axes.

    Parameters
    ----------
    x : array_like
        Numbers.
    axis : int or sequence of int, optional
        The axes that go; all of them if not given.
    keepdims : bool, default False
        Leave the axes in the result with length 1.

    Returns
    -------
    ndarray
        Of the dtype of `x` (of NumPy's for integers), 0-d if no axis is left. The sum of
        nothing is 0.

    Examples
    --------
    >>> sum(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    array([4., 6.])
    """
    if (
        axis == 0
        and type(x) is np.ndarray
        and _is_plain_matrix(x)
        and x.shape[1] > 1
        and not keepdims
    ):
        height, width = x.shape
        return over_middle("sum", x, 1, height, width)  # the gradient of a bias
    y, axes, array = _reduce("sum", x, axis)
    if y is None:
        return np.asarray(np.sum(array, axis=axes, keepdims=keepdims))
    return _finish(y, axes, np.shape(x), keepdims)


def mean(x: ArrayLike, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Arithmetic mean along axes; parameters and shapes as in `sum`.

    Integers give float64. The mean of nothing is NaN, with NumPy's warning.

    Examples
    --------
    >>> mean(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    array([1.5, 3.5])
    """
    if (
        axis is None
        and type(x) is np.ndarray
        and x.dtype in _REALS
        and x.size
        and x.flags.c_contiguous
        and not keepdims
    ):
        total = over_all("sum", x)  # the loss of a batch
        return np.asarray(total / total.dtype.type(x.size))
    y, axes, array = _reduce("sum", x, axis)
    if y is None:
        return np.asarray(np.mean(array, axis=axes, keepdims=keepdims))
    count = array.size // y.size
    return _finish(np.asarray(y / y.dtype.type(count)), axes, np.shape(x), keepdims)


def max(x: ArrayLike, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Largest element along axes, NaN if there is one; parameters and shapes as in `sum`.

    Raises
    ------
    ValueError
        If there is nothing to choose from.

    Examples
    --------
    >>> max(np.array([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    array([5., 4.])
    """
    y, axes, array = _reduce("max", x, axis)
    if y is None:
        return np.asarray(np.max(array, axis=axes, keepdims=keepdims))
    return _finish(y, axes, np.shape(x), keepdims)


def min(x: ArrayLike, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Smallest element along axes, NaN if there is one; parameters and shapes as in `sum`.

    Raises
    ------
    ValueError
        If there is nothing to choose from.

    Examples
    --------
    >>> min(np.array([[1.0, 5.0], [3.0, 4.0]]), axis=0)
    array([1., 4.])
    """
    y, axes, array = _reduce("min", x, axis)
    if y is None:
        return np.asarray(np.min(array, axis=axes, keepdims=keepdims))
    return _finish(y, axes, np.shape(x), keepdims)


def prod(x: ArrayLike, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Product of the elements along axes; parameters and shapes as in `sum`.

    NumPy's, in C order: another order could overflow where this one does not.

    Examples
    --------
    >>> prod(np.array([2.0, 3.0]))
    array(6.)
    """
    x = np.asarray(x, order="C")
    return np.asarray(np.prod(x, axis=normalized_axes(axis, x.ndim), keepdims=keepdims))


def _warm(operation: str, real: str) -> None:
    reduce = {"sum": sum, "max": max, "min": min}[operation]
    for shape, axis in (((2, 2), 0), ((2, 2), 1), ((CHUNK + 1,), None), ((ROW_BLOCK + 1, 2), 0)):
        reduce(np.ones(shape, real), axis=axis)


for _real in REAL_NAMES:
    for _operation in ("sum", "max", "min"):
        on_warmup(f"{_operation} {_real}")(
            lambda operation=_operation, real=_real: _warm(operation, real)
        )

__all__ = ["max", "mean", "min", "prod", "sum"]
