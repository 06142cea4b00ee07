"""What the source of a generated loop is written with.

Loads and stores say that what is read and what is written lies apart, so that LLVM needs no
checks before it makes vector code, which it gives up on with many arrays.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels.cpu import _basis
from tapegrad_kernels.cpu._map import scalar_functions

square_root = _basis.square_root
largest, smallest = _basis.maximum, _basis.minimum

_ELEMENTS = {"float32": types.float32, "float64": types.float64, "bool": types.boolean}
_BYTE = ir.IntType(8)


@functools.cache
def _functions(real: str) -> dict[str, Any]:
    return scalar_functions(real)


def function(name: str, real: str) -> Any:
    """A function of our own for numbers of a real type."""
    return _functions(real)[name]


def _stored_type(context: Any, name: str) -> Any:
    return _BYTE if name == "bool" else context.get_value_type(_ELEMENTS[name])


def _address(builder: Any, stored: Any, address: Any, index: Any) -> Any:
    return builder.gep(builder.inttoptr(address, stored.as_pointer()), [index])


def _mark(builder: Any, instruction: Any, own: str, others: list[str]) -> None:
    """Say in which group of memory an instruction works, and in which it does not."""
    module = builder.module

    def text(value: str) -> Any:
        return ir.MetaDataString(module, value)

    domain = module.add_metadata([text("tapegrad chain")])
    scopes = {n: module.add_metadata([text(f"chain {n}"), domain]) for n in (own, *others)}
    instruction.set_metadata("alias.scope", module.add_metadata([scopes[own]]))
    if others:
        apart = module.add_metadata([scopes[name] for name in others])
        instruction.set_metadata("noalias", apart)


@functools.cache
def reader(name: str, results: int) -> Any:
    """An intrinsic ``read(address, index)`` for elements of a dtype.

    Parameters
    ----------
    name : str
        The dtype.
    results : int
        How many arrays the loop writes; what is read lies apart from all of them.
    """
    element = _ELEMENTS[name]

    @intrinsic
    def read(typing_context: Any, address: Any, index: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            stored = _stored_type(context, name)
            value = builder.load(_address(builder, stored, *arguments))
            _mark(builder, value, "read", [str(i) for i in range(results)])
            if name == "bool":
                return builder.icmp_unsigned("!=", value, ir.Constant(_BYTE, 0))
            return value

        return element(types.int64, types.int64), generate

    return read


@functools.cache
def writer(name: str, position: int, results: int) -> Any:
    """An intrinsic ``write(address, index, value)`` for the result at a position."""
    element = _ELEMENTS[name]

    @intrinsic
    def write(typing_context: Any, address: Any, index: Any, value: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            address, index, value = arguments
            stored = _stored_type(context, name)
            if name == "bool":
                value = builder.zext(value, _BYTE)
            instruction = builder.store(value, _address(builder, stored, address, index))
            others = [str(i) for i in range(results) if i != position]
            _mark(builder, instruction, str(position), ["read", *others])
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, element), generate

    return write


@functools.cache
def rounding(name: str) -> Any:
    """``floor``, ``ceil``, ``trunc`` or ``rint`` (to even) as one instruction."""

    @intrinsic
    def round_to(typing_context: Any, x: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            suffix = "f32" if x == types.float32 else "f64"
            kind, full_name = arguments[0].type, f"llvm.{name}.{suffix}"
            found = builder.module.globals.get(full_name)
            if found is None:
                found = ir.Function(builder.module, ir.FunctionType(kind, [kind]), full_name)
            return builder.call(found, arguments)

        return x(x), generate

    return round_to


@functools.cache
def zero_rule(name: str) -> str:
    """How NumPy's ``maximum`` or ``minimum`` chooses between 0 and -0 on this machine.

    Returns
    -------
    str
        ``"second"``: the second argument. ``"sign"``: by IEEE 754-2019, where -0 is the
        smaller. ``"other"``: otherwise, or depending on the place in the array.
    """
    ufunc = np.maximum if name == "maximum" else np.minimum
    found = set()
    for real in (np.float32, np.float64):
        for count in (1, 3, 16, 71):
            zero, negative = np.zeros(count, real), np.full(count, -0.0, real)
            first = np.signbit(ufunc(negative, zero))
            second = np.signbit(ufunc(zero, negative))
            found |= {(bool(a), bool(b)) for a, b in zip(first, second)}
    if found == {(False, True)}:
        return "second"
    return "sign" if found == {(name == "minimum",) * 2} else "other"
