"""The counter-based generator Philox4x32-10, and numbers made from its words.

A block of four 32-bit words is a function of a 128-bit counter and a 64-bit
key, so any element of a random array can be computed without the others:

- key: the seed,
- upper half of the counter: the stream (which array of the program it is),
- lower half of the counter: the number of the block within the array.

float32 uses one word for a number, and float64 two. Words are carried in
unsigned 64-bit integers, where the products need no splitting. The conversions
use correctly rounded operations alone, in a fixed order, so a stream has the same
bits on every device.

Reference: J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, *Parallel random
numbers: as easy as 1, 2, 3*, SC 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tapegrad_kernels._scalar.basis import Basis
from tapegrad_kernels._scalar.coefficients import BY_NAME

WORDS_PER_NUMBER = {"float32": 1, "float64": 2}
"""How many of a block's four words one number takes."""


def build_generator(define: Any) -> Any:
    """Define the generator.

    Parameters
    ----------
    define : callable
        The device's decorator for inlined functions, as in `Basis`.

    Returns
    -------
    callable
        ``philox(block, stream, seed)``, three unsigned 64-bit integers, returning the block's
        four words as unsigned 64-bit integers below 2**32.

    Examples
    --------
    >>> import numpy as np
    >>> philox = build_generator(lambda function: function)
    >>> zero = np.uint64(0)
    >>> [hex(word) for word in philox(zero, zero, zero)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    mask = np.uint64(0xFFFFFFFF)
    word = np.uint64(32)
    multiplier_0, multiplier_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
    weyl_0, weyl_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)

    @define
    def one_round(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
        p0 = multiplier_0 * c0
        p1 = multiplier_1 * c2
        return (p1 >> word) ^ c1 ^ k0, p1 & mask, (p0 >> word) ^ c3 ^ k1, p0 & mask

    @define
    def two_rounds(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
        c0, c1, c2, c3 = one_round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + weyl_0) & mask, (k1 + weyl_1) & mask
        c0, c1, c2, c3 = one_round(c0, c1, c2, c3, k0, k1)
        return c0, c1, c2, c3, (k0 + weyl_0) & mask, (k1 + weyl_1) & mask

    @define
    def philox(block, stream, seed):  # type: ignore[no-untyped-def]
        c0, c1 = block & mask, block >> word
        c2, c3 = stream & mask, stream >> word
        k0, k1 = seed & mask, seed >> word
        c0, c1, c2, c3, k0, k1 = two_rounds(c0, c1, c2, c3, k0, k1)
        c0, c1, c2, c3, k0, k1 = two_rounds(c0, c1, c2, c3, k0, k1)
        c0, c1, c2, c3, k0, k1 = two_rounds(c0, c1, c2, c3, k0, k1)
        c0, c1, c2, c3, k0, k1 = two_rounds(c0, c1, c2, c3, k0, k1)
        c0, c1, c2, c3, k0, k1 = two_rounds(c0, c1, c2, c3, k0, k1)
        return c0, c1, c2, c3

    return philox


def build_conversions(basis: Basis) -> SimpleNamespace:
    """Define the conversions of words to numbers.

    Parameters
    ----------
    basis : Basis
        The device's operations for one real type. Only those are used that round correctly
        and are never fused.

    Returns
    -------
    SimpleNamespace
        - ``uniform(low, high)``: a number in [0, 1) with all fraction bits random, from the
          word `low` (float32, which ignores `high`) or from two words (float64).
        - ``normal_pair(w0, w1, w2, w3)``: two independent standard normal numbers by the
          method of Box and Muller, from `w0` and `w1` (float32) or all four words (float64).
    """
    c = BY_NAME[basis.name]
    real: Any = basis.real
    integer: Any = basis.integer
    define = basis.define
    multiply, add, square_root = basis.multiply, basis.add, basis.square_root
    bits, from_bits = basis.bits, basis.from_bits
    is_single = basis.name == "float32"

    def exact_polynomial(coefficients: Sequence[float]) -> Any:
        """Horner's rule, in pieces of four steps, without fused operations."""
        values = [real(value) for value in coefficients]
        # Leading zeros fill the first piece; they change no bit of the result.
        values = [real(0.0)] * (-(len(values) - 1) % 4) + values

        def piece(inner: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
            @define
            def steps(x):  # type: ignore[no-untyped-def]
                p = inner(x)
                p = add(multiply(p, x), a)
                p = add(multiply(p, x), b)
                p = add(multiply(p, x), c)
                return add(multiply(p, x), d)

            return steps

        first = values[0]

        @define
        def start(x):  # type: ignore[no-untyped-def]
            return first

        result = start
        for i in range(1, len(values), 4):
            result = piece(result, *values[i : i + 4])
        return result

    one, two, half = real(1.0), real(2.0), real(0.5)
    minus_one, minus_two = real(-1.0), real(-2.0)
    signed = np.int32 if is_single else np.int64
    u8, u11, word = np.uint64(8), np.uint64(11), np.uint64(32)
    unit = real(2.0**-24 if is_single else 2.0**-53)

    if is_single:

        @define
        def uniform(low, high):  # type: ignore[no-untyped-def]
            return multiply(real(signed(low >> u8)), unit)

    else:

        @define
        def uniform(low, high):  # type: ignore[no-untyped-def]
            return multiply(real(signed((low | (high << word)) >> u11)), unit)

    fraction = integer(basis.fraction_bits)
    root_half_bits = integer(np.asarray(real(0.5**0.5)).view(integer))
    magic = real(1.5 * 2.0**basis.fraction_bits)
    minus_magic = real(-1.5 * 2.0**basis.fraction_bits)
    magic_bits = integer(np.asarray(magic).view(integer))
    log2_high, log2_low = real(c.log2_high), real(c.log2_low)
    log_polynomial = exact_polynomial(c.log)
    sine_polynomial = exact_polynomial(c.sine)
    cosine_polynomial = exact_polynomial(c.cosine)

    @define
    def log(x):  # type: ignore[no-untyped-def]
        # As in functions.build, for normal x in (0, 1] and with every product rounded.
        b = bits(x)
        e = integer(integer(b - root_half_bits) >> fraction)
        f = add(from_bits(integer(b - integer(e << fraction))), minus_one)
        k = add(from_bits(integer(e + magic_bits)), minus_magic)
        s = f / add(two, f)
        z = multiply(s, s)
        h = multiply(half, multiply(f, f))
        tail = multiply(s, add(h, multiply(z, log_polynomial(z))))
        tail = add(tail, multiply(k, log2_low))
        return add(multiply(k, log2_high), add(f, -add(h, -tail)))

    one_word = np.uint64(1)
    mask = np.uint64(0xFFFFFFFF)
    half_unit = real(2.0**-31 if is_single else 2.0**-53)
    turn_unit = real(2.0**-32 if is_single else 2.0**-64)
    # An eighth of a turn, which rounds an angle to the nearest quadrant.
    eighth = np.uint64(2**29 if is_single else 2**61)
    quadrant_shift = np.uint64(30 if is_single else 62)
    three = np.uint64(3)

    if is_single:

        @define
        def radius_argument(w0, w1):  # type: ignore[no-untyped-def]
            # In (0, 1]: 31 bits, so that the tail reaches beyond 6.5.
            return multiply(add(real(signed(w0 >> one_word)), one), half_unit)

        @define
        def split_turn(w1, unused):  # type: ignore[no-untyped-def]
            # A word is a 2**32-th part of a turn: nearest quadrant and what is left.
            quadrant = ((w1 + eighth) & mask) >> quadrant_shift
            return quadrant, real(signed((w1 - (quadrant << quadrant_shift)) & mask))

    else:

        @define
        def radius_argument(w0, w1):  # type: ignore[no-untyped-def]
            return multiply(add(real(signed((w0 | (w1 << word)) >> u11)), one), half_unit)

        @define
        def split_turn(w2, w3):  # type: ignore[no-untyped-def]
            turn = w2 | (w3 << word)
            quadrant = (turn + eighth) >> quadrant_shift
            return quadrant, real(signed(turn - (quadrant << quadrant_shift)))

    @define
    def normal_pair(w0, w1, w2, w3):  # type: ignore[no-untyped-def]
        radius = square_root(multiply(minus_two, log(radius_argument(w0, w1))))
        if is_single:
            quadrant, rest = split_turn(w1, w1)
        else:
            quadrant, rest = split_turn(w2, w3)
        t = multiply(rest, turn_unit)
        z = multiply(t, t)
        sine = multiply(t, sine_polynomial(z))
        cosine = cosine_polynomial(z)
        odd = (quadrant & one_word) == one_word
        x = sine if odd else cosine
        y = cosine if odd else sine
        # Quadrants 0, 1, 2, 3: (c, s), (-s, c), (-c, -s), (s, -c).
        flip_x = ((quadrant + one_word) & three) > one_word
        flip_y = quadrant > one_word
        x = -x if flip_x else x
        y = -y if flip_y else y
        return multiply(radius, x), multiply(radius, y)

    return SimpleNamespace(uniform=uniform, normal_pair=normal_pair)
