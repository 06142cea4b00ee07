"""The native loop over the rows of a program."""

from __future__ import annotations

import functools
from collections.abc import Callable

from numba import types

from tapegrad_kernels._compile import native_entry, on_warmup
from tapegrad_kernels._compile.pointers import call_block

# Words at the head of a program's words.
STATUS_WORD, STEP_WORD, ROW_WORD = 0, 1, 2
HEADER = 8
"""Words before the table."""
ROW_WORDS = 4
"""Words of a row: address of the block, address of its record, start, stop."""


def _execute(words, patches, bases, first, stop, repetitions):  # type: ignore[no-untyped-def]
    for i in range(0, patches.size, 3):
        words[patches[i]] = bases[patches[i + 1]] + patches[i + 2]
    words[STATUS_WORD] = 0
    for repetition in range(repetitions):
        for row in range(first, stop):
            at = HEADER + ROW_WORDS * row
            call_block(words[at], words[at + 1], words[at + 2], words[at + 3])
            if words[STATUS_WORD] != 0:
                words[ROW_WORD] = row
                return repetition
        words[STEP_WORD] += 1
    return repetitions


@functools.cache
def native_execute() -> Callable[..., int]:
    """The compiled loop: ``execute(words, patches, bases, first, stop, repetitions)``.

    All three arrays are contiguous int64. First each patch, three numbers, writes the address
    of a buffer plus an offset into a word. Then the rows from `first` up to `stop` run, so
    many times over. Returns how many repetitions came to their end: fewer than wanted if a row
    set the status, and then the number of the row stands in the head of the words.
    """
    integers, integer = types.Array(types.int64, 1, "C"), types.int64
    arguments = (integers, integers, integers, integer, integer, integer)
    return native_entry(_execute, "execute", *arguments)


on_warmup("program executor")(native_execute)
