"""exp, log, tanh and erf over arrays, vectorised by LLVM.

Results are within 4 ulp over the whole range, subnormal numbers included (see
``tests/kernels/test_vector_math.py``). Infinities and NaN come out as from
NumPy; no floating-point warnings are raised.

float32 and float64 keep their type, integers and booleans become float64. Other
types take NumPy's function where it has one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu._map import REAL_NAMES, Elementwise, map1, map2

Array = NDArray[Any]

_exp = Elementwise("exp", 1, 16_384, np.exp)
_log = Elementwise("log", 1, 8_192, np.log)
_tanh = Elementwise("tanh", 1, 16_384, np.tanh)
_erf = Elementwise("erf", 1, 8_192)
_tanh_grad = Elementwise("tanh_grad", 2, 32_768)
_erf_grad = Elementwise("erf_grad", 2, 16_384)


def exp(x: ArrayLike) -> Array:
    """E to the power `x`.

    Examples
    --------
    >>> exp(np.array([0.0, 1.0]))
    array([1.        , 2.71828183])
    """
    return map1(_exp, x)


def log(x: ArrayLike) -> Array:
    """Natural logarithm: -Inf at 0 and NaN below.

    Examples
    --------
    >>> log(np.array([1.0, np.e, 0.0]))
    array([  0.,   1., -inf])
    """
    return map1(_log, x)


def tanh(x: ArrayLike) -> Array:
    """Hyperbolic tangent.

    Examples
    --------
    >>> tanh(np.array([0.0, 1.0, np.inf]))
    array([0.        , 0.76159416, 1.        ])
    """
    return map1(_tanh, x)


def erf(x: ArrayLike) -> Array:
    """Error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to `x`.

    Examples
    --------
    >>> erf(np.array([0.0, 1.0]))
    array([0.        , 0.84270079])
    """
    return map1(_erf, x)


def tanh_grad(g: ArrayLike, y: ArrayLike) -> Array:
    """``g * (1 - y**2)``: gradient of tanh by its output `y`."""
    return map2(_tanh_grad, g, y)


def erf_grad(g: ArrayLike, x: ArrayLike) -> Array:
    """``g * 2 / sqrt(pi) * exp(-x**2)``: gradient of erf by its input `x`."""
    return map2(_erf_grad, g, x)


for _real in REAL_NAMES:
    for _kernel in (_exp, _log, _tanh, _tanh_grad, _erf, _erf_grad):
        on_warmup(f"{_kernel.name} {_real}")(lambda kernel=_kernel, real=_real: kernel.warm(real))

__all__ = ["erf", "erf_grad", "exp", "log", "tanh", "tanh_grad"]
