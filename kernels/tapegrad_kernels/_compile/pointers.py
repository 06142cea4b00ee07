"""Addresses inside kernels: of arrays, of packed arguments, of other kernels.

Inner kernels take addresses as 64-bit integers. An integer costs nothing to
pass, carries no reference count into a hot loop, and can stand in a table.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from tapegrad_kernels._compile.intrinsic import intrinsic

_INT64 = ir.IntType(64)


@intrinsic
def address_of(typing_context: Any, array: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """Address of the first element of an array, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(view.data, _INT64)

    return types.int64(array), generate


def _pointer_intrinsic(element: Any) -> Any:
    @intrinsic
    def cast(typing_context: Any, address: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target = context.get_value_type(signature.return_type)
            return builder.inttoptr(arguments[0], target)

        return types.CPointer(element)(types.int64), generate

    return cast


float32_at = _pointer_intrinsic(types.float32)
"""Pointer to float32 from an address: ``p = float32_at(a); p[i]``."""
float64_at = _pointer_intrinsic(types.float64)
"""Pointer to float64 from an address."""
int64_at = _pointer_intrinsic(types.int64)
"""Pointer to int64 from an address, as for a block's packed arguments."""
uint64_at = _pointer_intrinsic(types.uint64)
"""Pointer to uint64 from an address."""

POINTER_TO = {"float32": float32_at, "float64": float64_at}
"""The cast for each floating type, by NumPy's name."""


@intrinsic
def call_block(
    typing_context: Any,  # pyright: ignore[reportUnusedParameter]
    address: Any,
    record: Any,
    start: Any,
    stop: Any,
) -> Any:
    """Call the block at `address` with ``(record, start, stop)``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function_type = ir.FunctionType(ir.VoidType(), [_INT64] * 3)
        function = builder.inttoptr(arguments[0], function_type.as_pointer())
        builder.call(function, arguments[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), generate


@intrinsic
def call_address(
    typing_context: Any,  # pyright: ignore[reportUnusedParameter]
    address: Any,
    arguments: Any,
) -> Any:
    """Call the function ``void(int64, ...)`` at `address` with a tuple of integers."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = list(signature.args[1])
        passed = [
            context.cast(builder, builder.extract_value(values[1], i), kind, types.int64)
            for i, kind in enumerate(kinds)
        ]
        function_type = ir.FunctionType(ir.VoidType(), [_INT64] * len(kinds))
        builder.call(builder.inttoptr(values[0], function_type.as_pointer()), passed)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), generate


@intrinsic
def pack(typing_context: Any, values: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """Address of a record on the stack that holds a tuple of numbers, 64 bits each.

    Integers are widened to int64, and floats to float64, whose bits stand in the record. The
    record lives as long as the function that packs it.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = list(signature.args[0])
        record = cgutils.alloca_once(builder, ir.ArrayType(_INT64, len(kinds)))
        for position, kind in enumerate(kinds):
            value = builder.extract_value(arguments[0], position)
            if isinstance(kind, types.Float):
                value = context.cast(builder, value, kind, types.float64)
                value = builder.bitcast(value, _INT64)
            else:
                value = context.cast(builder, value, kind, types.int64)
            builder.store(value, cgutils.gep_inbounds(builder, record, 0, position))
        return builder.ptrtoint(record, _INT64)

    return types.int64(values), generate


@intrinsic
def num_threads(typing_context: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """Number of threads that a parallel region would use now.

    `numba.get_num_threads` goes through an address of the process, so a kernel
    that calls it cannot be kept on disk.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        module, name = builder.module, "get_num_threads"
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(_INT64, []), name)
        return builder.call(function, [])

    return types.int64(), generate


@intrinsic
def cycles(typing_context: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The processor's time-stamp counter on x86-64, where it is free to read; else 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if platform.machine().lower() not in {"x86_64", "amd64"}:
            return ir.Constant(_INT64, 0)
        counter = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_INT64, []), "llvm.readcyclecounter"
        )
        return builder.call(counter, [])

    return types.int64(), generate
