"""Which kernels can stand in a generated loop, and what is written for them there."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from tapegrad_kernels.cpu.program.chains.description import Chain, Number, Step
from tapegrad_kernels.cpu.program.chains.operations import zero_rule
from tapegrad_kernels.cpu.program.elementwise import FUNCTIONS, clip_loop, number, real_dtype
from tapegrad_kernels.cpu.program.loops import ufunc_loop
from tapegrad_kernels.cpu.program.lowering import NotNative

BOOL = np.dtype(np.bool_)
_TYPES = (np.dtype(np.float32), np.dtype(np.float64), BOOL)

# Expressions of values a, b, c that are of the types of NumPy's loop. Wherever the order or the
# treatment of NaN and of -0 matters, they are those of NumPy.
REAL = {
    "add": "a + b",
    "subtract": "a - b",
    "multiply": "a * b",
    "divide": "a / b",
    "negative": "-a",
    "positive": "a",
    "square": "a * a",
    "sqrt": "square_root(a)",
    "reciprocal": "one / a",
    "absolute": "abs(a)",
    "fabs": "abs(a)",
    "floor": "floor(a)",
    "ceil": "ceil(a)",
    "trunc": "trunc(a)",
    "rint": "rint(a)",
    "sign": "one if a > zero else (-one if a < zero else (zero if a == zero else a))",
    "equal": "a == b",
    "not_equal": "a != b",
    "less": "a < b",
    "less_equal": "a <= b",
    "greater": "a > b",
    "greater_equal": "a >= b",
    "isnan": "a != a",
    "isinf": "abs(a) == infinity",
    "isfinite": "abs(a) < infinity",
    "logical_not": "a == zero",
    "logical_and": "(a != zero) & (b != zero)",
    "logical_or": "(a != zero) | (b != zero)",
    "logical_xor": "(a != zero) ^ (b != zero)",
    "clip": "(c if (b if a < b else a) > c else (b if a < b else a))",
    "where": "b if a else c",
    "copy": "a",
}
"""Operations of real numbers."""
EXTREMES = {
    ("maximum", "second"): "a if (a > b) | (a != a) else b",
    ("minimum", "second"): "a if (a < b) | (a != a) else b",
    ("maximum", "sign"): "largest(a, b)",
    ("minimum", "sign"): "smallest(a, b)",
}
"""By the rule of `operations.zero_rule`."""
TRUTH = {
    "equal": "a == b",
    "not_equal": "a != b",
    "logical_not": "not a",
    "invert": "not a",
    "logical_and": "a & b",
    "bitwise_and": "a & b",
    "multiply": "a & b",
    "minimum": "a & b",
    "logical_or": "a | b",
    "bitwise_or": "a | b",
    "add": "a | b",
    "maximum": "a | b",
    "logical_xor": "a ^ b",
    "bitwise_xor": "a ^ b",
    "where": "b if a else c",
    "copy": "a",
}
"""Operations of truth values."""
_SAME_AS = {"abs": "absolute", "true_divide": "divide", "identity": "copy", "astype": "copy"}
_POWERS = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal"}


class Operation(NamedTuple):
    """A step with everything settled.

    Attributes
    ----------
    name : str
        Of the operation: a key of the tables above, or a function of our own.
    arguments : tuple of int or Number
        Those that are left.
    dtypes : tuple of numpy.dtype
        To which the arguments are converted, and of the result.
    """

    name: str
    arguments: tuple[int | Number, ...]
    dtypes: tuple[np.dtype[Any], ...]

    @property
    def is_function(self) -> bool:
        """Whether it is a function of our own."""
        return self.name in FUNCTIONS

    @property
    def expression(self) -> str | None:
        """What computes it from ``a``, ``b`` and ``c``, or None for a function of our own."""
        if self.is_function:
            return None
        if self.dtypes[-2] == BOOL:
            return TRUTH[self.name]
        if self.name in ("maximum", "minimum"):
            return EXTREMES[self.name, zero_rule(self.name)]
        return REAL[self.name]


def is_fusible(
    name: str, arguments: tuple[np.dtype[Any] | Number | None, ...], params: dict[str, Any]
) -> bool:
    """Whether a kernel can be a step of a chain.

    Parameters
    ----------
    name : str
        Name of the kernel.
    arguments : tuple
        A dtype for each array, a `Number` for each number of Python, or None.
    params : dict
        Parameters of the kernel.
    """
    try:
        _settle(name, arguments, tuple(sorted(params.items())))
    except (NotNative, TypeError):  # TypeError: a parameter that cannot be a key
        return False
    return True


def operation_of(chain: Chain, step: Step) -> Operation:
    """A step of a chain with everything settled.

    Raises
    ------
    ValueError
        If it is not fusible, or its result has another dtype.
    """
    kinds = tuple(chain.dtype_of(a) if isinstance(a, int) else a for a in step.arguments)
    try:
        name, kept, dtypes = _settle(step.name, kinds, step.params)
    except NotNative as error:
        raise ValueError(f"{step.name} cannot be a step of a chain: {error}") from error
    if dtypes[-1] != step.dtype:
        raise ValueError(f"{step.name}: the result is {dtypes[-1]}, the step says {step.dtype}")
    arguments: Any = tuple(step.arguments[position] for position in kept)
    return Operation(name, arguments, dtypes)


def _settle(
    name: str, arguments: tuple[Any, ...], params: tuple[tuple[str, Any], ...]
) -> tuple[str, tuple[int, ...], tuple[np.dtype[Any], ...]]:
    """The operation's name, positions of the arguments that it takes, and its dtypes."""
    # Numbers that are equal may be of several types, which promote differently.
    types = tuple(type(a.value) if isinstance(a, Number) else None for a in arguments)
    return _settle_typed(name, arguments, types, params)


@functools.lru_cache(4096)
def _settle_typed(
    name: str, arguments: Any, types: Any, params: Any
) -> tuple[str, tuple[int, ...], tuple[np.dtype[Any], ...]]:
    options = dict(params)
    name = _SAME_AS.get(name, name)
    positions = tuple(i for i, a in enumerate(arguments) if a is not None)
    if name == "clip":
        name = _clip_name(arguments)
    elif name in ("gelu", "gelu_grad"):
        name = name.replace("gelu", "gelu_tanh") if options.pop("approximate", False) else name
    elif name == "power":
        name = _power_name(arguments)
        positions = (0,)
    kept = tuple(arguments[position] for position in positions)
    kinds = tuple(_kind_of(a) for a in kept)
    if name == "copy":
        dtypes = (kinds[0], np.dtype(options.pop("dtype", kinds[0])))
    elif name in FUNCTIONS:
        dtypes = (real_dtype(kinds),) * (len(kinds) + 1)
    elif name == "where":
        result = np.result_type(*(k(0) if isinstance(k, type) else k for k in kinds[1:]))
        dtypes = (BOOL, result, result, result)
    elif name == "clip":
        dtypes = clip_loop(*kinds).dtypes
    elif name in REAL or name in TRUTH or name in ("maximum", "minimum"):
        dtypes = ufunc_loop(name, kinds).dtypes
    else:
        raise NotNative(name)
    _check(name, kept, dtypes, options)
    return name, positions, dtypes


def _check(name: str, arguments: Any, dtypes: Any, options: dict[str, Any]) -> None:
    options.pop("approximate", None)
    seen = (*dtypes, *(np.dtype(a) for a in arguments if not isinstance(a, Number)))
    if options or any(dtype not in _TYPES or not dtype.isnative for dtype in seen):
        raise NotNative(f"{name} of {dtypes}, {options}")
    if dtypes[-2] == BOOL and name not in TRUTH:
        raise NotNative(f"{name} of truth values")
    if name in ("maximum", "minimum") and (name, zero_rule(name)) not in EXTREMES:
        raise NotNative(name)
    for argument, dtype in zip(arguments, dtypes):
        if isinstance(argument, Number):
            number(argument.value, dtype)


def _kind_of(argument: Any) -> Any:
    if not isinstance(argument, Number):
        return np.dtype(argument)
    kind = type(argument.value)
    return kind if kind in (int, float, complex) else np.asarray(argument.value).dtype


def _clip_name(arguments: Any) -> str:
    """What clip is by its bounds; between two it is only known for numbers."""
    low, high = (*arguments, None, None)[1:3]
    if low is None or high is None:
        return "copy" if low is high else "maximum" if high is None else "minimum"
    for bound in (low, high):
        if not isinstance(bound, Number) or bound.value != bound.value:
            raise NotNative("clip between arrays, or by NaN")
    return "clip"


def _power_name(arguments: Any) -> str:
    """NumPy computes some powers in another way, if this NumPy does."""
    base, exponent = arguments
    if isinstance(base, Number) or not isinstance(exponent, Number):
        raise NotNative("power of arrays")
    if type(exponent.value) not in (int, float) or np.dtype(base).kind != "f":
        raise NotNative("power")
    name = _POWERS.get(float(exponent.value))
    if name is None or not _power_is(name, float(exponent.value), np.dtype(base)):
        raise NotNative(f"power of {exponent.value}")
    return name


@functools.cache
def _power_is(name: str, exponent: float, dtype: np.dtype[Any]) -> bool:
    """Whether NumPy's power has the bits of another function, tried on many numbers."""
    x = np.random.default_rng(0).normal(0.0, 10.0, 4096).astype(dtype)
    x[:4] = 0.0, -0.0, np.inf, -np.inf
    with np.errstate(all="ignore"):
        found, wanted = np.power(x, exponent), getattr(np, name)(x)
    same = np.array_equal(found, wanted, equal_nan=True)
    ordered = ~np.isnan(wanted)
    return same and np.array_equal(np.signbit(found)[ordered], np.signbit(wanted)[ordered])
