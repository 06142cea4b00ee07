"""The exponential of numbers that are not positive, for softmax."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tapegrad_kernels._scalar.coefficients import BY_NAME
from tapegrad_kernels.cpu._basis import cpu_basis


@functools.cache
def negative_exp(name: str) -> Any:
    """A compiled function ``exp(x)`` for ``x <= 0``, of ``"float32"`` or ``"float64"``.

    Softmax has no use for the rest of the range: nothing overflows, and a probability below
    the smallest normal number is zero. That leaves one power of two instead of two, which
    is shifted into place in one operation, and 2/3 of the arithmetic. NaN gives NaN.

    Reference: W. J. Cody and W. Waite, *Software Manual for the Elementary Functions* (1980).
    """
    basis = cpu_basis(name)
    c = BY_NAME[name]
    real: Any = basis.real
    integer: Any = basis.integer
    multiply_add, bits, from_bits = basis.multiply_add, basis.bits, basis.from_bits
    fraction = integer(basis.fraction_bits)
    zero, log2_e = real(0.0), real(math.log2(math.e))
    high, low = real(-c.log2_high), real(-c.log2_low)
    polynomial = basis.polynomial(c.exp)
    # Added to x / log(2), this leaves the nearest integer and the bias of the exponent in
    # the lowest bits.
    bias = 1 - np.finfo(real).minexp
    magic = real(1.5 * 2.0**basis.fraction_bits + bias)
    lowest = real(float(np.finfo(real).minexp) * math.log(2.0))

    @basis.define
    def exp(x):  # type: ignore[no-untyped-def]
        t = multiply_add(x, log2_e, magic)
        k = t - magic
        r = multiply_add(k, low, multiply_add(k, high, x))
        m = multiply_add(r * r, polynomial(r), r)
        scale = from_bits(integer(bits(t) << fraction))
        return zero if x < lowest else multiply_add(m, scale, scale)

    return exp
