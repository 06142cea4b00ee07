"""What happens to flat buffers around an update: norms, clipping, decay, running means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels._scalar import update_numbers
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.optimizers._elementwise import Array, Number, check, update
from tapegrad_kernels.cpu.optimizers._factors import (
    CLIP,
    CLIP_ALL,
    DECAY,
    NORM,
    SCALE,
    segment_factors,
)
from tapegrad_kernels.cpu.optimizers._pieces import piece_squares, run_pieces, segments


def _real_vector(operation: str, x: Array) -> Array:
    if type(x) is np.ndarray and x.ndim == 1 and x.dtype.kind == "f" and x.dtype.itemsize in (4, 8):
        return np.ascontiguousarray(x)
    raise ValueError(
        f"{operation}: got shape {np.shape(x)} and dtype {getattr(x, 'dtype', type(x).__name__)}, "
        "expected a vector of float32 or float64"
    )


def global_norm(x: Array) -> Array:
    """Euclidean norm of a flat buffer, added up in float64.

    Parameters
    ----------
    x : ndarray, shape (n,)
        float32 or float64.

    Returns
    -------
    ndarray, shape ()
        Of the dtype of `x`; 0 for an empty buffer.

    Raises
    ------
    ValueError
        If `x` is no vector of float32 or float64.

    Examples
    --------
    >>> global_norm(np.array([3.0, 4.0]))
    array(5.)
    """
    x = _real_vector("global_norm", x)
    table, firsts, _ = segments("global_norm", (0,), x.size)
    return segment_factors(NORM, x.dtype, firsts, piece_squares(x, table)).reshape(())


def variable_norms(x: Array, *, offsets: Sequence[int]) -> Array:
    """Euclidean norm of each variable in a flat buffer.

    Parameters
    ----------
    x : ndarray, shape (n,)
        float32 or float64. Padding between variables must be zero.
    offsets : sequence of int
        Where each variable begins; it reaches to the next, the last to the end.

    Returns
    -------
    ndarray, shape (len(offsets),)
        Of the dtype of `x`.

    Raises
    ------
    ValueError
        If `x` is no vector of float32 or float64, or the offsets do not rise from 0.

    Examples
    --------
    >>> variable_norms(np.array([3.0, 4.0, 2.0]), offsets=(0, 2))
    array([5., 2.])
    """
    x = _real_vector("variable_norms", x)
    table, firsts, _ = segments("variable_norms", tuple(offsets), x.size)
    return segment_factors(NORM, x.dtype, firsts, piece_squares(x, table))


_NO_SUMS = np.empty(0)


def _scale_segments(x: Array, factors: Array, table: Array) -> None:
    run_pieces("scale_pieces", (x, factors), table, _NO_SUMS)


def _checked_limit(operation: str, limit: Number) -> float:
    number = float(limit)
    if not number > 0.0:
        raise ValueError(f"{operation}: clipnorm is {number:g}; it must be above 0")
    return number


def clip_by_norm_update(gradients: Array, clipnorm: Number, *, offsets: Sequence[int]) -> None:
    """Scale each variable's gradient down to a norm, in place, where it is larger.

    Parameters
    ----------
    gradients : ndarray, shape (n,)
        Updated; float32 or float64.
    clipnorm : float or 0-d array
        The largest norm, above 0.
    offsets : sequence of int
        Where each variable begins; it reaches to the next, the last to the end.

    Raises
    ------
    TypeError, ValueError
        If the buffer is no contiguous vector, or offsets or norm are out of range.

    Examples
    --------
    >>> g = np.array([3.0, 4.0, 0.5])
    >>> clip_by_norm_update(g, 1.0, offsets=(0, 2))
    >>> g
    array([0.6, 0.8, 0.5])
    """
    check("clip_by_norm_update", ("gradients",), (gradients,), read_only="")
    limit = _checked_limit("clip_by_norm_update", clipnorm)
    table, firsts, _ = segments("clip_by_norm_update", tuple(offsets), gradients.size)
    squares = piece_squares(gradients, table)
    factors = segment_factors(CLIP, gradients.dtype, firsts, squares, (limit,))
    _scale_segments(gradients, factors, table)


def clip_by_global_norm_update(gradients: Array, clipnorm: Number) -> None:
    """Scale all gradients down, in place, if their common norm is larger than `clipnorm`.

    Parameters
    ----------
    gradients : ndarray, shape (n,)
        Updated; float32 or float64. If the norm is not finite they become NaN, as in Keras.
    clipnorm : float or 0-d array
        The largest norm, above 0.

    Raises
    ------
    TypeError, ValueError
        If the buffer is no contiguous vector, or the norm is not above 0.

    Examples
    --------
    >>> g = np.array([3.0, 4.0])
    >>> clip_by_global_norm_update(g, 1.0)
    >>> g
    array([0.6, 0.8])
    """
    check("clip_by_global_norm_update", ("gradients",), (gradients,), read_only="")
    limit = _checked_limit("clip_by_global_norm_update", clipnorm)
    table, firsts, _ = segments("clip_by_global_norm_update", (0,), gradients.size)
    squares = piece_squares(gradients, table)
    factor = segment_factors(CLIP_ALL, gradients.dtype, firsts, squares, (limit,))
    _scale_segments(gradients, factor, table)


def clip_by_value_update(gradients: Array, low: Number, high: Number) -> None:
    """Limit every element to the interval from `low` to `high`, in place; NaN stays.

    Parameters
    ----------
    gradients : ndarray, shape (n,)
        Updated; float32 or float64.
    low, high : float or 0-d array
        Bounds, ``low <= high``.

    Raises
    ------
    TypeError, ValueError
        If the buffer is no contiguous vector, or the bounds are exchanged.

    Examples
    --------
    >>> g = np.array([-3.0, 0.5])
    >>> clip_by_value_update(g, -1.0, 1.0)
    >>> g
    array([-1. ,  0.5])
    """
    check("clip_by_value_update", ("gradients",), (gradients,), read_only="")
    update("limit", (gradients, gradients), update_numbers.limit, (low, high))


def scale_update(buffer: Array, factor: Number) -> None:
    """Multiply a flat buffer by a number, in place: to unscale or average gradients.

    Examples
    --------
    >>> g = np.array([2.0, 4.0])
    >>> scale_update(g, 0.5)
    >>> g
    array([1., 2.])
    """
    check("scale_update", ("buffer",), (buffer,))
    table, firsts, _ = segments("scale_update", (0,), buffer.size)
    factors = segment_factors(SCALE, buffer.dtype, firsts, _NO_SUMS, (float(factor),))
    _scale_segments(buffer, factors, table)


def weight_decay_update(
    parameters: Array,
    learning_rate: Number,
    weight_decay: Number,
    *,
    offsets: Sequence[int] = (0,),
    decayed: Sequence[bool] = (True,),
) -> None:
    """Decoupled weight decay of the chosen variables, in place.

    Parameters
    ----------
    parameters : ndarray, shape (n,)
        Updated; float32 or float64.
    learning_rate, weight_decay : float or 0-d array
        ``p -= learning_rate * weight_decay * p``.
    offsets : sequence of int, default (0,)
        Where each variable begins; it reaches to the next, the last to the end.
    decayed : sequence of bool, default (True,)
        Which of them decay.

    Raises
    ------
    TypeError, ValueError
        If the buffer is no contiguous vector, the offsets do not rise from 0, or `decayed`
        has another length.

    Examples
    --------
    >>> p = np.array([1.0, 1.0])
    >>> weight_decay_update(p, 0.5, 0.5, offsets=(0, 1), decayed=(True, False))
    >>> p
    array([0.75, 1.  ])
    """
    check("weight_decay_update", ("parameters",), (parameters,))
    if len(offsets) != len(decayed):
        raise ValueError(
            f"weight_decay_update: got {len(offsets)} offsets and {len(decayed)} entries in "
            "decayed; give one for each variable"
        )
    table, firsts, _ = segments("weight_decay_update", tuple(offsets), parameters.size)
    settings = float(learning_rate), float(weight_decay)
    chosen = np.array(decayed, np.int64)
    factors = segment_factors(DECAY, parameters.dtype, firsts, _NO_SUMS, settings, chosen)
    _scale_segments(parameters, factors, table)


def ema_update(average: Array, parameters: Array, momentum: Number, step: Number) -> None:
    """Exponential moving average of parameters, in place.

    Parameters
    ----------
    average : ndarray, shape (n,)
        Updated: ``momentum * average + (1 - momentum) * parameters``, and at the first step
        the parameters themselves.
    parameters : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    momentum : float or 0-d array
        Share of the old average.
    step : int or 0-d array
        Number of this update, from 1.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape, are not contiguous vectors, or the step is
        below 1.

    Examples
    --------
    >>> average = np.array([1.0])
    >>> ema_update(average, np.array([2.0]), 0.9, 2)
    >>> average
    array([1.1])
    """
    arrays = (average, parameters)
    check("ema_update", ("average", "parameters"), arrays, read_only="parameters")
    update("ema", arrays, update_numbers.ema, (momentum, step))


def _warm(real: str) -> None:
    p, g = np.ones(2, real), np.ones(2, real)
    clip_by_norm_update(g, 0.5, offsets=(0,))
    clip_by_value_update(g, 0.0, 1.0)
    ema_update(p, g, 0.5, 1)


for _real in REAL_NAMES:
    on_warmup(f"clip_by_norm_update clip_by_value_update ema_update {_real}")(
        lambda real=_real: _warm(real)
    )

__all__ = [
    "clip_by_global_norm_update",
    "clip_by_norm_update",
    "clip_by_value_update",
    "ema_update",
    "global_norm",
    "scale_update",
    "variable_norms",
    "weight_decay_update",
]
