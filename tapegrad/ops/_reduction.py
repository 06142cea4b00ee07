"""Reductions over axes."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from tapegrad._core.builtin import _broadcast_to
from tapegrad._core.operators import Axis
from tapegrad._core.primitive import Primitive, defvjp, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._arithmetic import divide, multiply, sqrt, square
from tapegrad.ops._exponential import exp
from tapegrad.ops._selection import equal, isfinite, where
from tapegrad.ops._shape import broadcast_to, flip, reshape, transpose


def normalize_axes(axis: Any, ndim: int, name: str) -> tuple[int, ...]:
    """Axes as non-negative numbers, all of them for None.

    Raises
    ------
    ValueError
        If an axis does not exist or is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    named = axis if isinstance(axis, tuple | list) else (axis,)
    chosen = []
    for number in named:
        number = int(number)
        if not -ndim <= number < builtins.max(ndim, 1):
            raise ValueError(f"{name}: axis {number} does not exist in an array of {ndim} axes")
        chosen.append(number % ndim if ndim else 0)
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"{name}: axis {axis} names an axis twice")
    return tuple(chosen) if ndim else ()


def _plain_axis(axis: Any) -> Any:
    if isinstance(axis, list):
        return tuple(int(number) for number in axis)
    return axis if axis is None or isinstance(axis, tuple) else int(axis)


def expand_reduced(reduced: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """A reduced array with the axes of `x` back, those that were reduced of length 1."""
    if keepdims or axis is None or x.ndim == 0:  # a scalar broadcasts as it is
        return reduced
    axes = normalize_axes(axis, x.ndim, "reduction")
    return reshape(reduced, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


_sum = primitive("sum", saves="none", doc="Sum over axes.")
defvjp(
    _sum,
    lambda g, answer, x, axis, keepdims: _broadcast_to(
        expand_reduced(g, x, axis, keepdims), shape=x.shape
    ),
)


@operation(np.sum)
def sum(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Sum of the elements over axes.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Axes to sum over, by default all.
    keepdims : bool, default False
        Whether the axes stay, with length 1.

    Returns
    -------
    Tensor
        Of the dtype of `x` (integers become at least int64, as in NumPy).

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.sum(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([4., 6.], dtype=float64)
    """
    return _sum(x, axis=_plain_axis(axis), keepdims=keepdims)


_mean = primitive("mean", saves="none", doc="Mean over axes.")


def _mean_rule(g: Any, answer: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    share = divide(g, builtins.max(x.size // builtins.max(answer.size, 1), 1))
    return _broadcast_to(expand_reduced(share, x, axis, keepdims), shape=x.shape)


defvjp(_mean, _mean_rule)


@operation(np.mean)
def mean(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Arithmetic mean over axes; the arguments are those of `sum`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.mean(tg.tensor([1.0, 2.0, 6.0]))
    Tensor(3., dtype=float64)
    """
    return _mean(x, axis=_plain_axis(axis), keepdims=keepdims)


def _products_of_the_others(x: Any) -> Any:
    """For each element of the last axis, the product of all the others.

    A tree of pairwise products, up and down: right with any number of zeros,
    where dividing the whole product by the element is not.
    """
    from tapegrad.ops._shape import pad

    length = x.shape[-1]
    size = 1 << builtins.max(length - 1, 0).bit_length()
    lead = x.shape[:-1]
    if size != length:
        x = pad(x, [(0, 0)] * len(lead) + [(0, size - length)], constant_values=1)
    levels = []
    while size > 1:
        pairs = reshape(x, (*lead, size // 2, 2))
        levels.append(pairs)
        x = pairs[..., 0] * pairs[..., 1]
        size //= 2
    others: Any = None
    for pairs in reversed(levels):
        swapped = flip(pairs, -1)
        others = swapped if others is None else swapped * reshape(others, (*others.shape, 1))
        others = reshape(others, (*lead, 2 * pairs.shape[-2]))
    if others is None:  # one element: the empty product
        return where(equal(x, x), 1, x) if x.size else x
    return others[..., :length]


def _prod_rule(g: Any, answer: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    if x.ndim == 0:
        return g
    axes = normalize_axes(axis, x.ndim, "prod")
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    moved = transpose(x, kept + axes)
    kept_shape = tuple(x.shape[i] for i in kept)
    if x.size == 0:
        return (
            g * 0.0
            if x.shape == g.shape
            else broadcast_to(expand_reduced(g, x, axis, keepdims), x.shape)
        )
    others = _products_of_the_others(reshape(moved, (*kept_shape, -1)))
    others = reshape(others, moved.shape)
    inverse = [0] * x.ndim
    for position, source in enumerate(kept + axes):
        inverse[source] = position
    return expand_reduced(g, x, axis, keepdims) * transpose(others, tuple(inverse))


_prod = primitive("prod", saves="inputs", doc="Product over axes.")
defvjp(_prod, _prod_rule)


@operation(np.prod)
def prod(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Product of the elements over axes; the arguments are those of `sum`.

    Notes
    -----
    The derivative is right with any number of zeros among the factors.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.prod(tg.tensor([2.0, 3.0, 4.0]))
    Tensor(24., dtype=float64)
    """
    return _prod(x, axis=_plain_axis(axis), keepdims=keepdims)


def _extremum_rule(g: Any, answer: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    best = expand_reduced(answer, x, axis, keepdims)
    mask = equal(x, best).astype(x.dtype)
    count = sum(mask, axis=axis, keepdims=True)
    return expand_reduced(g, x, axis, keepdims) * mask / count


def _extremum(name: str) -> Primitive:
    made = primitive(name, doc=f"{name.capitalize()}imum over axes.")
    defvjp(made, _extremum_rule)
    return made


_max = _extremum("max")
_min = _extremum("min")


@operation(np.max, np.amax)
def max(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Largest element over axes; the arguments are those of `sum`.

    Notes
    -----
    Equal largest elements share the gradient.

    Raises
    ------
    ValueError
        If there is no element to choose from.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.max(tg.tensor([1.0, 5.0, 2.0]))
    Tensor(5., dtype=float64)
    """
    return _max(x, axis=_plain_axis(axis), keepdims=keepdims)


@operation(np.min, np.amin)
def min(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Smallest element over axes; see `max`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.min(tg.tensor([1.0, 5.0, 2.0]))
    Tensor(1., dtype=float64)
    """
    return _min(x, axis=_plain_axis(axis), keepdims=keepdims)


@operation(np.var)
def var(x: Any, axis: Axis = None, *, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """Variance over axes: the mean squared distance from the mean.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        Axes, by default all.
    ddof : int, default 0
        The divisor is the number of elements less this.
    keepdims : bool, default False
        Whether the axes stay, with length 1.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.var(tg.tensor([1.0, 3.0]))
    Tensor(1., dtype=float64)
    """
    x = x if isinstance(x, Tensor) else multiply(x, 1)
    axis = _plain_axis(axis)
    centred = x - mean(x, axis=axis, keepdims=True)
    variance = mean(square(centred), axis=axis, keepdims=keepdims)
    if ddof:
        count = x.size // builtins.max(variance.size, 1)
        variance = variance * (count / (count - ddof) if count > ddof else float("nan"))
    return variance


@operation(np.std)
def std(x: Any, axis: Axis = None, *, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """Standard deviation over axes: the square root of `var`.

    Notes
    -----
    Where all elements are equal the derivative does not exist, and is NaN.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.std(tg.tensor([1.0, 3.0]))
    Tensor(1., dtype=float64)
    """
    return sqrt(var(x, axis, ddof=ddof, keepdims=keepdims))


_logsumexp_grad = primitive(
    "logsumexp_grad", saves="both", doc="``g * exp(x - y)``, the gradient of logsumexp."
)


def _share_of_total(x: Any, y: Any) -> Any:
    """``exp(x - y)``, where 0 stands for a `y` that is not finite."""
    # -inf - -inf is NaN, yet the share of an element that is -inf is 0.
    return exp(x - where(isfinite(y), y, 0))


defvjp(
    _logsumexp_grad,
    lambda h, answer, g, x, y, axis: h * _share_of_total(x, y),
    lambda h, answer, g, x, y, axis: h * answer,
    lambda h, answer, g, x, y, axis: -h * answer,
)

_logsumexp = primitive("logsumexp", doc="Logarithm of the sum of exponentials over axes.")


def _logsumexp_rule(g: Any, answer: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    if x.ndim == 0:  # the logarithm undoes the exponential
        return g
    whole = axis is None and not keepdims
    parts = [
        reshape(part, (1,) * x.ndim) if whole else expand_reduced(part, x, axis, keepdims)
        for part in (g, answer)
    ]
    return _logsumexp_grad(parts[0], x, parts[1], axis=axis)


defvjp(_logsumexp, _logsumexp_rule)


@operation()
def logsumexp(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` over axes, without overflow; the arguments are those of `sum`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> round(float(tg.ops.logsumexp(tg.tensor([1000.0, 1000.0]))), 3)
    1000.693
    """
    return _logsumexp(x, axis=_plain_axis(axis), keepdims=keepdims)


_any = primitive("any", differentiable=False, doc="Whether any element over axes is true.")
_all = primitive("all", differentiable=False, doc="Whether all elements over axes are true.")
_argmax = primitive("argmax", differentiable=False, doc="Index of the first largest element.")
_argmin = primitive("argmin", differentiable=False, doc="Index of the first smallest element.")


@operation(np.any)
def any(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Whether any element over axes is true (not zero)."""
    return _any(x, axis=_plain_axis(axis), keepdims=keepdims)


@operation(np.all)
def all(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Whether all elements over axes are true (not zero)."""
    return _all(x, axis=_plain_axis(axis), keepdims=keepdims)


@operation(np.argmax)
def argmax(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """Index of the largest element along an axis, the first of equal ones; int64."""
    return _argmax(x, axis=axis, keepdims=keepdims)


@operation(np.argmin)
def argmin(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """Index of the smallest element along an axis, the first of equal ones; int64."""
    return _argmin(x, axis=axis, keepdims=keepdims)


@operation(np.count_nonzero)
def count_nonzero(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Number of elements over axes that are not zero."""
    from tapegrad.ops._selection import not_equal

    return sum(not_equal(x, 0), axis=axis, keepdims=keepdims)
