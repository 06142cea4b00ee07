"""Sums down rows of partial sums, in float64: the gradients by the parameters."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at


@functools.cache
def totals_block(source: str, target: str) -> Block:
    """Adds rows of one type and writes their sums in another.

    The record holds the address of the first row, the elements from a row to the next, the
    number of rows, that of the sums, memory for as many float64, how many of the sums go to
    the first target, and the addresses of both targets.
    """
    read, write = POINTER_TO[source], POINTER_TO[target]
    narrow: Any = np.dtype(target).type

    @block(f"totals.{source}.{target}")
    def totals(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        rows, step, count, first = read(packed[0]), packed[1], packed[3], packed[5]
        sums = float64_at(packed[4])
        for j in range(count):
            sums[j] = 0.0
        for row in range(packed[2]):
            for j in range(count):
                sums[j] += rows[row * step + j]
        for j in range(min(first, count)):
            write(packed[6])[j] = narrow(sums[j])
        for j in range(first, count):
            write(packed[7])[j - first] = narrow(sums[j])

    return totals
