"""Sums of few terms, added in their order."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels._compile import Block, block
from tapegrad_kernels._compile.pointers import POINTER_TO, int64_at
from tapegrad_kernels.cpu.sliding.driver import UNIT, address, run_units

Array = NDArray[Any]


def _make_block(real: str) -> Block:
    at = POINTER_TO[real]

    @block(f"terms.{real}")
    def add_terms(record, start, stop):  # type: ignore[no-untyped-def]
        # y[i] is the sum over t of x[i * step + t * distance].
        packed = int64_at(record)
        x, y = at(packed[0]), at(packed[1])
        terms, step, distance = packed[2], packed[3], packed[4]
        if step == 1:
            for i in range(start, stop):
                y[i] = x[i]
            for t in range(1, terms):
                for i in range(start, stop):
                    y[i] += x[t * distance + i]
        else:
            for i in range(start, stop):
                total = x[i * step]
                for t in range(1, terms):
                    total += x[i * step + t * distance]
                y[i] = total

    return add_terms


TERMS_BLOCKS = {np.dtype(real): _make_block(real) for real in POINTER_TO}
"""The block for each dtype; its record: source, result, terms, and the distances in elements
from one sum to the next and from one term to the next."""


def terms_chunk(terms: int) -> int:
    """Sums that a thread takes at a time."""
    return max(1, UNIT // max(1, terms))


def add_terms(x: Array, y: Array, terms: int, step: int, distance: int) -> None:
    """Fill `y` with ``sum(x.flat[i * step + t * distance] for t in range(terms))``.

    Both are C-contiguous, and `terms` is at least 1.
    """
    record = array("q", (address(x), address(y), terms, step, distance))
    run_units(TERMS_BLOCKS[y.dtype], record, y.size, terms_chunk(terms))
