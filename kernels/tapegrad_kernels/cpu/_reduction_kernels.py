"""The kernels behind `tapegrad_kernels.cpu.reductions`: whole arrays, rows, columns.

Sums are cut into pieces of fixed size, so their bits do not depend on the number
of threads. Within a piece every vector lane adds at most a few dozen numbers, and
the pieces' sums are added in float64, with Neumaier's compensation where float64
is the type itself (A. Neumaier, *Rundungsfehleranalyse einiger Verfahren zur
Summation endlicher Summen*, ZAMM 54, 1974). That is more accurate than the
pairwise summation of NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels._compile import Block, block, kernel
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import POINTER_TO, address_of, int64_at, pack
from tapegrad_kernels.cpu import _basis
from tapegrad_kernels.cpu._map import REAL_NAMES

Array = NDArray[Any]

PIECE = 512
"""Elements that are added in the array's own type."""
CHUNK = 16_384
"""Elements that one task handles: a multiple of `PIECE`."""
FEW = 128
"""Numbers that NumPy adds in one pass, in a fixed order."""
ROW_BLOCK = 256
"""Rows that one task adds up when the leading axes go."""
COLUMN_BLOCK = 1024
"""Columns that one task handles then."""


def _make_piece(operation: str, real: str) -> Any:
    """Reduce ``x[start:stop]`` in vector lanes."""
    if operation == "sum":
        zero: Any = np.dtype(real).type(0.0)

        @kernel(inline=True, reassociate=True)
        def piece(x, start, stop):  # type: ignore[no-untyped-def]
            total = zero
            for i in range(start, stop):
                total += x[i]
            return total

        return piece

    pick: Any = _basis.maximum if operation == "max" else _basis.minimum

    @kernel(inline=True)
    def piece_of_extremes(x, start, stop):  # type: ignore[no-untyped-def]
        extreme = x[start]
        for i in range(start, stop):
            extreme = pick(extreme, x[i])
        return extreme

    return piece_of_extremes


def _make_run(operation: str, real: str) -> Any:
    """Reduce ``x[start:stop]`` of any length."""
    piece = _make_piece(operation, real)
    if operation != "sum":
        return piece
    if real == "float32":

        @kernel(inline=True)
        def run_float32(x, start, stop):  # type: ignore[no-untyped-def]
            total = 0.0
            for first in range(start, stop, PIECE):
                total += piece(x, first, min(first + PIECE, stop))
            return total

        return run_float32

    @kernel(inline=True)
    def run_float64(x, start, stop):  # type: ignore[no-untyped-def]
        total = 0.0
        error = 0.0
        for first in range(start, stop, PIECE):
            term = piece(x, first, min(first + PIECE, stop))
            new = total + term
            if abs(total) >= abs(term):
                error += (total - new) + term
            else:
                error += (term - new) + total
            total = new
        # Infinities make the error NaN, but not the sum.
        return total + error if error == error else total

    return run_float64


def _make_blocks(operation: str, real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    at_64 = POINTER_TO["float64"]
    run = _make_run(operation, real)
    if operation == "sum":
        first: Any = np.dtype(real).type(0.0)
        combine: Any = _basis.add
    else:
        first = np.dtype(real).type(-np.inf if operation == "max" else np.inf)
        combine = _basis.maximum if operation == "max" else _basis.minimum

    @block(f"{operation}.chunks.{real}")
    def chunks(record, start, stop):  # type: ignore[no-untyped-def]
        # One partial result for each chunk, in float64, which holds float32 exactly.
        packed = int64_at(record)
        x, partial, size = at(packed[0]), at_64(packed[1]), packed[2]
        for part in range(start, stop):
            partial[part] = run(x, part * CHUNK, min((part + 1) * CHUNK, size))

    @block(f"{operation}.rows.{real}")
    def rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, length = at(packed[0]), at(packed[1]), packed[2]
        for row in range(start, stop):
            y[row] = run(x, row * length, (row + 1) * length)

    @block(f"{operation}.columns.{real}")
    def columns(record, start, stop):  # type: ignore[no-untyped-def]
        # A task is a block of rows by a block of columns; its sums go to a row of `partial`.
        packed = int64_at(record)
        x, partial, height, width = at(packed[0]), at(packed[1]), packed[2], packed[3]
        across = (width + COLUMN_BLOCK - 1) // COLUMN_BLOCK
        for task in range(start, stop):
            down = task // across
            left = (task - down * across) * COLUMN_BLOCK
            right = min(left + COLUMN_BLOCK, width)
            for j in range(left, right):
                partial[down * width + j] = first
            # Four rows at a time, so that the sums are loaded and stored a quarter as often.
            bottom = min((down + 1) * ROW_BLOCK, height)
            i = down * ROW_BLOCK
            while i + 4 <= bottom:
                at_0, at_1 = i * width, (i + 1) * width
                at_2, at_3 = (i + 2) * width, (i + 3) * width
                for j in range(left, right):
                    low = combine(x[at_0 + j], x[at_1 + j])
                    high = combine(x[at_2 + j], x[at_3 + j])
                    here = down * width + j
                    partial[here] = combine(partial[here], combine(low, high))
                i += 4
            while i < bottom:
                for j in range(left, right):
                    here = down * width + j
                    partial[here] = combine(partial[here], x[i * width + j])
                i += 1

    return {"chunks": chunks, "rows": rows, "columns": columns}


_BLOCKS = {
    (operation, np.dtype(real)): _make_blocks(operation, real)
    for operation in ("sum", "max", "min")
    for real in REAL_NAMES
}


@kernel
def _run(address, chunker, launcher, chunk, x, y, p, q, count):  # type: ignore[no-untyped-def]
    record = pack((address_of(x), address_of(y), p, q))
    run_chunks(address, record, count, chunk, chunker, launcher)


_entries: dict[Any, tuple[int, int, int]] = {}


def _call(
    operation: str, layout: str, x: Array, y: Array, p: int, q: int, count: int, chunk: int
) -> None:
    key = (operation, layout, x.dtype)
    entry = _entries.get(key)
    if entry is None:
        chosen = _BLOCKS[operation, x.dtype][layout]
        entry = chosen.address, chunk_block.address, parallel_launcher.address
        _entries[key] = entry
    _run(*entry, chunk, x, y, p, q, count)


_FINISH: dict[str, Any] = {"sum": np.add, "max": np.maximum, "min": np.minimum}


def over_all(operation: str, x: Array) -> Array:
    """Reduce a C-contiguous array to a 0-d array; `operation` is sum, max or min."""
    if x.size <= FEW and operation == "sum":  # NumPy is done before a kernel is called
        return np.asarray(np.add.reduce(x, axis=None))
    count = -(-x.size // CHUNK)
    partial = np.empty(count)
    _call(operation, "chunks", x.reshape(-1), partial, x.size, 0, count, 1)
    if count == 1:
        return np.array(partial[0], x.dtype)
    if count > CHUNK:
        return over_all(operation, partial).astype(x.dtype)
    # Few enough for NumPy, whose order for a contiguous array is fixed.
    return np.asarray(_FINISH[operation].reduce(partial)).astype(x.dtype)


def over_trailing(operation: str, x: Array, height: int, width: int) -> Array:
    """Reduce each of `height` rows of `width` elements."""
    y = np.empty(height, x.dtype)
    _call(operation, "rows", x.reshape(-1), y, width, 0, height, max(1, CHUNK // width))
    return y


def over_leading(operation: str, x: Array, height: int, width: int) -> Array:
    """Reduce each of `width` columns of `height` elements."""
    down, across = -(-height // ROW_BLOCK), -(-width // COLUMN_BLOCK)
    partial = np.empty((down, width), x.dtype)
    chunk = max(1, CHUNK // (min(height, ROW_BLOCK) * min(width, COLUMN_BLOCK)))
    _call(
        operation,
        "columns",
        x.reshape(-1),
        partial.reshape(-1),
        height,
        width,
        down * across,
        chunk,
    )
    if down == 1:
        return partial[0]
    if operation == "sum":
        return sum_of_partials(partial)
    return _FINISH[operation].reduce(partial, axis=0)


def sum_of_partials(partial: Array) -> Array:
    """Add the rows of sums that blocks of rows left."""
    # Transposed, so that NumPy adds each column's partial sums pairwise.
    columns = np.ascontiguousarray(partial.T)
    return columns.sum(axis=1, dtype=np.float64).astype(partial.dtype, copy=False)
