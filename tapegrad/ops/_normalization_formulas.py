"""What the normalizations share: their gradients in elementary operations, and moved axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tapegrad._core.builtin import identity
from tapegrad._core.tape import Tape
from tapegrad.ops._arithmetic import reciprocal, sqrt, square
from tapegrad.ops._reduction import mean, normalize_axes, sum
from tapegrad.ops._selection import greater, where
from tapegrad.ops._shape import reshape, transpose

Formula = Callable[..., tuple[Any, ...]]


def differentiate(
    formula: Formula, weights: Sequence[Any], arguments: Sequence[Any], needs: Sequence[bool]
) -> list[Any]:
    """Gradients of a formula's results by its arguments, on a tape of its own.

    Parameters
    ----------
    formula : callable
        Takes the arguments and returns a tuple of tensors.
    weights : sequence of Tensor or None
        Gradient by each result.
    arguments : sequence of Tensor or None
        Those of the formula.
    needs : sequence of bool
        By which arguments to differentiate.

    Returns
    -------
    list of Tensor or None
        One for each argument. What is computed here is recorded on outer tapes.
    """
    # Fresh aliases: two arguments may be one tensor, whose gradients must stay apart.
    aliases = [identity(a) if needed else a for a, needed in zip(arguments, needs, strict=True)]
    sources = [a for a, needed in zip(aliases, needs, strict=True) if needed]
    with Tape(watch_accessed_variables=False) as tape:
        tape.watch(sources)
        results = formula(*aliases)
    pairs = [(r, w) for r, w in zip(results, weights, strict=True) if w is not None]
    found = iter(tape.gradient([r for r, _ in pairs], sources, [w for _, w in pairs]))
    return [next(found) if needed else None for needed in needs]


def _times(gamma: Any, dy: Any) -> Any:
    return dy if gamma is None else dy * gamma


def _through_statistics(t: Any, h: Any, scale: Any, axes: tuple[int, ...]) -> Any:
    """``dx`` for ``t = dy * gamma`` and the normalized ``h``, statistics taken over `axes`."""
    along = mean(t * h, axis=axes, keepdims=True)
    return scale * (t - mean(t, axis=axes, keepdims=True) - h * along)


def batch_norm_gradient(dy: Any, x: Any, gamma: Any, variance: Any, *, epsilon: float) -> Any:
    """`dx`, `dgamma` and `dbeta` of batch normalization, with the variance as an argument."""
    axes = tuple(range(x.ndim - 1))
    scale = reciprocal(sqrt(variance + epsilon))
    h = (x - mean(x, axis=axes)) * scale
    dx = _through_statistics(_times(gamma, dy), h, scale, axes)
    return dx, sum(dy * h, axis=axes), sum(dy, axis=axes)


def split_channels(shape: tuple[int, ...], groups: int) -> tuple[int, int, int, int]:
    """Samples, positions, groups and channels of each of an array's shape."""
    return shape[0], math.prod(shape[1:-1]), groups, shape[-1] // groups


def group_norm_gradient(
    dy: Any, x: Any, gamma: Any, variance: Any, *, groups: int, epsilon: float
) -> Any:
    """`dx`, `dgamma` and `dbeta` of group normalization, with the variance as an argument."""
    shape, channels = x.shape, x.shape[-1]
    split = split_channels(shape, groups)
    x, dy = reshape(x, split), reshape(dy, split)
    scale = reshape(reciprocal(sqrt(variance + epsilon)), (shape[0], 1, groups, 1))
    h = (x - mean(x, axis=(1, 3), keepdims=True)) * scale
    factors = None if gamma is None else reshape(gamma, (groups, channels // groups))
    dx = _through_statistics(_times(factors, dy), h, scale, (1, 3))
    dgamma, dbeta = sum(dy * h, axis=(0, 1)), sum(dy, axis=(0, 1))
    return reshape(dx, shape), reshape(dgamma, (channels,)), reshape(dbeta, (channels,))


def layer_norm_gradient(dy: Any, x: Any, gamma: Any, *, epsilon: float, ndim: int) -> Any:
    """`dx`, `dgamma` and `dbeta` of layer normalization."""
    axes, leading = _split_axes(x, ndim)
    centred = x - mean(x, axis=axes, keepdims=True)
    scale = reciprocal(sqrt(mean(square(centred), axis=axes, keepdims=True) + epsilon))
    h = centred * scale
    dx = _through_statistics(_times(gamma, dy), h, scale, axes)
    return dx, sum(dy * h, axis=leading), sum(dy, axis=leading)


def rms_norm_gradient(dy: Any, x: Any, gamma: Any, *, epsilon: float, ndim: int) -> Any:
    """`dx` and `dgamma` of RMS normalization."""
    axes, leading = _split_axes(x, ndim)
    scale = reciprocal(sqrt(mean(square(x), axis=axes, keepdims=True) + epsilon))
    h, t = x * scale, _times(gamma, dy)
    dx = scale * (t - h * mean(t * h, axis=axes, keepdims=True))
    return dx, sum(dy * h, axis=leading)


def unit_norm_gradient(dy: Any, x: Any, *, epsilon: float, ndim: int) -> Any:
    """`dx` of unit normalization."""
    axes, _ = _split_axes(x, ndim)
    squares = sum(square(x), axis=axes, keepdims=True)
    long = greater(squares, epsilon * epsilon)
    # The root is taken of ones where it is not used, and its derivative is infinite at 0.
    scale = reciprocal(sqrt(where(long, squares, 1)))
    h = x * scale
    dx = scale * (dy - h * sum(dy * h, axis=axes, keepdims=True))
    return (where(long, dx, dy * (1 / epsilon)),)


def _split_axes(x: Any, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The trailing axes, that are normalized, and the leading ones."""
    return tuple(range(x.ndim - ndim, x.ndim)), tuple(range(x.ndim - ndim))


def batch_norm_inference_gradient(
    dy: Any, x: Any, gamma: Any, average: Any, variance: Any, *, epsilon: float
) -> Any:
    """Gradients of batch normalization with given statistics, by all its arguments."""
    axes = tuple(range(x.ndim - 1))
    scale = reciprocal(sqrt(variance + epsilon))
    factor = scale if gamma is None else gamma * scale
    total, products = sum(dy, axis=axes), sum(dy * (x - average), axis=axes)
    dvariance = -0.5 * factor * square(scale) * products
    return dy * factor, products * scale, total, -factor * total, dvariance


def to_the_end(x: Any, axis: Any, name: str) -> tuple[Any, int, tuple[int, ...] | None]:
    """`x` with axes at its end, their number, and the order that undoes it if it was moved."""
    if axis == -1 and x.ndim:
        return x, 1, None
    axes = tuple(sorted(normalize_axes(axis, x.ndim, name)))
    if not axes:
        raise ValueError(f"{name}: x is 0-d, expected at least one axis")
    order = tuple(i for i in range(x.ndim) if i not in axes) + axes
    if order == tuple(range(x.ndim)):
        return x, len(axes), None
    back = sorted(range(x.ndim), key=order.__getitem__)
    return transpose(x, order), len(axes), tuple(back)
