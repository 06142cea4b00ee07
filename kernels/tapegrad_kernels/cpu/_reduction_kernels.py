"""The kernels behind `tapegrad_kernels.cpu.reductions`: whole arrays, rows, columns.

Sums are cut into pieces of fixed size, so their bits do not depend on the number
of threads. Within a piece every vector lane adds at most a few dozen numbers, and
the pieces' sums are added in float64, with Neumaier's compensation where float64
is the type itself (A. Neumaier, *Rundungsfehleranalyse einiger Verfahren zur
Summation endlicher Summen*, ZAMM 54, 1974). That is more accurate than the
pairwise summation of NumPy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels._compile import Block, block, kernel, native_entry
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import POINTER_TO, address_of, int64_at, pack
from tapegrad_kernels.cpu import _basis
from tapegrad_kernels.cpu._map import REAL_NAMES

Array = NDArray[Any]

PIECE = 512
"""Elements that are added in the array's own type."""
CHUNK = 16_384
"""Elements that one task handles: a multiple of `PIECE`."""
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
        # A task is a block of rows by a block of columns of one of several matrices; its
        # sums go to a row of `partial`.
        packed = int64_at(record)
        x, partial, height, width = at(packed[0]), at(packed[1]), packed[2], packed[3]
        across = (width + COLUMN_BLOCK - 1) // COLUMN_BLOCK
        blocks = (height + ROW_BLOCK - 1) // ROW_BLOCK
        for task in range(start, stop):
            down = task // across
            left = (task - down * across) * COLUMN_BLOCK
            right = min(left + COLUMN_BLOCK, width)
            for j in range(left, right):
                partial[down * width + j] = first
            matrix = down // blocks
            i = matrix * height + (down - matrix * blocks) * ROW_BLOCK
            bottom = min(i + ROW_BLOCK, (matrix + 1) * height)
            # Four rows at a time, so that the sums are loaded and stored a quarter as often.
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


def _make_join(real: str) -> Block:
    at = POINTER_TO[real]
    compensated = real == "float64"

    @block(f"sum.join.{real}")
    def join(record, start, stop):  # type: ignore[no-untyped-def]
        # The sums that blocks of rows left, `height` rows of them for each result.
        packed = int64_at(record)
        partial, y, height, width = at(packed[0]), at(packed[1]), packed[2], packed[3]
        for position in range(start, stop):
            matrix = position // width
            here = matrix * height * width + position - matrix * width
            total = 0.0
            error = 0.0
            for _ in range(height):
                term = float(partial[here])
                here += width
                if compensated:
                    new = total + term
                    if abs(total) >= abs(term):
                        error += (total - new) + term
                    else:
                        error += (term - new) + total
                    total = new
                else:
                    total += term
            y[position] = total + error if error == error else total

    return join


_BLOCKS = {
    (operation, np.dtype(real)): _make_blocks(operation, real)
    for operation in ("sum", "max", "min")
    for real in REAL_NAMES
}


JOIN = {np.dtype(real): _make_join(real) for real in REAL_NAMES}
"""Blocks that add partial sums."""


def block_of(operation: str, layout: str, dtype: np.dtype[Any]) -> Block:
    """The block of sum, max or min for chunks, rows, columns, or to join partial sums."""
    return JOIN[dtype] if layout == "join" else _BLOCKS[operation, dtype][layout]


def chunk_of(layout: str, height: int, width: int) -> int:
    """Tasks that one thread takes: rows of `width` elements, parts of `height` by `width`."""
    if layout == "rows":
        return max(1, CHUNK // width)
    if layout == "join":
        return max(1, CHUNK // height)
    return max(1, CHUNK // (min(height, ROW_BLOCK) * min(width, COLUMN_BLOCK)))


def _run(address, chunker, launcher, chunk, x, y, p, q, count):  # type: ignore[no-untyped-def]
    record = pack((address_of(x), address_of(y), p, q))
    run_chunks(address, record, count, chunk, chunker, launcher)


@functools.cache
def _native_run(*kinds: str) -> Callable[..., None]:
    vectors = [numba.types.Array(numba.from_dtype(np.dtype(kind)), 1, "C") for kind in kinds]
    integers = (numba.int64,) * 4
    return native_entry(_run, f"run.{'.'.join(kinds)}", *integers, *vectors, *(numba.int64,) * 3)


_entries: dict[Any, tuple[Any, int, int, int]] = {}


def _call(
    operation: str, layout: str, x: Array, y: Array, p: int, q: int, count: int, chunk: int
) -> None:
    key = (operation, layout, x.dtype)
    entry = _entries.get(key)
    if entry is None:
        chosen = block_of(operation, layout, x.dtype)
        run = _native_run(x.dtype.name, y.dtype.name)
        entry = run, chosen.address, chunk_block.address, parallel_launcher.address
        _entries[key] = entry
    run, address, chunker, launcher = entry
    run(address, chunker, launcher, chunk, x, y, p, q, count)


def over_all(operation: str, x: Array) -> Array:
    """Reduce a C-contiguous array to a 0-d array; `operation` is sum, max or min."""
    size = x.size
    x = x if x.ndim == 1 else x.reshape(-1)
    if size > CHUNK:
        count = -(-size // CHUNK)
        partial = np.empty(count)
        _call(operation, "chunks", x, partial, size, 0, count, 1)
        whole = np.empty(1)
        if operation == "sum":
            _call("sum", "join", partial, whole, count, 1, 1, 1)
        else:
            _call(operation, "rows", partial, whole, count, 0, 1, 1)
        return whole.reshape(()).astype(x.dtype, copy=False)
    y = np.empty(1, x.dtype)
    _call(operation, "rows", x, y, size, 0, 1, 1)
    return y.reshape(())


def over_trailing(operation: str, x: Array, height: int, width: int) -> Array:
    """Reduce each of `height` rows of `width` elements."""
    y = np.empty(height, x.dtype)
    chunk = chunk_of("rows", height, width)
    _call(operation, "rows", x.reshape(-1), y, width, 0, height, chunk)
    return y


def over_middle(operation: str, x: Array, matrices: int, height: int, width: int) -> Array:
    """Reduce each of `width` columns of `height` elements, in each of several matrices."""
    down, across = -(-height // ROW_BLOCK), -(-width // COLUMN_BLOCK)
    partial = np.empty(matrices * down * width, x.dtype)
    chunk = chunk_of("columns", height, width)
    count = matrices * down * across
    _call(operation, "columns", x.reshape(-1), partial, height, width, count, chunk)
    if down == 1:
        return partial
    if operation == "sum":
        return sum_of_partials(partial, matrices, down, width)
    return over_middle(operation, partial, matrices, down, width)


def sum_of_partials(partial: Array, matrices: int, down: int, width: int) -> Array:
    """Add the rows of sums that `down` blocks of rows of each matrix left."""
    y = np.empty(matrices * width, partial.dtype)
    _call("sum", "join", partial, y, down, width, y.size, chunk_of("join", down, width))
    return y


@functools.lru_cache(256)
def passes(shape: tuple[int, ...], axes: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """What to do to reduce axes of a C-contiguous array: neighbours at once, the last first.

    Each pass reduces the middle axis of an array of three, which it takes the result of the
    one before as.
    """
    groups: list[list[int]] = []
    for axis, length in enumerate(shape):
        reduced = axis in axes
        if groups and groups[-1][0] == reduced:
            groups[-1][1] *= length
        else:
            groups.append([reduced, length])
    found = []
    inner = 1
    for position in range(len(groups) - 1, -1, -1):
        reduced, length = groups[position]
        if reduced:
            outer = math.prod([group[1] for group in groups[:position]])
            found.append((outer, length, inner))
        else:
            inner *= length
    return found


def over_axes(operation: str, x: Array, axes: tuple[int, ...]) -> Array:
    """Reduce axes of a C-contiguous array that has elements; the result is flat."""
    if len(axes) == x.ndim:
        return over_all(operation, x)
    for outer, length, inner in passes(x.shape, axes):
        if inner > 1:
            x = over_middle(operation, x, outer, length, inner)
        elif outer > 1:
            x = over_trailing(operation, x, outer, length)
        else:
            x = over_all(operation, x)
    return x
