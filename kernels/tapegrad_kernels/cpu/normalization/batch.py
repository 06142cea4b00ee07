"""Batch normalization: each channel has mean 0 and variance 1 over all other axes.

S. Ioffe and C. Szegedy, *Batch Normalization: Accelerating Deep Network Training by Reducing
Internal Covariate Shift*, ICML 2015, arXiv:1502.03167.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.normalization._arguments import (
    Array,
    check_epsilon,
    check_gradient,
    parameter,
    real_arrays,
)
from tapegrad_kernels.cpu.normalization._columns import (
    gradients,
    gradients_given,
    layout_of,
    normalize,
    normalize_given,
)


def _channels(operation: str, x: Array) -> int:
    if x.ndim == 0:
        raise ValueError(f"{operation}: x is 0-d, expected at least one axis, the channels")
    return x.shape[-1]


def batch_norm(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    *,
    epsilon: float = 1e-3,
) -> tuple[Array, Array, Array]:
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` for each channel.

    Parameters
    ----------
    x : array_like, shape (..., channels)
        Real numbers.
    gamma, beta : array_like, shape (channels,), optional
        Factors and summands; ones and zeros by default.
    epsilon : float, default 1e-3
        Added to the variance.

    Returns
    -------
    y : ndarray
        Of the shape of `x`, float32 or float64.
    mean, variance : ndarray, shape (channels,)
        Over all axes but the last. The variance is that of the numbers at hand, divided by
        their count. Both are NaN where there are none.

    Raises
    ------
    ValueError
        If a shape does not fit or `epsilon` is negative.

    Examples
    --------
    >>> y, mean, variance = batch_norm(np.array([[1.0, 5.0], [3.0, 5.0]]), epsilon=0.0625)
    >>> y.round(3), mean, variance
    (array([[-0.97,  0.  ],
           [ 0.97,  0.  ]]), array([2., 5.]), array([1., 0.]))
    """
    array, g, b = real_arrays("batch_norm", x, gamma, beta)
    channels = _channels("batch_norm", array)
    epsilon = check_epsilon("batch_norm", epsilon)
    g = parameter("batch_norm", "gamma", g, array, (channels,), 1.0)
    b = parameter("batch_norm", "beta", b, array, (channels,), 0.0)
    if array.size == 0:
        nothing = np.full((2, channels), np.nan, array.dtype)
        return np.empty(array.shape, array.dtype), nothing[0], nothing[1]
    layout = layout_of(1, array.size // channels, channels, channels)
    return normalize(array, g, b, layout, epsilon)


def batch_norm_grad(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike | None,
    mean: ArrayLike,
    variance: ArrayLike,
    *,
    epsilon: float = 1e-3,
) -> tuple[Array, Array, Array]:
    """Gradients of the first result of `batch_norm`.

    Parameters
    ----------
    dy : array_like
        Gradient by that result, of the shape of `x`.
    x, gamma, epsilon
        As given to `batch_norm`.
    mean, variance : array_like, shape (channels,)
        The other two results. The mean serves as an origin: its rounding error, which may
        be as large as the standard deviation, is found again and taken out.

    Returns
    -------
    dx : ndarray
        Of the shape of `x`.
    dgamma, dbeta : ndarray, shape (channels,)

    Raises
    ------
    ValueError
        If a shape does not fit or `epsilon` is negative.
    """
    name = "batch_norm_grad"
    g_y, array, g, m, v = real_arrays(name, dy, x, gamma, mean, variance)
    check_gradient(name, g_y, array)
    channels = _channels(name, array)
    epsilon = check_epsilon(name, epsilon)
    g = parameter(name, "gamma", g, array, (channels,), 1.0)
    m = parameter(name, "mean", m, array, (channels,), 0.0)
    v = parameter(name, "variance", v, array, (channels,), 1.0)
    if array.size == 0:
        zeros = np.zeros((2, channels), array.dtype)
        return np.empty(array.shape, array.dtype), zeros[0], zeros[1]
    layout = layout_of(1, array.size // channels, channels, channels)
    dx, sums = gradients(g_y, array, g, m, v, layout, epsilon)
    return dx, sums[1], sums[0]


def _inference_arguments(operation: str, epsilon: float, *values: Any) -> tuple[Any, ...]:
    arrays = real_arrays(operation, *values)
    x = arrays[-5]
    shape = (_channels(operation, x),)
    number = check_epsilon(operation, epsilon)
    names, fills = ("gamma", "beta", "mean", "variance"), (1.0, 0.0, 0.0, 1.0)
    parameters = [
        parameter(operation, name, value, x, shape, fill)
        for name, value, fill in zip(names, arrays[-4:], fills, strict=True)
    ]
    channels = max(shape[0], 1)
    layout = layout_of(1, x.size // channels, channels, channels)
    return *arrays[:-4], *parameters, layout, number


def batch_norm_inference(
    x: ArrayLike,
    gamma: ArrayLike | None,
    beta: ArrayLike | None,
    mean: ArrayLike,
    variance: ArrayLike,
    *,
    epsilon: float = 1e-3,
) -> Array:
    """Batch normalization with given statistics: one multiplication and addition an element.

    Parameters
    ----------
    x : array_like, shape (..., channels)
        Real numbers.
    gamma, beta : array_like, shape (channels,), or None
        Factors and summands; None for ones and zeros.
    mean, variance : array_like, shape (channels,)
        Usually the moving averages of those of training.
    epsilon : float, default 1e-3
        Added to the variance.

    Returns
    -------
    ndarray
        ``(x - mean) / sqrt(variance + epsilon) * gamma + beta``, of the shape of `x`.

    Raises
    ------
    ValueError
        If a shape does not fit or `epsilon` is negative.

    Examples
    --------
    >>> batch_norm_inference(np.array([[3.0]]), None, None, [1.0], [4.0], epsilon=0.0)
    array([[1.]])
    """
    array, *rest = _inference_arguments(
        "batch_norm_inference", epsilon, x, gamma, beta, mean, variance
    )
    if array.size == 0:
        return np.empty(array.shape, array.dtype)
    return normalize_given(array, *rest)


def batch_norm_inference_grad(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike | None,
    mean: ArrayLike,
    variance: ArrayLike,
    *,
    epsilon: float = 1e-3,
) -> tuple[Array, Array, Array, Array, Array]:
    """Gradients of `batch_norm_inference` by all its arguments.

    Parameters
    ----------
    dy : array_like
        Gradient by the result, of the shape of `x`.
    x, gamma, mean, variance, epsilon
        As given to `batch_norm_inference`.

    Returns
    -------
    dx : ndarray
        Of the shape of `x`.
    dgamma, dbeta, dmean, dvariance : ndarray, shape (channels,)

    Raises
    ------
    ValueError
        If a shape does not fit or `epsilon` is negative.
    """
    name = "batch_norm_inference_grad"
    g_y, array, g, _, *rest = _inference_arguments(
        name, epsilon, dy, x, gamma, None, mean, variance
    )
    check_gradient(name, g_y, array)
    if array.size == 0:
        zeros = np.zeros((4, array.shape[-1]), array.dtype)
        return np.empty(array.shape, array.dtype), zeros[0], zeros[1], zeros[2], zeros[3]
    dx, totals = gradients_given(g_y, array, g, *rest)
    return dx, totals[0], totals[1], totals[2], totals[3]


def _warm(real: str) -> None:
    x = np.ones((2, 1), real)
    y, mean, variance = batch_norm(x)
    batch_norm_grad(y, x, None, mean, variance)
    batch_norm_inference(x, None, None, mean, variance)


for _real in REAL_NAMES:
    on_warmup(f"batch_norm {_real}")(lambda real=_real: _warm(real))

__all__ = [
    "batch_norm",
    "batch_norm_grad",
    "batch_norm_inference",
    "batch_norm_inference_grad",
]
