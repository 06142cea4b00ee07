"""The CPU's basis for the shared scalar definitions, as LLVM instructions.

Each operation is an intrinsic that emits one or two scalar instructions; the
vectoriser turns a loop over them into vectors of whatever width the CPU has.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tapegrad_kernels._compile import features, kernel
from tapegrad_kernels._scalar.basis import Basis

# Without the instruction, llvm.fma would become a call of libm for every element.
_FUSED = "fma" in features.cpu_features() or "neon" in features.cpu_features()


def _call(builder: Any, name: str, arguments: Sequence[Any]) -> Any:
    """Call an LLVM intrinsic of one floating type, declared by name."""
    kind = arguments[0].type
    suffix = "f32" if isinstance(kind, ir.FloatType) else "f64"
    function_type = ir.FunctionType(kind, [kind] * len(arguments))
    full_name = f"{name}.{suffix}"
    function = builder.module.globals.get(full_name)
    if function is None:
        function = ir.Function(builder.module, function_type, full_name)
    return builder.call(function, arguments)


@intrinsic
def multiply_add(typing_context: Any, a: Any, b: Any, c: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """``a * b + c``, fused where the CPU has the instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(builder, "llvm.fmuladd", arguments)

    return a(a, a, a), generate


@intrinsic
def product_error(typing_context: Any, a: Any, b: Any, p: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """``a * b - p`` exactly, for the rounded product ``p``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, y, product = arguments
        if _FUSED:
            return _call(builder, "llvm.fma", (x, y, builder.fneg(product)))
        if isinstance(x.type, ir.FloatType):
            # A product of two float32 is exact in float64.
            wide = ir.DoubleType()
            exact = builder.fmul(builder.fpext(x, wide), builder.fpext(y, wide))
            return builder.fptrunc(builder.fsub(exact, builder.fpext(product, wide)), x.type)
        # Dekker's product: halves whose products are exact.
        splitter = ir.Constant(x.type, 134217729.0)

        def halves(value: Any) -> tuple[Any, Any]:
            t = builder.fmul(splitter, value)
            high = builder.fsub(t, builder.fsub(t, value))
            return high, builder.fsub(value, high)

        x_high, x_low = halves(x)
        y_high, y_low = halves(y)
        error = builder.fsub(builder.fmul(x_high, y_high), product)
        error = builder.fadd(error, builder.fmul(x_high, y_low))
        error = builder.fadd(error, builder.fmul(x_low, y_high))
        return builder.fadd(error, builder.fmul(x_low, y_low))

    return a(a, a, a), generate


@intrinsic
def multiply(typing_context: Any, a: Any, b: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """``a * b``, never fused."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments)

    return a(a, a), generate


@intrinsic
def add(typing_context: Any, a: Any, b: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """``a + b``, never fused."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return a(a, a), generate


@intrinsic
def square_root(typing_context: Any, a: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The correctly rounded square root."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(builder, "llvm.sqrt", arguments)

    return a(a), generate


@intrinsic
def maximum(typing_context: Any, a: Any, b: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The larger of two numbers, or NaN if one is NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(builder, "llvm.maximum", arguments)

    return a(a, a), generate


@intrinsic
def minimum(typing_context: Any, a: Any, b: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The smaller of two numbers, or NaN if one is NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(builder, "llvm.minimum", arguments)

    return a(a, a), generate


@intrinsic
def bits(typing_context: Any, a: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The bits of a float as a signed integer of its width."""
    integer = types.int32 if a == types.float32 else types.int64

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return integer(a), generate


@intrinsic
def from_bits(typing_context: Any, a: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The float with the given bits."""
    real = types.float32 if a == types.int32 else types.float64

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return real(a), generate


def polynomial(coefficients: Sequence[float]) -> Any:
    """An intrinsic that evaluates a polynomial, highest power first, by Horner's rule."""
    values = [float(value) for value in coefficients]
    assert all(math.isfinite(value) for value in values)

    @intrinsic
    def evaluate(typing_context: Any, x: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            variable = arguments[0]
            rounded = [
                float(np.float32(value)) if isinstance(variable.type, ir.FloatType) else value
                for value in values
            ]
            result = ir.Constant(variable.type, rounded[0])
            for value in rounded[1:]:
                constant = ir.Constant(variable.type, value)
                result = _call(builder, "llvm.fmuladd", (result, variable, constant))
            return result

        return x(x), generate

    return evaluate


@functools.cache
def cpu_basis(name: str) -> Basis:
    """The CPU's operations for ``"float32"`` or ``"float64"``."""
    return Basis(
        real=np.float32 if name == "float32" else np.float64,
        define=kernel(inline=True),
        multiply_add=multiply_add,
        product_error=product_error,
        multiply=multiply,
        add=add,
        square_root=square_root,
        bits=bits,
        from_bits=from_bits,
        polynomial=polynomial,
    )
