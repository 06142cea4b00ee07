"""Arithmetic over the units of one sample: a table of loops for each dtype, called by address.

A gate's arithmetic touches up to a dozen arrays. Where a loop writes one array and reads others,
LLVM adds checks at run time that they do not overlap, and leaves the loop scalar if it would
need many. These loops are emitted with the promise that no two of their arrays overlap, around
formulas that are plain functions of numbers (see `_formulas`).

The loops are all that depends on the dtype: the walks over time that call them are compiled once.
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

import tapegrad_kernels.cpu.recurrent._record as f
from tapegrad_kernels._compile import kernel
from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu.recurrent._formulas import LOOP_NAMES, Formula, make_formulas
from tapegrad_kernels.cpu.simd import ELEMENT, INT64, ITEM_SIZE, POINTER, VOID


def _emit_loop(context: Any, module: Any, name: str, formula: Formula, compiled: Any) -> Any:
    """The function ``void(count, pointer, ...)`` that applies a formula to each element."""
    element, size = ELEMENT[formula.dtype], ITEM_SIZE[formula.dtype]
    loop_type = ir.FunctionType(VOID, [INT64] + [POINTER] * formula.arrays)
    loop = ir.Function(module, loop_type, name)
    loop.linkage = "internal"
    loop.attributes.add("noinline")
    loop.attributes.add("nounwind")
    for pointer in loop.args[1:]:
        pointer.add_attribute("noalias")
    builder = ir.IRBuilder(loop.append_basic_block("entry"))
    function = context.declare_function(module, compiled.fndesc)
    with cgutils.for_range(builder, loop.args[0]) as state:
        places = [
            builder.gep(pointer, [state.index], source_etype=element, inbounds=True)
            for pointer in loop.args[1:]
        ]
        numbers = [
            builder.load(place, typ=element, align=size) for place in places[: formula.inputs]
        ]
        # The status is not looked at: arithmetic raises nothing.
        _, results = context.call_conv.call_function(
            builder, function, compiled.fndesc.restype, compiled.fndesc.argtypes, numbers
        )
        for k, target in enumerate(formula.targets):
            builder.store(builder.extract_value(results, k), places[target], align=size)
    builder.ret_void()
    return loop


def _table_function(dtype: str) -> Any:
    element = types.float32 if dtype == "float32" else types.float64
    formulas = make_formulas(dtype)

    @intrinsic
    def table(typing_context: Any) -> Any:
        for formula in formulas.values():
            kind = typing_context.resolve_value_type(formula.function)
            kind.get_call_type(typing_context, (element,) * formula.inputs, {})

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            module = builder.module
            addresses = []
            for name in LOOP_NAMES:
                formula = formulas[name]
                compiled = formula.function.overloads[(element,) * formula.inputs]
                context.active_code_library.add_linking_library(compiled.library)
                loop = _emit_loop(context, module, f"loop_{name}_{dtype}", formula, compiled)
                addresses.append(loop.ptrtoint(INT64))
            array_type = ir.ArrayType(INT64, len(addresses))
            array: Any = ir.GlobalVariable(module, array_type, f"recurrent_loops_{dtype}")
            array.linkage = "internal"
            array.global_constant = True
            array.initializer = ir.Constant(array_type, addresses)
            return builder.ptrtoint(array, INT64)

        return types.int64(), generate

    @kernel(name=f"loops.{dtype}")
    def loops():  # type: ignore[no-untyped-def]
        return table()

    return loops


_owners: list[Any] = []  # Numba unloads the code of a collected function


@functools.cache
def loops_address(dtype: str) -> int:
    """Address of the table for float32 or float64, in this process."""
    function = _table_function(dtype)
    _owners.append(function)
    return int(function())


@intrinsic
def _call_loop(typing_context: Any, address: Any, count: Any, places: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        width = len(signature.args[2])
        loop_type = ir.FunctionType(VOID, [INT64] + [POINTER] * width)
        pointers = [
            builder.inttoptr(builder.extract_value(arguments[2], i), POINTER) for i in range(width)
        ]
        loop = builder.inttoptr(arguments[0], loop_type.as_pointer())
        builder.call(loop, [arguments[1], *pointers])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, places), generate


@kernel(inline=True)
def apply(r, loop, places):  # type: ignore[no-untyped-def]
    """Run a loop of the record's table over the units; `places` must not overlap."""
    _call_loop(int64_at(r[f.LOOPS])[loop], r[f.UNITS], places)


@intrinsic
def prefetch_line(typing_context: Any, address: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """Ask for the cache line at an address, which need not be readable."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.IntType(32)
        kind = ir.FunctionType(VOID, [POINTER, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, second_level, data = (ir.Constant(number, value) for value in (0, 2, 1))
        pointer = builder.inttoptr(arguments[0], POINTER)
        builder.call(function, [pointer, read, second_level, data])
        return context.get_dummy_value()

    return types.void(types.int64), generate
