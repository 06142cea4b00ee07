"""Runs chains that are not compiled, in blocks that stay in the cache.

For each block of elements all steps run one after the other, between temporaries on the stack
of the thread. Steps are the loops of NumPy, the blocks of the functions of our own, and copies
that convert or repeat. No step writes where it reads: the vector code of a function would then
be of no use, because it must allow for an overlap.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from tapegrad_kernels._compile import block, on_warmup
from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels._compile.pointers import call_address, call_block, int64_at, pack
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.chains.description import MOST_ARRAYS, MOST_STEPS, Chain, Number
from tapegrad_kernels.cpu.program.chains.source import needed_steps
from tapegrad_kernels.cpu.program.chains.vocabulary import Operation
from tapegrad_kernels.cpu.program.copying import copy_block, plain_types
from tapegrad_kernels.cpu.program.elementwise import FUNCTIONS, clip_loop, number, where_loop
from tapegrad_kernels.cpu.program.loops import Loop, ufunc_loop
from tapegrad_kernels.cpu.program.operand import Operand

_MOST_OPERANDS = MOST_ARRAYS + 2 * MOST_STEPS  # no step takes more than two numbers
_MOST_VALUES = _MOST_OPERANDS + MOST_STEPS + 2
_STACK_BYTES = 1 << 16
_TEMPORARY_BYTES = 3072
_LINE = 64
_STEP_WORDS = 11
_LOOP, _BLOCK, _COPY = 0, 1, 2

TABLE = 6
"""Word of the record that holds the address of the operands' table."""
PLACE_WORDS = 3
"""Words of an operand in the table, of which the first is its address."""


def _stack(nbytes: int) -> Any:
    """An intrinsic that returns the address of so many bytes on the stack."""

    @intrinsic
    def stack(typing_context: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            # Numba's own helper also clears it, byte by byte: LLVM then works for minutes.
            with builder.goto_entry_block():
                memory = builder.alloca(ir.ArrayType(ir.IntType(8), nbytes))
            memory.align = _LINE
            return builder.ptrtoint(memory, ir.IntType(64))

        return types.int64(), generate

    return stack


_temporaries = _stack(_STACK_BYTES)
_table = _stack(8 * _MOST_VALUES)


@block("interpret")
def interpret(record, start, stop):  # type: ignore[no-untyped-def]
    """Run a chain over elements ``[start, stop)`` of its space.

    The record: elements of a block, columns of the space, operands, temporaries, bytes of a
    temporary, steps, address of the operands, address of the steps. An operand is an address
    and its strides along a row and a column. A step is its kind, an address, a loop's data,
    then for each of four arguments, the result last, which value it is, and its stride.
    """
    packed = int64_at(record)
    most, columns, operands, temporaries = packed[0], packed[1], packed[2], packed[3]
    temporary_bytes, steps = packed[4], packed[5]
    places, code = int64_at(packed[6]), int64_at(packed[7])
    values, memory = int64_at(_table()), _temporaries()
    for k in range(temporaries):
        values[operands + k] = memory + k * temporary_bytes
    at = start
    while at < stop:
        row = at // columns
        column = at - row * columns
        count = min(columns - column, min(stop - at, most))
        for k in range(operands):
            values[k] = places[3 * k] + column * places[3 * k + 1] + row * places[3 * k + 2]
        length = pack((count,))
        for step in range(steps):
            here = 11 * step
            kind, address = code[here], code[here + 1]
            a, b = values[code[here + 3]], values[code[here + 4]]
            c, d = values[code[here + 5]], values[code[here + 6]]
            arguments, strides = pack((a, b, c, d)), packed[7] + 8 * (here + 7)
            if kind == 0:
                call_address(address, (arguments, length, strides, code[here + 2]))
            elif kind == 1:
                call_block(address, arguments, 0, count)
            else:
                copy = pack((b, a, 0, count, code[here + 7], code[here + 8]))
                call_block(address, copy, 0, 1)
        at += count


class _Value(NamedTuple):
    """Where a value is: an operand or a temporary, and how far apart its elements are."""

    place: int
    stride: int
    dtype: np.dtype[Any]


class _Program:
    """The words of a chain's steps.

    Attributes
    ----------
    operands : list
        ``(operand, stride along a row, stride along a column)``.
    words : list of int
        The steps, with the numbers of temporaries counted from 0 behind `_MOST_OPERANDS`.
    """

    def __init__(self, builder: Builder, chain: Chain) -> None:
        self.builder = builder
        self.chain = chain
        self.operands: list[tuple[Operand, int, int]] = []
        self.words: list[int] = []
        self.free: list[int] = []
        self.temporaries = 0
        self.values: dict[int, _Value] = {}
        self.numbers: dict[tuple[bytes, str], _Value] = {}

    def add_operand(self, operand: Operand, along: int, down: int) -> _Value:
        """Enter an operand with its strides."""
        self.operands.append((operand, along, down))
        return _Value(len(self.operands) - 1, along, operand.dtype)

    def temporary(self, dtype: np.dtype[Any]) -> _Value:
        """A temporary that nothing uses now."""
        if not self.free:
            self.free.append(_MOST_OPERANDS + self.temporaries)
            self.temporaries += 1
        return _Value(self.free.pop(), dtype.itemsize, dtype)

    def release(self, value: _Value) -> None:
        """Let a temporary be used again."""
        if value.place >= _MOST_OPERANDS:
            self.free.append(value.place)

    def emit(self, kind: int, address: int, data: int, *values: _Value) -> None:
        """Add a step; the result is the last of the values."""
        padding = [0] * (4 - len(values))
        places, strides = [v.place for v in values], [v.stride for v in values]
        self.words += [kind, address, data, *places, *padding, *strides, *padding]

    def copied(self, value: _Value, dtype: np.dtype[Any], target: _Value | None = None) -> _Value:
        """A value converted, one element after the other."""
        made = target or self.temporary(dtype)
        self.emit(_COPY, copy_block(*plain_types(value.dtype, dtype)).address, 0, value, made)
        return made

    def argument(self, argument: int | Number, dtype: np.dtype[Any]) -> _Value:
        """An argument in the place and, for numbers, of the type in which it is wanted."""
        if isinstance(argument, int):
            return self.values[argument]
        constant = number(argument.value, dtype)
        key = (constant.tobytes(), dtype.name)
        if key not in self.numbers:
            self.numbers[key] = self.add_operand(self.builder.constant(constant), 0, 0)
        return self.numbers[key]

    def step(self, operation: Operation, target: _Value | None) -> _Value:
        """Add the steps of an operation."""
        *wanted, result = operation.dtypes
        made: list[_Value] = []
        read: list[_Value] = []
        for argument, dtype in zip(operation.arguments, wanted):
            value = self.argument(argument, dtype)
            # Blocks of functions take arrays whose elements follow one another.
            spread = operation.is_function and value.stride != dtype.itemsize
            if operation.name != "copy" and (value.dtype != dtype or spread):
                value = self.copied(value, dtype)
                made.append(value)
            read.append(value)
        if operation.name == "copy":
            return self.copied(read[0], result, target)
        out = target or self.temporary(result)
        if operation.is_function:
            address = FUNCTIONS[operation.name].blocks[wanted[0]].address
            self.emit(_BLOCK, address, 0, *read, out)
        else:
            loop = _loop_of(operation)
            self.emit(_LOOP, loop.address, loop.data, *read, out)
        for value in made:
            self.release(value)
        return out


def _loop_of(operation: Operation) -> Loop:
    if operation.name == "where":
        return where_loop(operation.dtypes[-1])
    if operation.name == "clip":
        return clip_loop(*operation.dtypes[:-1])
    return ufunc_loop(operation.name, operation.dtypes[:-1])


def _last_uses(chain: Chain, steps: list[tuple[int, Operation]]) -> dict[int, int]:
    """After which step each value is not read any more; results are kept."""
    last = {a: i for i, (_, o) in enumerate(steps) for a in o.arguments if isinstance(a, int)}
    return {value: step for value, step in last.items() if value not in chain.outputs}


def _programmed(
    builder: Builder,
    outs: tuple[Operand, ...],
    places: list[tuple[Operand, int, int]],
    chain: Chain,
) -> _Program:
    program = _Program(builder, chain)
    for k, place in enumerate(places):
        program.values[k] = program.add_operand(*place)
    # A result is computed where it belongs; a second place of the same value is a copy.
    targets: dict[int, _Value] = {}
    copies: list[tuple[int, _Value]] = []
    for position, out in zip(chain.outputs, outs):
        value = program.add_operand(out, out.itemsize, 0)
        if position < len(chain.inputs) or position in targets:
            copies.append((position, value))
        else:
            targets[position] = value
    steps = needed_steps(chain)
    last = _last_uses(chain, steps)
    for index, (position, operation) in enumerate(steps):
        program.values[position] = program.step(operation, targets.get(position))
        for value, step in last.items():
            if step == index and value >= len(chain.inputs):
                program.release(program.values[value])
    for position, target in copies:
        program.copied(program.values[position], target.dtype, target)
    return program


def interpreter_words(
    builder: Builder,
    outs: tuple[Operand, ...],
    places: list[tuple[Operand, int, int]],
    chain: Chain,
    columns: int,
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The record that runs a chain in blocks, without word `TABLE`, and the table of operands.

    Parameters
    ----------
    builder : Builder
        Gets the constants.
    outs : tuple of Operand
        The results.
    places : list of (Operand, int, int)
        Each input with its strides along a row and along a column.
    chain : Chain
        What to run.
    columns : int
        Columns of the space.
    """
    program = _programmed(builder, outs, places, chain)
    operands = len(program.operands)
    # Results lie in full: their rows follow one another.
    full = [
        (operand, along, columns * along if 0 < k - len(places) + 1 <= len(outs) else down)
        for k, (operand, along, down) in enumerate(program.operands)
    ]
    words = list(program.words)
    for at in range(0, len(words), _STEP_WORDS):
        for k in range(at + 3, at + 7):
            if words[k] >= _MOST_OPERANDS:
                words[k] += operands - _MOST_OPERANDS
    widest = max(chain.dtype_of(k).itemsize for k in range(len(chain.inputs) + len(chain.steps)))
    temporary_bytes = min(_STACK_BYTES // max(program.temporaries, 1), _TEMPORARY_BYTES)
    temporary_bytes -= temporary_bytes % _LINE
    record = (
        temporary_bytes // widest, columns, operands, program.temporaries, temporary_bytes,
        len(words) // _STEP_WORDS, 0, builder.record(*words),
    )  # fmt: skip
    return record, tuple(word for place in full for word in place)


@on_warmup("program interpreter")
def _warm() -> None:
    interpret.address  # noqa: B018
