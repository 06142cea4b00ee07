"""Copying and clearing memory by address, and memory that calls lend one another."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from tapegrad_kernels._compile.intrinsic import intrinsic

_BYTE = ir.IntType(8)
_BIT = ir.IntType(1)
_INT64 = ir.IntType(64)
_POINTER = ir.PointerType()

PAGE = 4096
LARGEST_KEPT = 1 << 26
"""Bytes above which lent memory is not kept for the next call."""

Loan = tuple[int, np.ndarray[Any, Any]]
"""Address, at the start of a page, and owner of lent memory."""


@intrinsic
def copy_bytes(
    typing_context: Any,  # pyright: ignore[reportUnusedParameter]
    target: Any,
    source: Any,
    count: Any,
) -> Any:
    """Copy `count` bytes between addresses whose ranges do not overlap."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_POINTER, _POINTER, _INT64, _BIT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.memcpy.p0.p0.i64")
        target, source = (builder.inttoptr(a, _POINTER) for a in arguments[:2])
        builder.call(function, [target, source, arguments[2], ir.Constant(_BIT, 0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@intrinsic
def clear_bytes(
    typing_context: Any,  # pyright: ignore[reportUnusedParameter]
    target: Any,
    count: Any,
) -> Any:
    """Set `count` bytes from an address on to zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_POINTER, _BYTE, _INT64, _BIT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.memset.p0.i64")
        target = builder.inttoptr(arguments[0], _POINTER)
        zero = ir.Constant(_BYTE, 0)
        builder.call(function, [target, zero, arguments[1], ir.Constant(_BIT, 0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


# Appending and popping are atomic, so calls of several Python threads never share a loan.
_idle: list[Loan] = []


def borrow(count: int) -> Loan:
    """Memory of at least `count` bytes that no other call uses, until `give_back`.

    A fresh array of some megabytes costs more in page faults than many a kernel that
    works on it; lent memory is paged in once.
    """
    try:
        loan = _idle.pop()
    except IndexError:
        loan = None
    if loan is None or loan[1].size < count + PAGE:
        memory = np.empty(count + count // 4 + 2 * PAGE, np.uint8)
        address = memory.ctypes.data
        loan = address + (-address) % PAGE, memory
    return loan


def give_back(loan: Loan) -> None:
    """Hand memory to the next call."""
    if loan[1].size <= LARGEST_KEPT:
        _idle.append(loan)
