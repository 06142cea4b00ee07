"""The native loop over the rows of a program."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import numpy as np
from numba import types

from tapegrad_kernels._compile import kernel, native_entry, on_warmup
from tapegrad_kernels._compile.pointers import call_block, int64_at
from tapegrad_kernels._compile.pool import count_program
from tapegrad_kernels.cpu.program.operand import FIRST_FREE

# Words at the head of a program's words.
STATUS_WORD, STEP_WORD, ROW_WORD, DATA_WORD = 0, 1, 2, 3
HEADER = 8
"""Words before the table."""
ROW_WORDS = 4
"""Words of a row: address of the block, address of its record, start, stop."""


@kernel(inline=True)
def _repeat(words, first, stop, repetitions):  # type: ignore[no-untyped-def]
    for repetition in range(repetitions):
        for row in range(first, stop):
            at = HEADER + ROW_WORDS * row
            call_block(words[at], words[at + 1], words[at + 2], words[at + 3])
            if words[STATUS_WORD] != 0:
                words[ROW_WORD] = row
                return repetition
        words[STEP_WORD] += 1
    return repetitions


def _execute(words, patches, bases, first, stop, repetitions):  # type: ignore[no-untyped-def]
    for i in range(0, patches.size, 3):
        buffer = patches[i + 1]
        base = bases[buffer]
        if buffer >= FIRST_FREE:
            base = int64_at(base + words[DATA_WORD])[0]
        words[patches[i]] = base + patches[i + 2]
    words[STATUS_WORD] = 0
    count_program(1)
    done = _repeat(words, first, stop, repetitions)
    count_program(-1)
    return done


def _take_turns(  # type: ignore[no-untyped-def]
    words, first, stop, repetitions, others, other_first, other_stop, other_repetitions, turns
):
    count_program(1)
    done = 0
    for _ in range(turns):
        if _repeat(words, first, stop, repetitions) != repetitions:
            break
        done += 1
        if _repeat(others, other_first, other_stop, other_repetitions) != other_repetitions:
            break
        done += 1
    count_program(-1)
    return done


@functools.cache
def data_offset() -> int:
    """Where a NumPy array, as an object in memory, holds the address of its elements.

    It stands behind the head that all Python objects have, whose size differs between builds
    of Python. To read it there takes a nanosecond; to ask the array takes a microsecond.
    """
    probe = np.empty(1)
    address = probe.__array_interface__["data"][0]
    memory = (ctypes.c_int64 * 16).from_address(id(probe))
    for place, word in enumerate(memory):
        if word == address:
            return 8 * place
    raise RuntimeError("NumPy arrays are not laid out in memory as its C interface says")


@functools.cache
def native_execute() -> Callable[..., int]:
    """The compiled loop: ``execute(words, patches, bases, first, stop, repetitions)``.

    All three arrays are contiguous int64. First each patch, three numbers, writes the address
    of a buffer plus an offset into a word: the address that stands in `bases`, or from
    `operand.FIRST_FREE` on that of the elements of the NumPy array whose `id` stands there.
    Then the rows from `first` up to `stop` run, so many times over. Returns how many
    repetitions came to their end: fewer than wanted if a row set the status, and then the
    number of the row stands in the head of the words.
    """
    integers, integer = types.Array(types.int64, 1, "C"), types.int64
    arguments = (integers, integers, integers, integer, integer, integer)
    return native_entry(_execute, "execute", *arguments)


@functools.cache
def native_take_turns() -> Callable[..., int]:
    """The compiled loop over two programs in turns, whose addresses have been written.

    ``take_turns(words, first, stop, repetitions, <the same of the other>, turns)`` runs the rows
    of one program, so many times over, then those of the other, and so on. Returns how many such
    parts of turns came to their end; if these are not all, the next one is where a row set the
    status.
    """
    integers, integer = types.Array(types.int64, 1, "C"), types.int64
    part = integers, integer, integer, integer
    return native_entry(_take_turns, "take_turns", *part, *part, integer)


@on_warmup("program executor")
def _warm() -> None:
    native_execute()
    native_take_turns()
