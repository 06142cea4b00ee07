"""Comparisons, logic, and choosing between values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.primitive import defvjp, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._elementwise import elementwise

equal = elementwise(np.equal, differentiable=False)
not_equal = elementwise(np.not_equal, differentiable=False)
less = elementwise(np.less, differentiable=False)
less_equal = elementwise(np.less_equal, differentiable=False)
greater = elementwise(np.greater, differentiable=False)
greater_equal = elementwise(np.greater_equal, differentiable=False)
logical_and = elementwise(np.logical_and, differentiable=False)
logical_or = elementwise(np.logical_or, differentiable=False)
logical_xor = elementwise(np.logical_xor, differentiable=False)
logical_not = elementwise(np.logical_not, differentiable=False)
bitwise_and = elementwise(np.bitwise_and, differentiable=False)
bitwise_or = elementwise(np.bitwise_or, differentiable=False)
bitwise_xor = elementwise(np.bitwise_xor, differentiable=False)
invert = elementwise(np.invert, differentiable=False)
isnan = elementwise(np.isnan, differentiable=False)
isinf = elementwise(np.isinf, differentiable=False)
isfinite = elementwise(np.isfinite, differentiable=False)
signbit = elementwise(np.signbit, differentiable=False)

_where = primitive("where", saves="inputs")
defvjp(
    _where,
    None,
    lambda g, answer, condition, x, y: _where(condition, g, 0),
    lambda g, answer, condition, x, y: _where(condition, 0, g),
)


@operation(np.where)
def where(condition: Any, x: Any, y: Any) -> Tensor:
    """Elements of `x` where `condition` holds and of `y` elsewhere, with broadcasting.

    Parameters
    ----------
    condition : array_like of bool
    x, y : array_like

    Returns
    -------
    Tensor

    Notes
    -----
    The side that is not chosen gets a gradient of 0. If it is computed by a
    function with a singularity there, its own derivative is still NaN or infinite,
    and 0 * inf is NaN: mask its argument too.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.tensor([-1.0, 4.0])
    >>> tg.ops.where(x > 0, x, 0.0)
    Tensor([0., 4.], dtype=float64)
    """
    return _where(condition, x, y)


def _share(g: Any, chosen: Any, answer: Any, other: Any) -> Any:
    """`g` where `chosen` is the answer; half of it where both are."""
    mask = equal(chosen, answer).astype(answer.dtype)
    tie = equal(chosen, other).astype(answer.dtype)
    return g * mask * (1 - 0.5 * tie)


_TIES = "where the arguments are equal each gets half"

maximum = elementwise(np.maximum, singular=_TIES)
defvjp(
    maximum,
    lambda g, answer, x, y: _share(g, x, answer, y),
    lambda g, answer, x, y: _share(g, y, answer, x),
)

minimum = elementwise(np.minimum, singular=_TIES)
defvjp(
    minimum,
    lambda g, answer, x, y: _share(g, x, answer, y),
    lambda g, answer, x, y: _share(g, y, answer, x),
)

fmax = elementwise(np.fmax, singular=_TIES)
defvjp(
    fmax,
    lambda g, answer, x, y: _share(g, x, answer, y),
    lambda g, answer, x, y: _share(g, y, answer, x),
)

fmin = elementwise(np.fmin, singular=_TIES)
defvjp(
    fmin,
    lambda g, answer, x, y: _share(g, x, answer, y),
    lambda g, answer, x, y: _share(g, y, answer, x),
)


@operation(np.clip)
def clip(x: Any, min: Any = None, max: Any = None, **bounds: Any) -> Tensor:
    """Elements of `x` limited to the interval from `min` to `max`.

    Parameters
    ----------
    x : array_like
    min, max : array_like, optional
        Bounds; None leaves a side open. Tensors may be given, and get gradients.
        NumPy's older names ``a_min`` and ``a_max`` work too.

    Returns
    -------
    Tensor

    Notes
    -----
    Inside and at the bounds the derivative by `x` is 1, outside it is 0.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.clip(tg.tensor([-2.0, 0.5, 3.0]), 0.0, 1.0)
    Tensor([0. , 0.5, 1. ], dtype=float64)
    """
    min = bounds.pop("a_min", min)
    max = bounds.pop("a_max", max)
    if bounds:
        raise TypeError(f"clip: unknown argument {next(iter(bounds))!r}")
    return _clip(x, min, max)


def _inside(x: Any, low: Any, high: Any) -> Any:
    if low is None:
        return True if high is None else less_equal(x, high)
    above = greater_equal(x, low)
    return above if high is None else logical_and(above, less_equal(x, high))


_clip = primitive("clip", saves="inputs", doc="`x` limited to an interval.")
defvjp(
    _clip,
    lambda g, answer, x, low, high: _where(_inside(x, low, high), g, 0),
    lambda g, answer, x, low, high: _where(less(x, low), g, 0),
    lambda g, answer, x, low, high: _where(greater(x, high), g, 0),
)
