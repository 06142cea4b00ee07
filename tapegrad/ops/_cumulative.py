"""Cumulative operations: running sums, products, extremes, and linear recurrences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.primitive import Primitive, defvjp, defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor
from tapegrad.ops._exponential import exp
from tapegrad.ops._indexing import gather_along_axis, getitem
from tapegrad.ops._selection import isfinite, where
from tapegrad.ops._shape import as_tensor, pad, reshape


def _moved(x: Any, axis: int, back: bool, fill: float = 0.0) -> Any:
    """`x` moved one place along an axis, towards the end or `back`, with `fill` where it left."""
    axis %= x.ndim
    lead = (slice(None),) * axis
    kept = getitem(x, (*lead, slice(1, None) if back else slice(None, -1)))
    widths = [(0, 0)] * x.ndim
    widths[axis] = (0, 1) if back else (1, 0)
    return pad(kept, widths, constant_values=fill)


def _prepared(x: Any, axis: int | None, exclusive: bool, reverse: bool, empty: float) -> Any:
    """The operand and its axis: flattened for None, moved one place for an exclusive scan."""
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    if exclusive and x.size:
        x = _moved(x, axis, reverse, empty)
    return x, int(axis)


_cumsum = primitive("cumsum", saves="none", doc="Running sums along an axis.")


def _cumsum_rule(g: Any, answer: Any, x: Any, axis: int, reverse: bool = False) -> Any:
    return _cumsum(g, axis=axis, reverse=not reverse)


defvjp(_cumsum, _cumsum_rule)


@operation(np.cumsum)
def cumsum(
    x: Any, axis: int | None = None, *, exclusive: bool = False, reverse: bool = False
) -> Tensor:
    """Running sums along an axis, of the flattened array if it is None.

    Parameters
    ----------
    x : array_like
    axis : int or None
    exclusive : bool, default False
        Whether an element is left out of its own sum.
    reverse : bool, default False
        Whether the sums run from the end.

    Returns
    -------
    Tensor
        Of the shape and floating dtype of `x`. On the CPU float32 is added in float64, so that
        the error of a result does not grow with the length.

    Raises
    ------
    ValueError
        If the axis does not exist.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.cumsum(tg.tensor([1.0, 2.0, 3.0]))
    Tensor([1., 3., 6.], dtype=float64)
    >>> tg.ops.cumsum(tg.tensor([1.0, 2.0, 3.0]), exclusive=True, reverse=True)
    Tensor([5., 3., 0.], dtype=float64)
    """
    x, axis = _prepared(x, axis, exclusive, reverse, 0)
    return _cumsum(x, axis=axis, reverse=bool(reverse))


_linear_scan = primitive("linear_scan", doc="``y[i] = a[i] * y[i - 1] + b[i]`` along an axis.")


def _linear_scan_rule(
    g: Any, answer: Any, a: Any, b: Any, *, needs: Sequence[bool], axis: int, reverse: bool
) -> list[Any]:
    # What a change of b[i] does further on obeys the same recurrence from the other end.
    if answer.size == 0:
        return [g, g]
    by_b = _linear_scan(_moved(a, axis, not reverse), g, axis=axis, reverse=not reverse)
    by_a = by_b * _moved(answer, axis, reverse) if needs[0] else None
    return [by_a, by_b]


defvjp_joint(_linear_scan, _linear_scan_rule)


@operation()
def linear_scan(a: Any, b: Any, axis: int = -1, reverse: bool = False) -> Tensor:
    """Linear recurrence ``y[i] = a[i] * y[i - 1] + b[i]`` along an axis, with ``y[0] = b[0]``.

    Discounted sums of rewards and moving averages are such recurrences.

    Parameters
    ----------
    a, b : array_like
        Of one shape. The first of `a` is not used.
    axis : int, default -1
    reverse : bool, default False
        Whether it runs from the end: ``y[i] = a[i] * y[i + 1] + b[i]``.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the shapes differ or the axis does not exist.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.linear_scan(tg.tensor([0.5, 0.5, 0.5]), tg.tensor([1.0, 1.0, 1.0]))
    Tensor([1.  , 1.5 , 1.75], dtype=float64)
    """
    return _linear_scan(as_tensor(a), as_tensor(b), axis=int(axis), reverse=bool(reverse))


_cumprod = primitive("cumprod", saves="inputs", doc="Running products along an axis.")


def _cumprod_rule(g: Any, answer: Any, x: Any, axis: int, reverse: bool) -> Any:
    # The products of what comes before, times the sum over what comes after, by a recurrence:
    # nothing is divided by x, which may be 0.
    if x.size == 0:
        return g
    before = _cumprod(_moved(x, axis, reverse, 1.0), axis=axis, reverse=reverse)
    after = _linear_scan(_moved(x, axis, not reverse), g, axis=axis, reverse=not reverse)
    return before * after


defvjp(_cumprod, _cumprod_rule)


@operation(np.cumprod)
def cumprod(
    x: Any, axis: int | None = None, *, exclusive: bool = False, reverse: bool = False
) -> Tensor:
    """Running products along an axis; the arguments are those of `cumsum`.

    Notes
    -----
    The derivative is right with any number of zeros among the factors.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.cumprod(tg.tensor([2.0, 3.0, 4.0]))
    Tensor([ 2.,  6., 24.], dtype=float64)
    """
    x, axis = _prepared(x, axis, exclusive, reverse, 1)
    return _cumprod(x, axis=axis, reverse=bool(reverse))


_EXTREMES = "Running extremes along an axis, and where they stand."
_cummax = primitive("cummax", differentiable=False, doc=_EXTREMES)
_cummin = primitive("cummin", differentiable=False, doc=_EXTREMES)


def _running_extreme(operation: Primitive, x: Any, axis: int | None, reverse: bool) -> Tensor:
    x, place = _prepared(x, axis, False, reverse, 0)
    values, places = operation(x, axis=place, reverse=bool(reverse))
    # The values by their places, which have a derivative, where a tape may ask for one.
    return gather_along_axis(x, places, place) if thread.listeners else values


@operation()
def cummax(x: Any, axis: int | None = None, *, reverse: bool = False) -> Tensor:
    """Largest elements up to each place along an axis; the arguments are those of `cumsum`.

    Notes
    -----
    The gradient goes to the first of equal largest elements. From the first NaN on, all are NaN.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.cummax(tg.tensor([1.0, 3.0, 2.0]))
    Tensor([1., 3., 3.], dtype=float64)
    """
    return _running_extreme(_cummax, x, axis, reverse)


@operation()
def cummin(x: Any, axis: int | None = None, *, reverse: bool = False) -> Tensor:
    """Smallest elements up to each place along an axis; see `cummax`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.cummin(tg.tensor([3.0, 1.0, 2.0]))
    Tensor([3., 1., 1.], dtype=float64)
    """
    return _running_extreme(_cummin, x, axis, reverse)


_logcumsumexp = primitive(
    "logcumsumexp", saves="both", doc="Logarithms of running sums of exponentials."
)


def _logcumsumexp_rule(g: Any, answer: Any, x: Any, axis: int, reverse: bool) -> Any:
    # With y for the answer, sum(g[i] * exp(x[j] - y[i])) over i >= j is exp(x[j] - y[j]) times
    # what a recurrence with the factors exp(y[j] - y[j + 1]) gives; no exponent is above 0.
    if x.size == 0:
        return g
    finite = isfinite(answer)
    y = where(finite, answer, 0)
    fall = _moved(_moved(y, axis, reverse) - y, axis, not reverse)
    factors = where(finite, exp(where(finite, fall, 0)), 0)
    sums = _linear_scan(factors, g, axis=axis, reverse=not reverse)
    return exp(x - y) * sums


defvjp(_logcumsumexp, _logcumsumexp_rule)


@operation()
def logcumsumexp(
    x: Any, axis: int | None = None, *, exclusive: bool = False, reverse: bool = False
) -> Tensor:
    """Logarithms of the running sums of exponentials, without overflow.

    The arguments are those of `cumsum`; an exclusive sum begins with -inf.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.logcumsumexp(tg.tensor([0.0, 0.0]))
    Tensor([0.        , 0.69314718], dtype=float64)
    """
    x, axis = _prepared(x, axis, exclusive, reverse, -np.inf)
    return _logcumsumexp(x, axis=axis, reverse=bool(reverse))


@operation(np.diff)
def diff(x: Any, n: int = 1, axis: int = -1) -> Tensor:
    """Differences of neighbours along an axis, taken `n` times."""
    x = as_tensor(x)
    lead = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        x = getitem(x, (*lead, slice(1, None))) - getitem(x, (*lead, slice(None, -1)))
    return x
