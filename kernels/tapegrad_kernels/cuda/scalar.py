"""What each elementwise operation does to one element: the table behind `elementwise`."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapegrad_kernels.cuda import library
from tapegrad_kernels.cuda.shim import device_function


@dataclass(frozen=True)
class Definition:
    """One elementwise operation.

    Attributes
    ----------
    name : str
        Its public name.
    resolver : numpy.ufunc
        The universal function whose rules for dtypes it follows.
    scalar : callable
        ``scalar(dtype)`` gives the function that computes one element in `dtype`.
    summary : str
        Docstring of the public function.
    """

    name: str
    resolver: np.ufunc
    scalar: Callable[[str], Callable[..., Any]]
    summary: str

    @property
    def arity(self) -> int:
        """Number of operands."""
        return self.resolver.nin


# Operators alone say what these do, for every dtype. Comparisons are arranged so
# that NaN goes where NumPy sends it.
_OPERATORS: dict[str, Callable[..., Any]] = {
    "absolute": lambda x: abs(x),
    "add": lambda x, y: x + y,
    "bitwise_and": lambda x, y: x & y,
    "bitwise_or": lambda x, y: x | y,
    "bitwise_xor": lambda x, y: x ^ y,
    "conjugate": lambda x: x,
    "divide": lambda x, y: x / y,
    "equal": lambda x, y: x == y,
    "fmax": lambda x, y: x if x >= y or y != y else y,
    "fmin": lambda x, y: x if x <= y or y != y else y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
    "invert": lambda x: ~x,
    "isnan": lambda x: x != x,
    "left_shift": lambda x, y: x << y,
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "logical_and": lambda x, y: x != 0 and y != 0,
    "logical_not": lambda x: x == 0,
    "logical_or": lambda x, y: x != 0 or y != 0,
    "logical_xor": lambda x, y: (x != 0) != (y != 0),
    "maximum": lambda x, y: x if x >= y or x != x else y,
    "minimum": lambda x, y: x if x <= y or x != x else y,
    "multiply": lambda x, y: x * y,
    "negative": lambda x: -x,
    "not_equal": lambda x, y: x != y,
    "positive": lambda x: x,
    "right_shift": lambda x, y: x >> y,
    "square": lambda x: x * x,
    "subtract": lambda x, y: x - y,
}

_INTEGERS_UNCHANGED = frozenset({"ceil", "floor", "rint", "trunc"})


def _divmod_floats(dtype: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Floor division and remainder of floats, as Python and NumPy define them."""
    real: Any = np.dtype(dtype).type
    zero, half, one = real(0.0), real(0.5), real(1.0)
    fmod, floor = library.function("fmod", dtype), library.function("floor", dtype)
    copysign = library.function("copysign", dtype)

    def remainder(x, y):  # type: ignore[no-untyped-def]
        rest = fmod(x, y)
        if rest == zero:
            return copysign(zero, y)
        if (rest < zero) != (y < zero):
            return rest + y
        return rest

    def floor_divide(x, y):  # type: ignore[no-untyped-def]
        if y == zero:
            return x / y
        rest = fmod(x, y)
        quotient = (x - rest) / y
        if rest != zero and (rest < zero) != (y < zero):
            quotient -= one
        if quotient == zero:
            return copysign(zero, x / y)
        whole = floor(quotient)
        return whole + one if quotient - whole > half else whole

    return floor_divide, remainder


def _divmod_integers(dtype: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The same of integers; division by zero gives zero, as in NumPy."""
    zero: Any = np.dtype(dtype).type(0)

    def remainder(x, y):  # type: ignore[no-untyped-def]
        return x % y if y != zero else zero

    def floor_divide(x, y):  # type: ignore[no-untyped-def]
        return x // y if y != zero else zero

    return floor_divide, remainder


def _power_of_integers(dtype: str) -> Callable[..., Any]:
    """Repeated squaring. Where NumPy refuses a negative exponent, the true value is truncated."""
    integer: Any = np.dtype(dtype).type
    zero, one, minus_one = integer(0), integer(1), integer(-1 if dtype[0] == "i" else 0)

    def power(x, y):  # type: ignore[no-untyped-def]
        if y < zero:
            return (
                one
                if x == one or (x == minus_one and y & 1 == 0)
                else (minus_one if x == minus_one else zero)
            )
        result = one
        while y > zero:
            if y & 1 == 1:
                result = integer(result * x)
            y = integer(y >> 1)
            x = integer(x * x)
        return result

    return power


def _special(name: str, dtype: str) -> Callable[..., Any]:
    """Definitions that need constants of the type or other functions."""
    real: Any = np.dtype(dtype).type
    kind = np.dtype(dtype).kind
    floating = kind == "f"
    if name in ("floor_divide", "remainder"):
        functions = (_divmod_floats if floating else _divmod_integers)(dtype)
        return functions[name == "remainder"]
    if name == "power" and not floating:
        return _power_of_integers(dtype)
    zero, one = real(0), real(1)
    if name == "reciprocal":
        return lambda x: one / x
    if name == "sign":
        minus_one = zero if kind in "bu" else real(-1)
        return lambda x: one if x > zero else minus_one if x < zero else zero if x == zero else x
    if not floating:
        always = name == "isfinite"
        return lambda x: always  # isfinite, isinf, signbit of what is no float
    infinity, degree = real(np.inf), real(math.pi / 180.0)
    if name == "isfinite":
        return lambda x: abs(x) < infinity
    if name == "isinf":
        return lambda x: abs(x) == infinity
    if name == "deg2rad":
        return lambda x: x * degree
    if name == "rad2deg":
        radian = real(180.0 / math.pi)
        return lambda x: x * radian
    if name == "heaviside":
        return lambda x, y: zero if x < zero else one if x > zero else y if x == zero else x
    if name == "signbit":
        copysign = library.function("copysign", dtype)
        return lambda x: copysign(one, x) < zero
    exp, log1p = (
        library.function("exp" if name == "logaddexp" else "exp2", dtype),
        library.function("log1p", dtype),
    )
    scale = one if name == "logaddexp" else real(1.0 / math.log(2.0))

    def logaddexp(x, y):  # type: ignore[no-untyped-def]
        larger = x if x >= y or x != x else y
        if x == y:  # also two infinities, whose difference is NaN
            return x + log1p(one) * scale
        return larger + log1p(exp(-abs(x - y))) * scale

    return logaddexp


_SPECIAL = (
    "deg2rad",
    "floor_divide",
    "heaviside",
    "isfinite",
    "isinf",
    "logaddexp",
    "logaddexp2",
    "rad2deg",
    "reciprocal",
    "remainder",
    "sign",
    "signbit",
)

_OTHER_NAMES = {
    "abs": "absolute",
    "conj": "conjugate",
    "degrees": "rad2deg",
    "mod": "remainder",
    "radians": "deg2rad",
    "true_divide": "divide",
}

SHARED = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.exp,
    "sigmoid": np.exp,
    "softplus": np.exp,
    "erf": np.exp,
    "relu": np.exp,
    "tanh_grad": np.arctan2,
    "sigmoid_grad": np.arctan2,
    "relu_grad": np.arctan2,
    "softplus_grad": np.arctan2,
    "erf_grad": np.arctan2,
    "gelu": np.exp,
    "gelu_tanh": np.exp,
    "gelu_grad": np.arctan2,
    "gelu_tanh_grad": np.arctan2,
    "sigmoid_cross_entropy": np.arctan2,
}
"""What is computed by the CPU's formulas, and the universal functions whose dtypes it has."""


def _numpy_scalar(name: str, dtype: str) -> Callable[..., Any]:
    if name in _OPERATORS:
        return _OPERATORS[name]
    floating = np.dtype(dtype).kind == "f"
    if name in _SPECIAL or (name == "power" and not floating):
        return _special(name, dtype)
    if name in _INTEGERS_UNCHANGED and not floating:
        return _OPERATORS["positive"]
    if name == "float_power":
        return library.function("power", dtype)
    return library.function(name, dtype)


def _numpy_definition(public: str, name: str) -> Definition:
    return Definition(
        public,
        getattr(np, name),
        lambda dtype: _numpy_scalar(name, dtype),
        f"`numpy.{public}` of device arrays and numbers, element by element.",
    )


def _shared_definition(name: str, resolver: np.ufunc) -> Definition:
    return Definition(
        name,
        resolver,
        lambda dtype: getattr(library.shared(dtype), name),
        f"`{name}` of device arrays and numbers, element by element, by the CPU's formula.",
    )


_NUMPY_NAMES = sorted({*_OPERATORS, *_SPECIAL, *library.NAMES, "float_power"} - {*SHARED})

DEFINITIONS: dict[str, Definition] = {
    **{name: _numpy_definition(name, name) for name in _NUMPY_NAMES},
    **{name: _numpy_definition(name, same) for name, same in _OTHER_NAMES.items()},
    **{name: _shared_definition(name, resolver) for name, resolver in SHARED.items()},
}
"""Every elementwise operation without parameters, by name."""


@functools.cache
def device_operation(name: str, dtype: str) -> Any:
    """The scalar function of the operation `name`, callable from kernels."""
    function = DEFINITIONS[name].scalar(dtype)
    if not inspect.isfunction(function) or function.__module__ != __name__:
        return function  # of the library or the shared definitions: callable as it is
    return device_function(function)
