"""Layer normalization: each row has mean 0 and variance 1.

J. L. Ba, J. R. Kiros and G. E. Hinton, *Layer Normalization*, 2016, arXiv:1607.06450.
"""

from __future__ import annotations

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
    trailing_size,
)
from tapegrad_kernels.cpu.normalization._rows import run_backward, run_forward


def layer_norm(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    *,
    epsilon: float = 1e-3,
    ndim: int = 1,
) -> Array:
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` over trailing axes.

    Parameters
    ----------
    x : array_like
        Real numbers, with at least `ndim` axes.
    gamma, beta : array_like, optional
        Factors and summands, of the shape of the trailing axes; ones and zeros by default.
    epsilon : float, default 1e-3
        Added to the variance.
    ndim : int, default 1
        Number of trailing axes that are normalized together.

    Returns
    -------
    ndarray
        Of the shape of `x`, float32 or float64. A row with a NaN is NaN throughout; one of
        equal numbers gives `beta`.

    Raises
    ------
    ValueError
        If the shape of a parameter or `ndim` does not fit, or `epsilon` is negative.

    Examples
    --------
    >>> layer_norm(np.array([[1.0, 3.0], [5.0, 5.0]]), epsilon=0.0625).round(3)
    array([[-0.97,  0.97],
           [ 0.  ,  0.  ]])
    """
    array, g, b = real_arrays("layer_norm", x, gamma, beta)
    _, width = trailing_size("layer_norm", array, ndim)
    epsilon = check_epsilon("layer_norm", epsilon)
    shape = array.shape[array.ndim - ndim :]
    g = parameter("layer_norm", "gamma", g, array, shape, 1.0)
    b = parameter("layer_norm", "beta", b, array, shape, 0.0)
    if array.size == 0:
        return np.empty(array.shape, array.dtype)
    return run_forward("layer_norm", array, g, b, width, epsilon, 0)


def layer_norm_grad(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    *,
    epsilon: float = 1e-3,
    ndim: int = 1,
) -> tuple[Array, Array, Array]:
    """Gradients of `layer_norm`; mean and variance are found again from `x`.

    Parameters
    ----------
    dy : array_like
        Gradient by the result, of the shape of `x`.
    x, gamma, epsilon, ndim
        As given to `layer_norm`.

    Returns
    -------
    dx : ndarray
        Of the shape of `x`.
    dgamma, dbeta : ndarray
        Of the shape of the trailing axes.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    g_y, array, g = real_arrays("layer_norm_grad", dy, x, gamma)
    check_gradient("layer_norm_grad", g_y, array)
    _, width = trailing_size("layer_norm_grad", array, ndim)
    epsilon = check_epsilon("layer_norm_grad", epsilon)
    shape = array.shape[array.ndim - ndim :]
    g = parameter("layer_norm_grad", "gamma", g, array, shape, 1.0)
    if array.size == 0:
        zeros = np.zeros((2, *shape), array.dtype)
        return np.empty(array.shape, array.dtype), zeros[0], zeros[1]
    dx, sums = run_backward("layer_norm_grad", g_y, array, g, width, epsilon, 0)
    return dx, sums[0].reshape(shape), sums[1].reshape(shape)


def _warm(real: str) -> None:
    x = np.ones((1, 2), real)
    layer_norm_grad(layer_norm(x), x)


for _real in REAL_NAMES:
    on_warmup(f"layer_norm {_real}")(lambda real=_real: _warm(real))

__all__ = ["layer_norm", "layer_norm_grad"]
