"""Segments of a flat buffer, one for each variable, and the pieces that tasks take of them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from tapegrad_kernels._compile import block, kernel, native_entry
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher
from tapegrad_kernels._compile.pointers import (
    POINTER_TO,
    address_of,
    call_block,
    float64_at,
    int64_at,
    pack,
)
from tapegrad_kernels._scalar.update_numbers import Formula
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.optimizers._elementwise import Array, Number
from tapegrad_kernels.cpu.optimizers._settings import NO_FORMULA, SETTINGS, apply_update

PIECE = 32_768
"""Elements that a task takes, at most one variable's."""
ADDRESSES = 6
"""Places for addresses in the record of every block here: four buffers, table, results."""
PART = 512
"""Squares that are added in the array's own type; beyond, in float64."""


@functools.lru_cache(maxsize=256)
def segments(
    operation: str, offsets: tuple[int, ...], size: int
) -> tuple[Array, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Pieces of the segments that begin at `offsets` and reach to the next, or to the end.

    Returns
    -------
    table : ndarray of int64, flat
        Start, stop and number of the segment of each piece.
    firsts : ndarray of int64
        First piece of each segment.
    owners : ndarray of int64
        Segment of each piece.

    Raises
    ------
    ValueError
        If the offsets do not rise from 0, or end beyond the buffer.
    """
    rising = all(a <= b for a, b in itertools.pairwise(offsets))
    if not offsets or offsets[0] != 0 or not rising or offsets[-1] > size:
        raise ValueError(
            f"{operation}: offsets are {offsets}; expected where each variable begins in a buffer "
            f"of {size} elements: 0 first, and none below the one before"
        )
    rows: list[tuple[int, int, int]] = []
    firsts = []
    for owner, (start, stop) in enumerate(zip(offsets, (*offsets[1:], size), strict=True)):
        firsts.append(len(rows))
        lefts = range(start, stop, PIECE) or [start]
        rows += [(left, min(left + PIECE, stop), owner) for left in lefts]
    table = np.array(rows, np.int64)
    return table.reshape(-1), np.array(firsts, np.int64), table[:, 2].copy()


def make_squares(real: str) -> Any:
    """A function that adds up ``x[i]**2`` over a range in float64."""
    zero: Any = np.dtype(real).type(0.0)

    @kernel(inline=True, reassociate=True)
    def part(x, start, stop):  # type: ignore[no-untyped-def]
        total = zero
        for i in range(start, stop):
            total += x[i] * x[i]
        return total

    @kernel(inline=True)
    def squares(x, start, stop):  # type: ignore[no-untyped-def]
        total = 0.0
        for first in range(start, stop, PART):
            total += part(x, first, min(first + PART, stop))
        return total

    return squares


def _make_blocks(real: str) -> dict[str, Any]:
    at = POINTER_TO[real]
    squares = make_squares(real)
    one: Any = np.dtype(real).type(1.0)

    @block(f"square_pieces.{real}")
    def square_pieces(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, table, results = at(packed[0]), int64_at(packed[4]), float64_at(packed[5])
        for piece in range(start, stop):
            results[piece] = squares(x, table[3 * piece], table[3 * piece + 1])

    @block(f"scale_pieces.{real}")
    def scale_pieces(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, table, factors = at(packed[0]), int64_at(packed[4]), at(packed[1])
        for piece in range(start, stop):
            factor = factors[table[3 * piece + 2]]
            if factor == one:
                continue
            for i in range(table[3 * piece], table[3 * piece + 1]):
                x[i] *= factor

    return {"square_pieces": square_pieces, "scale_pieces": scale_pieces}


BLOCKS = {
    (name, np.dtype(real)): made for real in REAL_NAMES for name, made in _make_blocks(real).items()
}
"""Blocks by name and dtype; those of `layerwise` and `factored` join them."""


def _run(  # type: ignore[no-untyped-def]
    apply, formula, address, chunker, launcher, count, chunk, a, b, c, d, table, results,
    a0, a1, a2, a3, a4, a5, a6,
):  # fmt: skip
    head = (formula, 0, 0, address, chunker, launcher, count, chunk, ADDRESSES)
    addresses = (
        address_of(a),
        address_of(b),
        address_of(c),
        address_of(d),
        address_of(table),
        address_of(results),
    )
    numbers = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    record = pack((*head, a0, a1, a2, a3, a4, a5, a6, *addresses, *numbers))
    call_block(apply, record, 0, 1)


@functools.cache
def _entry(
    name: str, dtype: np.dtype[Any], formula: int
) -> tuple[Callable[..., None], int, int, int, int, int]:
    vector = numba.types.Array(numba.from_dtype(dtype), 1, "C")
    table = numba.types.Array(numba.int64, 1, "C")
    results = numba.types.Array(numba.float64, 1, "C")
    arguments = (numba.int64,) * 7 + (vector,) * 4 + (table, results)
    run = native_entry(_run, f"run_pieces.{dtype.name}", *arguments, *(numba.float64,) * SETTINGS)
    launch = BLOCKS[name, dtype].address, chunk_block.address, parallel_launcher.address
    return run, apply_update.address, formula, *launch


def run_block(
    name: str,
    count: int,
    chunk: int,
    arrays: tuple[Array, ...],
    table: Array,
    results: Array,
    formula: Formula | None = None,
    settings: tuple[Number, ...] = (),
) -> None:
    """Run a block of `BLOCKS` over ``range(count)``, `chunk` at a time on a thread."""
    values = () if formula is None else formula.values(*settings)
    number = NO_FORMULA if formula is None else formula.number
    run, *before = _entry(name, arrays[0].dtype, number)
    padding = (arrays[0],) * (4 - len(arrays))
    zeros = (0.0,) * (SETTINGS - len(values))
    run(*before, count, chunk, *arrays, *padding, table, results, *values, *zeros)


def piece_chunk(pieces: int, size: int) -> int:
    """How many pieces a task takes: as many as make `PIECE` elements on average."""
    return max(1, pieces * PIECE // max(size, 1))


def run_pieces(
    name: str,
    arrays: tuple[Array, ...],
    table: Array,
    results: Array,
    formula: Formula | None = None,
    settings: tuple[Number, ...] = (),
) -> None:
    """Run a block over the pieces of a table; small buffers stay on one thread."""
    pieces = table.size // 3
    chunk = piece_chunk(pieces, arrays[0].size)
    run_block(name, pieces, chunk, arrays, table, results, formula, settings)


def piece_squares(x: Array, table: Array) -> Array:
    """Sum of squares of each piece, in float64."""
    partial = np.empty(table.size // 3)
    run_pieces("square_pieces", (x,), table, partial)
    return partial
