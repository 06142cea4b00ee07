"""Elementary and activation functions of one number, and their derivatives.

All are accurate to a few units in the last place (ulp) over the whole range,
subnormal results included, and are free of branches on data, so that a loop
over them becomes vector code. The arithmetic is strict; what depends on the
order of operations is written in that order.

References: W. J. Cody and W. Waite, *Software Manual for the Elementary
Functions* (1980), for the reductions of exp and log; M. M. Shepherd and J. G.
Laframboise, *Chebyshev approximation of (1 + 2x) exp(x²) erfc x*, Math. Comp.
36 (1981), for the tail of the normal distribution; D. Hendrycks and K. Gimpel,
*Gaussian Error Linear Units*, arXiv:1606.08415, for gelu.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from tapegrad_kernels._scalar.basis import Basis
from tapegrad_kernels._scalar.coefficients import BY_NAME


def build_short_gelu(basis: Basis) -> Any:
    """Define gelu for float32, with two thirds of the work of the general formula.

    ``x * Phi(x)`` is ``max(x, 0) - a * (1 - Phi(a))`` with ``a = |x|``, and the tail is
    ``exp(-a**2 / 2)`` times a function that is nearly straight in ``v = a / (a + k)``.

    The exponential is reduced with a rounded logarithm of 2, L, in one exact step instead of
    two: for ``s = a**2 / 2 - n * L`` it is ``2**-n * exp(-s * log(2) / L)`` times
    ``exp(-(a**2 / 2) * (1 - log(2) / L))``. The first factor goes into the coefficients of the
    exponential, the second into those of the tail.
    """
    c = BY_NAME[basis.name]
    real: Any = basis.real
    integer: Any = basis.integer
    multiply_add, product_error = basis.multiply_add, basis.product_error
    bits, from_bits = basis.bits, basis.from_bits
    none, zero, negative_zero = integer(0), real(0.0), real(-0.0)
    fraction = integer(basis.fraction_bits)
    magic = real(1.5 * 2.0**basis.fraction_bits)
    rebias = integer(127 - int(np.asarray(magic).view(integer)))
    per_square = real(-0.5 / c.gelu_log2)
    twice_log2 = real(2.0 * c.gelu_log2)
    # exp(-r / 2 * log(2) / L) in r = 2 * s, from the polynomial of exp. It takes over the
    # leading coefficient of the tail, whose polynomial then begins with an addition.
    factor, lead = -0.5 * math.log(2.0) / c.gelu_log2, c.gelu_tail[0]
    series = (*c.exp, 1.0, 1.0)
    exponential = basis.polynomial([lead * v * factor ** (6 - i) for i, v in enumerate(series)])
    ratio = basis.polynomial([v / lead for v in c.gelu_tail])
    shift, middle = real(c.gelu_tail_shift), real(c.gelu_tail_middle)
    largest = real(c.gelu_tail_largest)
    # Far out v is made smaller by 2**24 and the power of two larger: then neither is
    # subnormal, and a subnormal result is rounded once.
    far, lift_bits = real(4.0), integer(24 << basis.fraction_bits)

    @basis.define
    def gelu(x):  # type: ignore[no-untyped-def]
        # Far out the limit, -0, stands for -Inf * 0.
        a = abs(x)
        a = largest if a > largest else a
        h = a * a
        t = multiply_add(h, per_square, magic)
        r = multiply_add(t - magic, twice_log2, h) + product_error(a, a, h)
        v = a / (a + shift)
        lift = lift_bits if a > far else none
        power = from_bits(integer(integer(integer(bits(t) + rebias) << fraction) + lift))
        tail = exponential(r) * (from_bits(integer(bits(v) - lift)) * ratio(v - middle))
        return multiply_add(-tail, power, x if x >= zero else negative_zero)

    return gelu


def build(basis: Basis) -> SimpleNamespace:
    """Define the functions over the operations of a device.

    Parameters
    ----------
    basis : Basis
        The device's operations for one real type.

    Returns
    -------
    SimpleNamespace
        Device functions, all of which take and return numbers of that type: ``exp(x)``,
        ``log(x)``, ``log1p_unit(e)`` (for 0 <= e <= 1), ``tanh(x)``, ``sigmoid(x)``,
        ``softplus(x)``, ``erf(x)``, ``gelu(x)``, ``gelu_tanh(x)`` (the approximation),
        ``relu(x)``, and the gradients ``tanh_grad(g, y)``, ``sigmoid_grad(g, y)``,
        ``relu_grad(g, y)`` by the output and ``softplus_grad(g, x)``, ``erf_grad(g, x)``,
        ``gelu_grad(g, x)``, ``gelu_tanh_grad(g, x)`` by the input.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels._scalar.basis import python_basis
    >>> f = build(python_basis(np.float64))
    >>> float(f.sigmoid(np.float64(0.0))), float(f.exp(np.float64(-np.inf)))
    (0.5, 0.0)
    """
    c = BY_NAME[basis.name]
    real: Any = basis.real
    integer: Any = basis.integer
    define = basis.define
    multiply_add, product_error = basis.multiply_add, basis.product_error
    bits, from_bits = basis.bits, basis.from_bits

    zero, half, one, two = real(0.0), real(0.5), real(1.0), real(2.0)
    infinity, not_a_number = real(np.inf), real(np.nan)
    # Added to a small number, 1.5 * 2**fraction_bits leaves its nearest integer in the low
    # bits. Unlike a conversion this is defined for NaN, and every CPU has it as vectors.
    fraction = integer(basis.fraction_bits)
    magic = real(1.5 * 2.0**basis.fraction_bits)
    magic_bits = integer(np.asarray(magic).view(integer))
    bias = integer(127 if basis.name == "float32" else 1023)
    sign_bit = integer(np.iinfo(integer).min)
    single = integer(1)
    log2_e = real(1.4426950408889634)
    log2_high, log2_low = real(c.log2_high), real(c.log2_low)
    negative_log2_high, negative_log2_low = real(-c.log2_high), real(-c.log2_low)
    exp_polynomial = basis.polynomial(c.exp)

    @define
    def exp_finish(t, r):  # type: ignore[no-untyped-def]
        # exp(x) = (1 + m) * s1 * s2 with a small m, which whoever multiplies can add without
        # rounding it first, and two powers of two, neither of them subnormal: multiplying
        # by s2 last rounds a subnormal result once.
        n = integer(bits(t) - magic_bits)
        m = multiply_add(r * r, exp_polynomial(r), r)
        n1 = integer(n >> single)
        n2 = integer(n - n1)
        s1 = from_bits(integer(integer(n1 + bias) << fraction))
        s2 = from_bits(integer(integer(n2 + bias) << fraction))
        return m, s1, s2

    @define
    def exp_parts(x):  # type: ignore[no-untyped-def]
        t = multiply_add(x, log2_e, magic)
        k = t - magic
        r = multiply_add(k, negative_log2_high, x)
        return exp_finish(t, multiply_add(k, negative_log2_low, r))

    @define
    def exp_parts_of_sum(x, low):  # type: ignore[no-untyped-def]
        # exp(x + low), where `low` is the rounding error of `x`: an absolute error of the
        # argument is a relative one of the result.
        t = multiply_add(x, log2_e, magic)
        k = t - magic
        r = multiply_add(k, negative_log2_high, x)
        return exp_finish(t, multiply_add(k, negative_log2_low, r) + low)

    exp_lowest, exp_highest = real(c.exp_lowest), real(c.exp_highest)

    @define
    def exp(x):  # type: ignore[no-untyped-def]
        x = exp_highest if x > exp_highest else x
        x = exp_lowest if x < exp_lowest else x
        m, s1, s2 = exp_parts(x)
        return multiply_add(m, s1, s1) * s2

    log_polynomial = basis.polynomial(c.log)

    @define
    def log_reduced(f, k):  # type: ignore[no-untyped-def]
        # log(2**k * (1 + f)) for 1 + f between sqrt(1/2) and sqrt(2).
        s = f / (two + f)
        z = s * s
        h = half * f * f
        r = z * log_polynomial(z)
        return multiply_add(k, log2_high, f - (h - multiply_add(s, h + r, k * log2_low)))

    smallest_normal = real(np.finfo(real).tiny)
    lift_exponent = real(basis.fraction_bits + 2)
    lift = real(2.0 ** (basis.fraction_bits + 2))
    root_half_bits = integer(np.asarray(real(math.sqrt(0.5))).view(integer))

    @define
    def log(x):  # type: ignore[no-untyped-def]
        subnormal = x < smallest_normal
        y = x * lift if subnormal else x
        b = bits(y)
        e = integer(integer(b - root_half_bits) >> fraction)
        f = from_bits(integer(b - integer(e << fraction))) - one
        k = from_bits(integer(e + magic_bits)) - magic
        k = k - lift_exponent if subnormal else k
        r = log_reduced(f, k)
        r = r if x < infinity else x  # also NaN
        r = not_a_number if x < zero else r
        return -infinity if x == zero else r

    root_two_minus_one = real(math.sqrt(2.0) - 1.0)

    @define
    def log1p_unit(e):  # type: ignore[no-untyped-def]
        # log(1 + e) for 0 <= e <= 1. 1 + e is halved where it passes sqrt(2), exactly
        # enough: e - 1 is exact from 1/2 on, and half a bit off just below.
        f = (e - one) * half if e > root_two_minus_one else e
        k = one if e > root_two_minus_one else zero
        return log_reduced(f, k)

    tanh_largest = real(c.tanh_largest)

    @define
    def tanh(x):  # type: ignore[no-untyped-def]
        # expm1(2a) / (expm1(2a) + 2), which needs no second formula near zero.
        a = abs(x)
        a = tanh_largest if a > tanh_largest else a
        a = a + a
        t = multiply_add(a, log2_e, magic)
        n = integer(bits(t) - magic_bits)
        k = t - magic
        r = multiply_add(k, negative_log2_high, a)
        r = multiply_add(k, negative_log2_low, r)
        p = multiply_add(r * r, exp_polynomial(r), r)
        s = from_bits(integer(integer(n + bias) << fraction))
        e = multiply_add(s, p, s - one)
        y = e / (e + two)
        return from_bits(integer(bits(y) | integer(bits(x) & sign_bit)))

    sigmoid_largest = real(c.sigmoid_largest)
    negative_log2_e = real(-1.4426950408889634)
    one_bits = integer(np.asarray(one).view(integer))

    @define
    def sigmoid(x):  # type: ignore[no-untyped-def]
        # 1 / (1 + exp(-x)) = 2**-h / (2**-h + (1 + m) * 2**(n - h)), where exp(-x) is
        # (1 + m) * 2**n and h half of n: nothing overflows, neither power is subnormal, and
        # a subnormal result is rounded once, by the division.
        x = sigmoid_largest if x > sigmoid_largest else x
        x = -sigmoid_largest if x < -sigmoid_largest else x
        t = multiply_add(x, negative_log2_e, magic)
        k = t - magic
        r = multiply_add(k, negative_log2_low, multiply_add(k, negative_log2_high, -x))
        m = multiply_add(r * r, exp_polynomial(r), r)
        n = integer(bits(t) - magic_bits)
        h = integer(integer(n >> single) << fraction)
        s1 = from_bits(integer(one_bits - h))
        s2 = from_bits(integer(integer(integer(n << fraction) - h) + one_bits))
        return s1 / (s1 + multiply_add(m, s2, s2))

    @define
    def softplus(x):  # type: ignore[no-untyped-def]
        return (zero if x < zero else x) + log1p_unit(exp(-abs(x)))

    shift, half_shift = real(c.normal_tail_shift), real(0.5 * c.normal_tail_shift)
    tail_polynomial = basis.polynomial(c.normal_tail)

    @define
    def tail_ratio(a):  # type: ignore[no-untyped-def]
        # exp(a**2 / 2) times the normal probability beyond a >= 0, as a polynomial in
        # t = (a - k) / (a + k) = v - 1; the value at a = 0 is exact. Written with a * q, the
        # rounding error of q largely cancels.
        q = one / (a + shift)
        v = two * a * q
        return q * multiply_add(v, tail_polynomial(v - one), half_shift)

    @define
    def exp_negative_square(a, scale):  # type: ignore[no-untyped-def]
        # exp(-scale * a**2), in parts; `scale` is a power of two.
        h = a * a
        return exp_parts_of_sum(-scale * h, -scale * product_error(a, a, h))

    erf_largest = real(c.erf_largest)
    root_two = real(math.sqrt(2.0))
    erf_polynomial = basis.polynomial(c.erf)

    @define
    def erf(x):  # type: ignore[no-untyped-def]
        a = abs(x)
        a = erf_largest if a > erf_largest else a
        z = a * a
        m, s1, s2 = exp_parts(-z)
        far = one - two * tail_ratio(a * root_two) * (multiply_add(m, s1, s1) * s2)
        near = a * erf_polynomial(z)
        y = near if a < one else far
        return from_bits(integer(bits(y) | integer(bits(x) & sign_bit)))

    erf_slope = real(2.0 / math.sqrt(math.pi))
    square_lowest = real(math.sqrt(4.0 - c.exp_lowest))

    @define
    def erf_grad(g, x):  # type: ignore[no-untyped-def]
        a = abs(x)
        a = square_lowest if a > square_lowest else a
        m, s1, s2 = exp_negative_square(a, one)
        return g * (multiply_add(m, erf_slope, erf_slope) * s1 * s2)

    gelu_largest = real(c.gelu_largest)
    normal_density = real(1.0 / math.sqrt(2.0 * math.pi))

    if basis.name == "float32":
        gelu = build_short_gelu(basis)
    else:

        @define
        def gelu(x):  # type: ignore[no-untyped-def]
            # x * Phi(x). Far out the limit, -0, stands for -Inf * 0.
            a = abs(x)
            a = gelu_largest if a > gelu_largest else a
            y = -gelu_largest if x < -gelu_largest else x
            m, s1, s2 = exp_negative_square(a, half)
            ratio = tail_ratio(a)
            tail = multiply_add(m, ratio, ratio) * s1
            left = (y * tail) * s2
            right = y * (one - tail * s2)
            return left if x < zero else right

    @define
    def gelu_grad(g, x):  # type: ignore[no-untyped-def]
        # Phi(x) + x * density(x)
        a = abs(x)
        a = gelu_largest if a > gelu_largest else a
        m, s1, s2 = exp_negative_square(a, half)
        slope = tail_ratio(a) - a * normal_density
        left = multiply_add(m, slope, slope) * s1 * s2
        return g * (left if x < zero else one - left)

    linear_high, linear_low = real(c.gelu_linear[0]), real(c.gelu_linear[1])
    cubic_high, cubic_low = real(c.gelu_cubic[0]), real(c.gelu_cubic[1])
    cubic_slope = real(3.0 * c.gelu_cubic[0])

    @define
    def gelu_tanh_parts(a):  # type: ignore[no-untyped-def]
        # exp(-z) as two factors for z = a * (linear + cubic * a**2), a >= 0. The absolute
        # error of z is a relative one of the result, so z is carried as a sum of two.
        square = a * a
        square_low = product_error(a, a, square)
        q = cubic_high * square
        q_low = product_error(cubic_high, square, q)
        q_low = q_low + (cubic_high * square_low + cubic_low * square)
        s = linear_high + q
        v = s - linear_high
        s_low = (linear_high - (s - v)) + (q - v)
        s_low = s_low + (q_low + linear_low)
        z = a * s
        z_low = product_error(a, s, z) + a * s_low
        m, s1, s2 = exp_parts_of_sum(-z, -z_low)
        return multiply_add(m, s1, s1), s2

    gelu_tanh_largest = real(c.gelu_tanh_largest)

    @define
    def gelu_tanh(x):  # type: ignore[no-untyped-def]
        # 0.5 x (1 + tanh(z / 2)) = x * sigmoid(z)
        a = abs(x)
        a = gelu_tanh_largest if a > gelu_tanh_largest else a
        y = -gelu_tanh_largest if x < -gelu_tanh_largest else x
        e, s2 = gelu_tanh_parts(a)
        r = y / (one + e * s2)
        return (r * e) * s2 if x < zero else r

    @define
    def gelu_tanh_grad(g, x):  # type: ignore[no-untyped-def]
        # sigmoid(z) + x * sigmoid(z) * (1 - sigmoid(z)) * dz/dx
        a = abs(x)
        a = gelu_tanh_largest if a > gelu_tanh_largest else a
        e1, s2 = gelu_tanh_parts(a)
        e = e1 * s2
        r = one / (one + e)
        slope = a * multiply_add(a * a, cubic_slope, linear_high)
        left = (r * (one - slope * r)) * e1 * s2
        return g * (left if x < zero else one - left)

    @define
    def relu(x):  # type: ignore[no-untyped-def]
        return zero if x <= zero else x  # NaN stays

    @define
    def relu_grad(g, y):  # type: ignore[no-untyped-def]
        return zero if y <= zero else g

    @define
    def tanh_grad(g, y):  # type: ignore[no-untyped-def]
        return g * (one - y * y)

    @define
    def sigmoid_grad(g, y):  # type: ignore[no-untyped-def]
        return g * (y * (one - y))

    @define
    def softplus_grad(g, x):  # type: ignore[no-untyped-def]
        return g * sigmoid(x)

    names = (
        "exp log log1p_unit tanh sigmoid softplus erf gelu gelu_tanh relu tanh_grad "
        "sigmoid_grad relu_grad softplus_grad erf_grad gelu_grad gelu_tanh_grad"
    )
    scope = locals()
    return SimpleNamespace(**{name: scope[name] for name in names.split()})
