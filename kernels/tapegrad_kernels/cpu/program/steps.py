"""What training notes between steps, as rows of a program."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels._compile import block, on_warmup
from tapegrad_kernels._compile.pointers import float64_at, int64_at
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand
from tapegrad_kernels.cpu.steps import CLOSED, LENGTH, NOT_A_NUMBER, PLACES, TAKEN


@block("note_step")
def note_step_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Do what `note_step` does.

    The record holds the addresses of the status, the place and the log, the rows of the log, the
    number of vectors that are counted in, and for each its address and length.
    """
    packed = int64_at(record)
    place, log, vectors = int64_at(packed[1]), float64_at(packed[2]), packed[4]
    loss = float64_at(packed[5])
    if not 0 <= place[CLOSED] < packed[3]:
        int64_at(packed[0])[0] = 1
        return
    step = place[TAKEN]
    place[TAKEN] = step + 1
    if place[NOT_A_NUMBER] < 0 and loss[1] != 0.0:
        mean = loss[0] / loss[1]
        if mean != mean:
            place[NOT_A_NUMBER] = step
    if place[LENGTH] > 0 and place[TAKEN] % place[LENGTH] == 0:
        width = 0
        for vector in range(vectors):
            width += packed[6 + 2 * vector]
        at = place[CLOSED] * width
        place[CLOSED] += 1
        for vector in range(vectors):
            numbers = float64_at(packed[5 + 2 * vector])
            for i in range(packed[6 + 2 * vector]):
                log[at] = numbers[i]
                numbers[i] = 0.0
                at += 1


@lowers("note_step")
def _lower_note_step(
    b: Builder, out: None, place: Operand, log: Operand, *counted: Operand
) -> None:
    width = sum(numbers.size for numbers in counted)
    if place.dtype != np.int64 or place.shape != (PLACES,) or log.shape[1:] != (width,):
        raise NotNative("note_step of other shapes")
    for numbers in (place, log, *counted):
        if not numbers.is_contiguous or (numbers is not place and numbers.dtype != np.float64):
            raise NotNative("note_step of other numbers")
    words = [word for numbers in counted for word in (numbers, numbers.size)]
    b.call(note_step_block, b.status, place, log, log.shape[0], len(counted), *words)


@on_warmup("note_step")
def _warm() -> None:
    note_step_block.address  # noqa: B018
