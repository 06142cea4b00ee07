"""The math library on the device, and the basis of the scalar definitions shared with the CPU.

NVIDIA's libdevice computes what neither operators nor the shared definitions do:
trigonometry, roots, rounding. The simulator cannot call it; there NumPy's
universal functions stand in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tapegrad_kernels._scalar import functions, losses, philox, updates
from tapegrad_kernels._scalar.basis import Basis, horner, python_basis
from tapegrad_kernels.cuda.shim import SIMULATED, cuda, device_function, libdevice

_LIBDEVICE = {
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "cbrt": "cbrt",
    "ceil": "ceil",
    "copysign": "copysign",
    "cos": "cos",
    "cosh": "cosh",
    "exp": "exp",
    "exp2": "exp2",
    "expm1": "expm1",
    "fabs": "fabs",
    "floor": "floor",
    "fmod": "fmod",
    "hypot": "hypot",
    "log10": "log10",
    "log1p": "log1p",
    "log2": "log2",
    "nextafter": "nextafter",
    "power": "pow",
    "rint": "rint",
    "sin": "sin",
    "sinh": "sinh",
    "sqrt": "sqrt",
    "tan": "tan",
    "trunc": "trunc",
}

NAMES = frozenset(_LIBDEVICE)
"""What `function` knows, by NumPy's names."""


def function(name: str, dtype: str) -> Callable[..., Any]:
    """A function of the math library for one real type, callable from kernels.

    Parameters
    ----------
    name : str
        NumPy's name of it.
    dtype : {"float32", "float64"}
        The type of its arguments and result.
    """
    if SIMULATED:
        return getattr(np, name)
    return getattr(libdevice, _LIBDEVICE[name] + ("f" if dtype == "float32" else ""))


def _device_basis(real: type[np.floating[Any]]) -> Basis:
    single = real is np.float32

    def pick(name_float32: str, name_float64: str) -> Any:
        return getattr(libdevice, name_float32 if single else name_float64)

    @device_function
    def multiply_add(a, b, c):  # type: ignore[no-untyped-def]
        return cuda.fma(a, b, c)

    @device_function
    def product_error(a, b, p):  # type: ignore[no-untyped-def]
        return cuda.fma(a, b, -p)

    def polynomial(coefficients: Sequence[float]) -> Any:
        return horner(real, device_function, multiply_add, coefficients)

    return Basis(
        real=real,
        define=device_function,
        multiply_add=multiply_add,
        product_error=product_error,
        # The compiler contracts ``a * b + c``; it leaves these two alone.
        multiply=pick("fmul_rn", "dmul_rn"),
        add=pick("fadd_rn", "dadd_rn"),
        square_root=pick("fsqrt_rn", "dsqrt_rn"),
        bits=pick("float_as_int", "double_as_longlong"),
        from_bits=pick("int_as_float", "longlong_as_double"),
        polynomial=polynomial,
    )


@functools.cache
def basis(dtype: str) -> Basis:
    """What the device supplies to the shared scalar definitions, for one real type."""
    real: Any = np.dtype(dtype).type
    return python_basis(real) if SIMULATED else _device_basis(real)


@functools.cache
def shared(dtype: str) -> SimpleNamespace:
    """The elementary and activation functions that the CPU's kernels are made of too."""
    own = basis(dtype)
    built = functions.build(own)
    return SimpleNamespace(
        **vars(built),
        **vars(losses.build(own, built)),
        **vars(updates.build(own, built)),
        **vars(philox.build_conversions(own)),
    )


@functools.cache
def generator() -> Any:
    """The random number generator that the CPU's kernels use too."""
    return philox.build_generator(basis("float32").define)
