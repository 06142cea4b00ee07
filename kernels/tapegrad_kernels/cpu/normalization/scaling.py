"""Normalizations without a mean: RMS and unit normalization of rows.

B. Zhang and R. Sennrich, *Root Mean Square Layer Normalization*, 2019, arXiv:1910.07467.
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
from tapegrad_kernels.cpu.normalization._row_kernels import DEVIATION, LENGTH
from tapegrad_kernels.cpu.normalization._rows import run_backward, run_forward


def rms_norm(
    x: ArrayLike, gamma: ArrayLike | None = None, *, epsilon: float = 1e-6, ndim: int = 1
) -> Array:
    """``x / sqrt(mean(x**2) + epsilon) * gamma`` over trailing axes.

    Parameters
    ----------
    x : array_like
        Real numbers, with at least `ndim` axes.
    gamma : array_like, optional
        Factors, of the shape of the trailing axes; ones by default.
    epsilon : float, default 1e-6
        Added to the mean of squares.
    ndim : int, default 1
        Number of trailing axes that are normalized together.

    Returns
    -------
    ndarray
        Of the shape of `x`, float32 or float64.

    Raises
    ------
    ValueError
        If the shape of `gamma` or `ndim` does not fit, or `epsilon` is negative.

    Examples
    --------
    >>> rms_norm(np.array([[1.0, 7.0]]), epsilon=0.0)
    array([[0.2, 1.4]])
    """
    array, g = real_arrays("rms_norm", x, gamma)
    _, width = trailing_size("rms_norm", array, ndim)
    epsilon = check_epsilon("rms_norm", epsilon)
    g = parameter("rms_norm", "gamma", g, array, array.shape[array.ndim - ndim :], 1.0)
    if array.size == 0:
        return np.empty(array.shape, array.dtype)
    return run_forward("rms_norm", array, g, g, width, epsilon, DEVIATION)


def rms_norm_grad(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    *,
    epsilon: float = 1e-6,
    ndim: int = 1,
) -> tuple[Array, Array]:
    """Gradients of `rms_norm` by `x` and `gamma`.

    Parameters
    ----------
    dy : array_like
        Gradient by the result, of the shape of `x`.
    x, gamma, epsilon, ndim
        As given to `rms_norm`.

    Returns
    -------
    dx : ndarray
        Of the shape of `x`.
    dgamma : ndarray
        Of the shape of the trailing axes.
    """
    g_y, array, g = real_arrays("rms_norm_grad", dy, x, gamma)
    check_gradient("rms_norm_grad", g_y, array)
    _, width = trailing_size("rms_norm_grad", array, ndim)
    epsilon = check_epsilon("rms_norm_grad", epsilon)
    shape = array.shape[array.ndim - ndim :]
    g = parameter("rms_norm_grad", "gamma", g, array, shape, 1.0)
    if array.size == 0:
        return np.empty(array.shape, array.dtype), np.zeros(shape, array.dtype)
    dx, sums = run_backward("rms_norm_grad", g_y, array, g, width, epsilon, DEVIATION)
    return dx, sums[0].reshape(shape)


def _check_limit(operation: str, epsilon: float) -> float:
    if check_epsilon(operation, epsilon) == 0.0:
        raise ValueError(
            f"{operation}: epsilon is 0, expected a positive number; "
            "a row that is shorter is divided by it"
        )
    return float(epsilon)


def unit_norm(x: ArrayLike, *, epsilon: float = 1e-12, ndim: int = 1) -> Array:
    """``x / max(length, epsilon)`` with the Euclidean length of each row.

    Parameters
    ----------
    x : array_like
        Real numbers, with at least `ndim` axes.
    epsilon : float, default 1e-12
        Least divisor.
    ndim : int, default 1
        Number of trailing axes that are normalized together.

    Returns
    -------
    ndarray
        Of the shape of `x`, float32 or float64. A row of zeros stays zero.

    Raises
    ------
    ValueError
        If `ndim` does not fit or `epsilon` is not positive.

    Examples
    --------
    >>> unit_norm(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    (array,) = real_arrays("unit_norm", x)
    _, width = trailing_size("unit_norm", array, ndim)
    epsilon = _check_limit("unit_norm", epsilon)
    if array.size == 0:
        return np.empty(array.shape, array.dtype)
    ones = np.ones(width, array.dtype)
    return run_forward("rms_norm", array, ones, ones, width, epsilon, LENGTH)


def unit_norm_grad(dy: ArrayLike, x: ArrayLike, *, epsilon: float = 1e-12, ndim: int = 1) -> Array:
    """Gradient of `unit_norm` by `x`; the arguments are its own and the gradient `dy`."""
    g_y, array = real_arrays("unit_norm_grad", dy, x)
    check_gradient("unit_norm_grad", g_y, array)
    _, width = trailing_size("unit_norm_grad", array, ndim)
    epsilon = _check_limit("unit_norm_grad", epsilon)
    if array.size == 0:
        return np.empty(array.shape, array.dtype)
    ones = np.ones(width, array.dtype)
    return run_backward("rms_norm_grad", g_y, array, ones, width, epsilon, LENGTH, False)[0]


def _warm(real: str) -> None:
    x = np.ones((1, 2), real)
    rms_norm_grad(rms_norm(x), x)


for _real in REAL_NAMES:
    on_warmup(f"rms_norm {_real}")(lambda real=_real: _warm(real))

__all__ = ["rms_norm", "rms_norm_grad", "unit_norm", "unit_norm_grad"]
