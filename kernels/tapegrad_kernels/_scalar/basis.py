"""What a device supplies so that the shared scalar definitions can run on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Basis:
    """The operations below the shared definitions, for one real type on one device.

    Attributes
    ----------
    real : type
        ``np.float32`` or ``np.float64``. All constants are made with it: a bare Python
        number would promote float32 to float64 inside compiled code.
    define : callable
        Decorator for a device function that is inlined into its callers.
    multiply_add : callable
        ``(a, b, c) -> a * b + c``, fused where the device does that at full speed.
    product_error : callable
        ``(a, b, p) -> a * b - p`` exactly, where ``p`` is the rounded product ``a * b``.
    multiply, add : callable
        Correctly rounded operations that no compiler may fuse. Random numbers use them to
        have the same bits everywhere.
    square_root : callable
        Correctly rounded.
    bits, from_bits : callable
        A float's bits as a signed integer of its width, and back.
    polynomial : callable
        Makes, from coefficients with the highest power first, a function that evaluates the
        polynomial by Horner's rule with `multiply_add`.
    """

    real: type[np.floating[Any]]
    define: Callable[[Callable[..., Any]], Any]
    multiply_add: Any
    product_error: Any
    multiply: Any
    add: Any
    square_root: Any
    bits: Any
    from_bits: Any
    polynomial: Callable[[Sequence[float]], Any]

    @property
    def integer(self) -> type[np.signedinteger[Any]]:
        """Signed integer type of the same width as `real`."""
        return np.int32 if self.real is np.float32 else np.int64

    @property
    def fraction_bits(self) -> int:
        """Stored bits of the fraction: 23 or 52."""
        return 23 if self.real is np.float32 else 52

    @property
    def name(self) -> str:
        """NumPy's name of the real type."""
        return self.real.__name__


def horner(basis_real: Any, define: Any, multiply_add: Any, coefficients: Sequence[float]) -> Any:
    """Evaluate a polynomial by Horner's rule, as a chain of device functions.

    For devices whose compiler has no shorter way. `coefficients` begin with the highest power.
    """
    first = basis_real(coefficients[0])
    if len(coefficients) == 1:

        def constant(x: Any) -> Any:
            return first

        return define(constant)
    last = basis_real(coefficients[-1])
    inner = horner(basis_real, define, multiply_add, coefficients[:-1])

    def step(x: Any) -> Any:
        return multiply_add(inner(x), x, last)

    return define(step)


def python_basis(real: type[np.floating[Any]]) -> Basis:
    """The basis of plain Python on NumPy scalars: for tests and simulators.

    Overflow and invalid operations warn, as NumPy scalars do; use `numpy.errstate`.
    """
    integer: Any = np.int32 if real is np.float32 else np.int64
    constant: Any = real
    splitter: Any = constant(4097.0 if real is np.float32 else 134217729.0)

    def product_error(a: Any, b: Any, p: Any) -> Any:
        # Dekker's product: halves whose products are exact.
        t = splitter * a
        a_high = t - (t - a)
        a_low = a - a_high
        t = splitter * b
        b_high = t - (t - b)
        b_low = b - b_high
        return ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low

    def multiply_add(a: Any, b: Any, c: Any) -> Any:
        return a * b + c

    def identity(function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    def polynomial(coefficients: Sequence[float]) -> Any:
        return horner(real, identity, multiply_add, coefficients)

    return Basis(
        real=real,
        define=identity,
        multiply_add=multiply_add,
        product_error=product_error,
        multiply=lambda a, b: a * b,
        add=lambda a, b: a + b,
        square_root=lambda a: constant(math.sqrt(a)),
        bits=lambda a: constant(a).view(integer),
        from_bits=lambda a: integer(a).view(real),
        polynomial=polynomial,
    )
