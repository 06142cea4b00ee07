"""Updates whose numbers are computed from settings when they run.

A setting is a number that stands in the record, or one that is read from memory: a learning rate
or a counter that changes from step to step.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from tapegrad_kernels._compile import block, kernel
from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels._compile.launch import run_chunks
from tapegrad_kernels._compile.pointers import float32_at, float64_at, int64_at, pack
from tapegrad_kernels._scalar.update_numbers import FORMULAS

SETTINGS = 7
"""Places for settings in a record."""

KINDS = {np.dtype(np.float64): 1, np.dtype(np.int64): 2, np.dtype(np.float32): 3}
"""How a setting is read from memory, two bits in a word for all settings; 0 if it stands there."""


@functools.cache
def numbers_at(place: int, count: int, real: str) -> Callable[..., Any]:
    """An intrinsic that reads a tuple of numbers from a record, from a place in it on.

    The record holds them as float64; the arithmetic is in the arrays' type.
    """
    element = types.float32 if real == "float32" else types.float64

    @intrinsic
    def read(typing_context: Any, record: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            wide = ir.DoubleType()
            first = builder.inttoptr(arguments[0], wide.as_pointer())
            values = []
            for position in range(place, place + count):
                at = builder.gep(first, [ir.Constant(ir.IntType(64), position)])
                value = builder.load(at)
                if real == "float32":
                    value = builder.fptrunc(value, ir.FloatType())
                values.append(value)
            return context.make_tuple(builder, signature.return_type, values)

        return types.UniTuple(element, count)(types.int64), generate

    return read


@kernel(inline=True)
def read_settings(kinds, words, target):  # type: ignore[no-untyped-def]
    """Write the settings that stand at an address, or whose addresses do, as float64."""
    packed, given, values = int64_at(words), float64_at(words), float64_at(target)
    for i in range(SETTINGS):
        kind = (kinds >> (2 * i)) & 3
        if kind == 0:
            values[i] = given[i]
        elif kind == 1:
            values[i] = float64_at(packed[i])[0]
        elif kind == 2:
            values[i] = np.float64(int64_at(packed[i])[0])
        else:
            values[i] = np.float64(float32_at(packed[i])[0])


def _write_numbers(place: int = 0) -> Any:
    """A function ``(number, settings, target)`` that runs a formula, if its settings are allowed.

    One formula a level, each of which hands what is not its own to the next.
    """
    if place == len(FORMULAS):

        @kernel(inline=True)
        def last(number, settings, target):  # type: ignore[no-untyped-def]
            return True

        return last
    given = FORMULAS[place]
    function, read = kernel(inline=True)(given.function), numbers_at(0, given.arity, "float64")
    following = _write_numbers(place + 1)
    if given.allowed is None:

        @kernel(inline=True)
        def allowed(values):  # type: ignore[no-untyped-def]
            return True

    else:
        test = kernel(inline=True)(given.allowed)

        @kernel(inline=True)
        def allowed(values):  # type: ignore[no-untyped-def]
            return test(*values)

    @kernel(inline=True)
    def level(number, settings, target):  # type: ignore[no-untyped-def]
        if number != place:
            return following(number, settings, target)
        values, results = read(settings), float64_at(target)
        if not allowed(values):
            return False
        numbers = function(*values)
        for i in range(len(numbers)):
            results[i] = numbers[i]
        return True

    return level


_write = _write_numbers()

NO_FORMULA = -1
"""In the place of a formula: the numbers stand in the record already."""
HEAD = 9 + SETTINGS
"""Words of the record of `apply_update` before the record of the block that it runs."""


@block("apply_update")
def apply_update(record, start, stop):  # type: ignore[no-untyped-def]
    """Compute the numbers of an update, and run its block with them.

    The record holds the formula's number, the kinds of the settings, the address of the status
    word or 0, the addresses of the block, of `chunk_block` and of `parallel_launcher`, how many
    elements there are and how many of them a chunk takes, where the numbers stand in the record of
    the block, the settings, and last that record itself.
    """
    packed = int64_at(record)
    inner = record + 8 * HEAD
    if packed[0] >= 0:
        settings = pack((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
        read_settings(packed[1], record + 72, settings)
        if not _write(packed[0], settings, inner + 8 * packed[8]):
            if packed[2] != 0:
                int64_at(packed[2])[0] = 1
            return
    run_chunks(packed[3], inner, packed[6], packed[7], packed[4], packed[5])
