"""Sums of what a chain computes, piece by piece.

Each task runs the chain over the piece of the space that it is to add up, and adds it up while
it lies in the cache. Pieces and the order of additions are those of the kernels of sums, so that
results have the bits of a chain and a sum one after the other. Only what else is needed of the
chain is written to memory in full.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tapegrad_kernels._compile import Block, block, kernel, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, call_block, int64_at, pack
from tapegrad_kernels._compile.threads import most_threads
from tapegrad_kernels.cpu._map import FLOAT64, REAL_NAMES
from tapegrad_kernels.cpu._reduction_kernels import (
    CHUNK,
    ROW_BLOCK,
    block_of,
    passes,
)
from tapegrad_kernels.cpu.program.builder import ALIGNMENT, Builder, cut
from tapegrad_kernels.cpu.program.chains.description import Chain
from tapegrad_kernels.cpu.program.chains.interpreter import PLACE_WORDS, TABLE
from tapegrad_kernels.cpu.program.chains.lowering import call_of, chunk_of, lower_chain
from tapegrad_kernels.cpu.program.operand import Operand, Shape
from tapegrad_kernels.cpu.program.reductions import (
    add_partial_sums,
    add_passes,
    join_all,
    summed_axes,
)

LEAST_ELEMENTS = 32_768
"""Elements from which it pays: fewer stay in the cache anyway."""
_LONGEST_ROW = 2 * CHUNK
_LEAST_PIECE = 2048
"""Elements of a task when columns are added up, from which it pays."""
_TOGETHER = 8192
"""Elements that are computed before they are added to the sums of their columns."""
_WIDEST = 4096
"""Columns of a task: as many as possible, since memory is read fastest in long runs."""
_NARROWEST = 256
"""Columns of a task, where there are more, if threads would have nothing to do otherwise."""
_PARTS_OF_THREAD = 2

# The records of both blocks.
(
    CHAIN,  # address of the chain's block
    CHAIN_RECORD,
    CHAIN_WORDS,
    OPERANDS,  # address of the chain's table of operands, if it has one
    OPERANDS_WORDS,
    RESULT,  # position of the address of what is summed, in the record and the table after it
    MEMORY,  # of all parts: record, table, piece
    MEMORY_BYTES,  # of a part
    PIECE,  # bytes from there to the piece
    PART,  # tasks of a part
    ITEMSIZE,
    ADD,  # address of the block that adds
    TARGET,  # address of the sums
    GEOMETRY,  # of the space
) = range(14)
SIZE, ELEMENTS, LENGTH, TARGET_BYTES = range(GEOMETRY, GEOMETRY + 4)
HEIGHT, WIDTH, WIDE, TOGETHER = range(GEOMETRY, GEOMETRY + 4)


@kernel(inline=True)
def copy_record(r, memory):  # type: ignore[no-untyped-def]
    """Give a part a record of the chain of its own, in which the result can be moved."""
    own, record, table = int64_at(memory), int64_at(r[CHAIN_RECORD]), int64_at(r[OPERANDS])
    words = r[CHAIN_WORDS]
    for i in range(words):
        own[i] = record[i]
    if r[OPERANDS_WORDS] > 0:
        for i in range(r[OPERANDS_WORDS]):
            own[words + i] = table[i]
        own[TABLE] = memory + 8 * words


@block("chain.sum_of_pieces")
def sum_of_pieces(record, start, stop):  # type: ignore[no-untyped-def]
    """Add up pieces of ELEMENTS elements: as a whole, or row by row of LENGTH elements."""
    r = int64_at(record)
    memory = r[MEMORY] + start // r[PART] * r[MEMORY_BYTES]
    copy_record(r, memory)
    result, piece = int64_at(memory + 8 * r[RESULT]), memory + r[PIECE]
    itemsize, length = r[ITEMSIZE], r[LENGTH]
    for task in range(start, stop):
        first = task * r[ELEMENTS]
        count = min(r[ELEMENTS], r[SIZE] - first)
        # The chain writes element number `first` of its space to the beginning of the piece.
        result[0] = piece - first * itemsize
        call_block(r[CHAIN], memory, first, first + count)
        target = r[TARGET] + task * r[TARGET_BYTES]
        if length == 0:
            call_block(r[ADD], pack((piece, target, count, 0)), 0, 1)
        else:
            call_block(r[ADD], pack((piece, target, length, 0)), 0, count // length)


@block("chain.sum_of_columns")
def sum_of_columns(record, start, stop):  # type: ignore[no-untyped-def]
    """Add up columns: a task is a block of rows by a block of columns, a few rows at a time."""
    r = int64_at(record)
    memory = r[MEMORY] + start // r[PART] * r[MEMORY_BYTES]
    copy_record(r, memory)
    result, piece = int64_at(memory + 8 * r[RESULT]), memory + r[PIECE]
    itemsize = r[ITEMSIZE]
    height, width, wide = r[HEIGHT], r[WIDTH], r[WIDE]
    across = (width + wide - 1) // wide
    blocks = (height + ROW_BLOCK - 1) // ROW_BLOCK
    for task in range(start, stop):
        down = task // across
        left = (task - down * across) * wide
        count = min(wide, width - left)
        matrix = down // blocks
        top = matrix * height + (down - matrix * blocks) * ROW_BLOCK
        bottom = min(top + ROW_BLOCK, (matrix + 1) * height)
        target = r[TARGET] + (down * width + left) * itemsize
        row = top
        while row < bottom:
            rows = min(r[TOGETHER], bottom - row)
            first = row * width + left
            if count == width:
                result[0] = piece - first * itemsize
                call_block(r[CHAIN], memory, first, first + rows * width)
            else:
                for i in range(rows):
                    at = first + i * width
                    result[0] = piece + (i * count - at) * itemsize
                    call_block(r[CHAIN], memory, at, at + count)
            call_block(r[ADD], pack((piece, target, rows, count, row == top)), 0, count)
            row += rows


def _make_add_rows(real: str) -> Block:
    at, zero = POINTER_TO[real], np.dtype(real).type(0.0)

    @block(f"chain.add_rows.{real}")
    def add_rows(record, start, stop):  # type: ignore[no-untyped-def]
        # In the order of the block for columns of sums.
        packed = int64_at(record)
        x, sums, rows, stride = at(packed[0]), at(packed[1]), packed[2], packed[3]
        if packed[4] != 0:
            for j in range(start, stop):
                sums[j] = zero
        i = 0
        while i + 4 <= rows:
            at_0, at_1 = i * stride, (i + 1) * stride
            at_2, at_3 = (i + 2) * stride, (i + 3) * stride
            for j in range(start, stop):
                low, high = x[at_0 + j] + x[at_1 + j], x[at_2 + j] + x[at_3 + j]
                sums[j] = sums[j] + (low + high)
            i += 4
        while i < rows:
            for j in range(start, stop):
                sums[j] = sums[j] + x[i * stride + j]
            i += 1

    return add_rows


ADD_ROWS = {np.dtype(real): _make_add_rows(real) for real in REAL_NAMES}


class _Pieces(NamedTuple):
    """How a space is cut into tasks.

    Attributes
    ----------
    block : Block
        That runs tasks.
    tasks : int
    elements : int
        Of a task.
    piece : int
        Elements that a task needs memory for.
    geometry : tuple of int
        The last words of the record.
    """

    block: Block
    tasks: int
    elements: int
    piece: int
    geometry: tuple[int, ...]


def _pieces_of(sizes: tuple[int, int, int], itemsize: int) -> _Pieces | None:
    """The tasks of one of `passes`, or None if they would be too small or too large."""
    outer, length, inner = sizes
    size = outer * length * inner
    if inner > 1:
        wide = min(inner, _WIDEST)
        down = outer * -(-length // ROW_BLOCK)
        while down * -(-inner // wide) < most_threads() and wide >= 2 * _NARROWEST:
            wide = -(-wide // 2)
        elements = min(length, ROW_BLOCK) * wide
        if elements < _LEAST_PIECE:
            return None
        together = min(max(_TOGETHER // wide // 4 * 4, 4), ROW_BLOCK)
        tasks = down * -(-inner // wide)
        geometry = (length, inner, wide, together)
        return _Pieces(sum_of_columns, tasks, elements, together * wide, geometry)
    if outer == 1:
        tasks = -(-size // CHUNK)
        return _Pieces(sum_of_pieces, tasks, CHUNK, CHUNK, (size, CHUNK, 0, 8))
    if length > _LONGEST_ROW:
        return None
    rows = max(1, CHUNK // length)
    elements = rows * length
    geometry = (size, elements, length, rows * itemsize)
    return _Pieces(sum_of_pieces, -(-outer // rows), elements, elements, geometry)


def can_be_summed(dtype: np.dtype[Any], shape: Shape, axes: tuple[int, ...]) -> bool:
    """Whether it pays to sum a chain's result of this shape piece by piece."""
    if dtype not in ADD_ROWS or not axes or np.prod(shape) < LEAST_ELEMENTS:
        return False
    return _pieces_of(passes(shape, axes)[0], dtype.itemsize) is not None


def lower_chain_sum(
    b: Builder,
    outs: tuple[Operand, ...],
    inputs: tuple[Operand, ...],
    *,
    chain: Chain,
    summed: int,
    shape: Shape,
    reduction: str,
    how: dict[str, Any],
) -> None:
    """Add rows that compute a chain and the sum or mean of one of its results.

    Parameters
    ----------
    b : Builder
        Gets the rows.
    outs : tuple of Operand
        The chain's results, without the one that is summed, then the sum.
    inputs : tuple of Operand
        Those of the chain; see `lower_chain`.
    chain : Chain
        What to compute.
    summed : int
        Which of the chain's results is summed.
    shape : tuple of int
        Its shape.
    reduction : {"sum", "mean", "sum_to_shape"}
        The kernel.
    how : dict
        Its parameters.
    """
    *results, out = outs
    size, dtype = int(np.prod(shape)), out.dtype
    todo = passes(shape, summed_axes(reduction, shape, how))
    total = b.temporary((out.size,), dtype) if reduction == "mean" else out.flat()
    pieces = _pieces_of(todo[0], dtype.itemsize)
    if pieces is None or _parts(pieces, chain)[0] < _threads_of(chain, size):
        results.insert(summed, b.temporary(shape, dtype))
        lower_chain(b, tuple(results), inputs, chain)
        add_passes(b, "sum", results[summed].flat(), todo, total)
    else:
        outer, _, inner = todo[0]
        first = total if len(todo) == 1 else b.temporary((outer * inner,), dtype)
        _add_pieces(b, results, inputs, chain, summed, pieces, todo[0], first)
        add_passes(b, "sum", first, todo[1:], total)
    if reduction == "mean":
        b.lower("divide", out.flat(), total, b.constant(np.asarray(size // out.size, dtype)))


def _threads_of(chain: Chain, size: int) -> int:
    """Threads that the chain would run on by itself."""
    launcher, chunk = cut(size, chunk_of(chain))
    return 1 if launcher is None else min(most_threads(), -(-size // chunk))


def _parts(pieces: _Pieces, chain: Chain) -> tuple[int, int]:
    """Parts of the tasks, and tasks of a part: many, since each has memory of its own."""
    few = -(-pieces.tasks // (_PARTS_OF_THREAD * most_threads()))
    part = max(few, chunk_of(chain) // pieces.elements)
    return -(-pieces.tasks // part), part


def _add_pieces(
    b: Builder,
    results: list[Operand],
    inputs: tuple[Operand, ...],
    chain: Chain,
    summed: int,
    pieces: _Pieces,
    sizes: tuple[int, int, int],
    out: Operand,
) -> None:
    outer, length, inner = sizes
    dtype = out.dtype
    # In place of what is summed stands an address that each piece changes.
    results.insert(summed, Operand(b.SCRATCH, 0, (outer * length * inner,), dtype))
    call = call_of(b, tuple(results), inputs, chain)
    words, table = len(call.words), len(call.table or ())
    position = len(inputs) + summed
    head = -(-8 * (words + table) // ALIGNMENT) * ALIGNMENT
    parts, part = _parts(pieces, chain)
    memory_bytes = -(-(head + pieces.piece * dtype.itemsize) // 128) * 128
    memory = b.scratch(parts * memory_bytes)
    down = -(-length // ROW_BLOCK)
    if inner > 1:
        partial = out if down == 1 else b.temporary((outer * down * inner,), dtype)
        add = ADD_ROWS[dtype]
    elif outer > 1:
        partial, add = out, block_of("sum", "rows", dtype)
    else:
        partial, add = b.temporary((pieces.tasks,), FLOAT64), block_of("sum", "chunks", dtype)
    b.run(
        pieces.block,
        call.block.address, b.record(*call.words), words,
        b.record(*call.table) if call.table else 0, table,
        words + PLACE_WORDS * position if call.table else position,
        memory, memory_bytes, head, part, dtype.itemsize,
        add.address, partial, *pieces.geometry,
        count=pieces.tasks,
        chunk=part,
    )  # fmt: skip
    if inner > 1 and down > 1:
        add_partial_sums(b, partial, out, outer, down, inner)
    elif inner == outer == 1:
        join_all(b, "sum", partial, out)


@on_warmup("program sums of chains")
def _warm() -> None:
    for each in (sum_of_pieces, sum_of_columns, *ADD_ROWS.values()):
        each.address  # noqa: B018
