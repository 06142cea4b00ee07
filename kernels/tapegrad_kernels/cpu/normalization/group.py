"""Group normalization: mean 0 and variance 1 over the positions and a group of channels.

Y. Wu and K. He, *Group Normalization*, ECCV 2018, arXiv:1803.08494.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels.cpu.normalization._arguments import (
    Array,
    check_epsilon,
    check_gradient,
    parameter,
    real_arrays,
)
from tapegrad_kernels.cpu.normalization._columns import gradients, layout_of, normalize


def _check_groups(operation: str, x: Array, groups: int) -> int:
    """The number of channels, which the groups must divide."""
    if x.ndim < 2:
        raise ValueError(
            f"{operation}: x has shape {x.shape}, expected (samples, ..., channels) with at "
            "least two axes"
        )
    channels = x.shape[-1]
    if groups < 1 or channels % groups:
        raise ValueError(
            f"{operation}: {channels} channels cannot be split into {groups} groups of equal "
            "size; choose a divisor of the number of channels"
        )
    return channels


def group_norm(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    *,
    groups: int,
    epsilon: float = 1e-3,
) -> tuple[Array, Array, Array]:
    """Normalize each sample over its positions and each group of adjacent channels.

    Parameters
    ----------
    x : array_like, shape (samples, ..., channels)
        Real numbers.
    gamma, beta : array_like, shape (channels,), optional
        Factors and summands; ones and zeros by default.
    groups : int
        Number of groups, a divisor of the number of channels. With one channel in each
        this is instance normalization.
    epsilon : float, default 1e-3
        Added to the variance.

    Returns
    -------
    y : ndarray
        Of the shape of `x`, float32 or float64.
    mean, variance : ndarray, shape (samples, groups)

    Raises
    ------
    ValueError
        If `groups` does not divide the channels, a shape does not fit or `epsilon` is
        negative.

    Examples
    --------
    >>> y, mean, variance = group_norm(np.array([[1.0, 3.0, 0.0, 8.0]]), groups=2, epsilon=0.0)
    >>> y, mean, variance
    (array([[-1.,  1., -1.,  1.]]), array([[2., 4.]]), array([[ 1., 16.]]))
    """
    array, g, b = real_arrays("group_norm", x, gamma, beta)
    channels = _check_groups("group_norm", array, groups)
    epsilon = check_epsilon("group_norm", epsilon)
    g = parameter("group_norm", "gamma", g, array, (channels,), 1.0)
    b = parameter("group_norm", "beta", b, array, (channels,), 0.0)
    samples = array.shape[0]
    if array.size == 0:
        nothing = np.full((2, samples, groups), np.nan, array.dtype)
        return np.empty(array.shape, array.dtype), nothing[0], nothing[1]
    layout = layout_of(samples, math.prod(array.shape[1:-1]), channels, groups)
    y, mean, variance = normalize(array, g, b, layout, epsilon)
    return y, mean.reshape(samples, groups), variance.reshape(samples, groups)


def group_norm_grad(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike | None,
    mean: ArrayLike,
    variance: ArrayLike,
    *,
    groups: int,
    epsilon: float = 1e-3,
) -> tuple[Array, Array, Array]:
    """Gradients of the first result of `group_norm`.

    Parameters
    ----------
    dy : array_like
        Gradient by that result, of the shape of `x`.
    x, gamma, groups, epsilon
        As given to `group_norm`.
    mean, variance : array_like, shape (samples, groups)
        The other two results. The mean serves as an origin, whose rounding error is taken out.

    Returns
    -------
    dx : ndarray
        Of the shape of `x`.
    dgamma, dbeta : ndarray, shape (channels,)

    Raises
    ------
    ValueError
        As for `group_norm`.
    """
    name = "group_norm_grad"
    g_y, array, g, m, v = real_arrays(name, dy, x, gamma, mean, variance)
    check_gradient(name, g_y, array)
    channels = _check_groups(name, array, groups)
    epsilon = check_epsilon(name, epsilon)
    samples = array.shape[0]
    g = parameter(name, "gamma", g, array, (channels,), 1.0)
    m = parameter(name, "mean", m, array, (samples, groups), 0.0)
    v = parameter(name, "variance", v, array, (samples, groups), 1.0)
    if array.size == 0:
        zeros = np.zeros((2, channels), array.dtype)
        return np.empty(array.shape, array.dtype), zeros[0], zeros[1]
    layout = layout_of(samples, math.prod(array.shape[1:-1]), channels, groups)
    dx, sums = gradients(g_y, array, g, m, v, layout, epsilon)
    return dx, sums[1], sums[0]


__all__ = ["group_norm", "group_norm_grad"]
