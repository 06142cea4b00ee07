"""Activation functions over arrays, and the gradients of all of them.

Types and accuracy are those of `tapegrad_kernels.cpu.vector_math`. A gradient
takes the gradient `g` by the output, and the output or the input, whichever
gives it with less work.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu._map import REAL_NAMES, Elementwise, map1, map2

Array = NDArray[Any]

_relu = Elementwise("relu", 1, 32_768)
_relu_grad = Elementwise("relu_grad", 2, 32_768)
_sigmoid = Elementwise("sigmoid", 1, 8_192)
_sigmoid_grad = Elementwise("sigmoid_grad", 2, 32_768)
_softplus = Elementwise("softplus", 1, 8_192)
_softplus_grad = Elementwise("softplus_grad", 2, 8_192)
_gelu = Elementwise("gelu", 1, 8_192)
_gelu_grad = Elementwise("gelu_grad", 2, 8_192)
_gelu_tanh = Elementwise("gelu_tanh", 1, 8_192)
_gelu_tanh_grad = Elementwise("gelu_tanh_grad", 2, 8_192)


def relu(x: ArrayLike) -> Array:
    """The larger of `x` and 0; NaN stays NaN.

    Examples
    --------
    >>> import numpy as np
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return map1(_relu, x)


def relu_grad(g: ArrayLike, y: ArrayLike) -> Array:
    """`g` where the output `y` of relu is positive, else 0 (also at the kink)."""
    return map2(_relu_grad, g, y)


def sigmoid(x: ArrayLike) -> Array:
    """``1 / (1 + exp(-x))``, without overflow and accurate also where it is nearly 0.

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid(np.array([-800.0, 0.0, 800.0]))
    array([0. , 0.5, 1. ])
    """
    return map1(_sigmoid, x)


def sigmoid_grad(g: ArrayLike, y: ArrayLike) -> Array:
    """``g * y * (1 - y)``: gradient of sigmoid by its output `y`."""
    return map2(_sigmoid_grad, g, y)


def softplus(x: ArrayLike) -> Array:
    """``log(1 + exp(x))``, without overflow.

    Examples
    --------
    >>> import numpy as np
    >>> softplus(np.array([-1000.0, 0.0, 1000.0]))
    array([0.00000000e+00, 6.93147181e-01, 1.00000000e+03])
    """
    return map1(_softplus, x)


def softplus_grad(g: ArrayLike, x: ArrayLike) -> Array:
    """``g * sigmoid(x)``: gradient of softplus by its input `x`."""
    return map2(_softplus_grad, g, x)


def gelu(x: ArrayLike, *, approximate: bool = False) -> Array:
    """Gaussian error linear unit: `x` times the normal distribution function at `x`.

    Parameters
    ----------
    x : array_like
        Real numbers.
    approximate : bool, default False
        Compute ``0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))`` instead.

    Returns
    -------
    ndarray
        Accurate to a few ulp also in the negative tail; at -Inf it is the limit, -0.

    References
    ----------
    D. Hendrycks and K. Gimpel, *Gaussian Error Linear Units*, arXiv:1606.08415.

    Examples
    --------
    >>> import numpy as np
    >>> gelu(np.array([-1.0, 0.0, 1.0]))
    array([-0.15865525,  0.        ,  0.84134475])
    """
    return map1(_gelu_tanh if approximate else _gelu, x)


def gelu_grad(g: ArrayLike, x: ArrayLike, *, approximate: bool = False) -> Array:
    """Gradient of `gelu` by its input `x`, times `g`."""
    return map2(_gelu_tanh_grad if approximate else _gelu_grad, g, x)


for _real in REAL_NAMES:
    for _kernel in (
        _relu,
        _relu_grad,
        _sigmoid,
        _sigmoid_grad,
        _softplus,
        _softplus_grad,
        _gelu,
        _gelu_grad,
        _gelu_tanh,
        _gelu_tanh_grad,
    ):
        on_warmup(f"{_kernel.name} {_real}")(lambda kernel=_kernel, real=_real: kernel.warm(real))

__all__ = [
    "gelu",
    "gelu_grad",
    "relu",
    "relu_grad",
    "sigmoid",
    "sigmoid_grad",
    "softplus",
    "softplus_grad",
]
