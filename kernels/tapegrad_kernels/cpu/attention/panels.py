"""Packing queries, multiplying by panels and masking: what both passes are made of.

Everything here works on addresses in bytes and on strides in elements. Products go
through gemm's table of micro-kernels (see `tapegrad_kernels.cpu.gemm.table`). The left
operand is read in place, by rows or by columns; the right one is a panel of our own,
as wide as a tile and padded, or such a panel of scores.

None of this is inlined: each is called a few times for many multiplications, and is compiled
once instead of once for each call.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tapegrad_kernels._compile import kernel
from tapegrad_kernels._compile.pointers import POINTER_TO, call_address, int64_at
from tapegrad_kernels.cpu.attention import layout
from tapegrad_kernels.cpu.attention.steps import byte_at
from tapegrad_kernels.cpu.gemm.microkernel import COLUMNS
from tapegrad_kernels.cpu.gemm.table import (
    ITEM_BYTES,
    MOST_ROWS,
    MOST_VECTORS,
    TILE_COLUMNS,
    TILE_LANES,
    TRANSPOSE_PACKER,
)
from tapegrad_kernels.cpu.gemm.tiles import multiply_tiles, pack_panels


@kernel
def multiply_panel(  # type: ignore[no-untyped-def]
    table, mode, a, a_stride, panel, panel_stride, c, c_stride, rows, columns, depth, flags
):
    """``c[:rows, :columns] (+)= A @ panel``, where `mode` tells which stride of A is 1."""
    multiply_tiles(
        table,
        mode * MOST_VECTORS * MOST_ROWS,
        rows,
        1 if mode == COLUMNS else a_stride,
        a,
        a_stride,
        panel,
        panel_stride,
        c,
        c_stride,
        depth,
        columns,
        flags,
        0,
        1,
        0,
        0,
    )


@kernel
def pack_transposed(table, source, stride, target, rows, depth, panels):  # type: ignore[no-untyped-def]
    """Panels ``target[panel][p, j] = source[panel * width + j, p]``, repeating the last row."""
    t = int64_at(table)
    lanes, width, size = t[TILE_LANES], t[TILE_COLUMNS], t[ITEM_BYTES]
    for j in range(0, panels * width, lanes):
        first = min(j, rows - 1)
        call_address(
            t[TRANSPOSE_PACKER],
            (
                source + first * stride * size,
                stride,
                target + (j // width * depth * width + j % width) * size,
                width,
                max(1, min(lanes, rows - j)),
                depth,
            ),
        )


@kernel
def pack_columns(table, source, stride, target, rows, columns):  # type: ignore[no-untyped-def]
    """Panels ``target[panel][i, j] = source[i, panel * width + j]``, padded with zeros.

    From the last vector that holds a column on, a panel is not written.
    """
    pack_panels(table, source, stride, target, columns, rows)


def make_helpers(real: str) -> SimpleNamespace:
    """The parts that read or write single numbers, for one real type."""
    at = POINTER_TO[real]
    size = np.dtype(real).itemsize
    number: Any = np.dtype(real).type
    zero, nothing = number(0.0), number(-np.inf)

    @kernel(name=f"fill.{real}")
    def fill(target, count, value):  # type: ignore[no-untyped-def]
        y = at(target)
        for i in range(count):
            y[i] = value

    @kernel(name=f"scale.{real}")
    def scale(target, count, factor):  # type: ignore[no-untyped-def]
        y = at(target)
        for i in range(count):
            y[i] *= factor

    @kernel(name=f"unpack_transposed.{real}")
    def unpack_transposed(table, source, stride, target, rows, depth):  # type: ignore[no-untyped-def]
        # target[i, p] = source[p, i], where rows of the target follow each other directly.
        # Whole vectors first; the packer would write beyond the end of a ragged row.
        t = int64_at(table)
        lanes = t[TILE_LANES]
        whole = depth // lanes * lanes
        for p in range(0, whole, lanes):
            call_address(
                t[TRANSPOSE_PACKER],
                (source + p * stride * size, stride, target + p * size, depth, lanes, rows),
            )
        x, y = at(source), at(target)
        for i in range(rows):
            for p in range(whole, depth):
                y[i * depth + p] = x[p * stride + i]

    @kernel(name=f"mask_scores.{real}")
    def mask_scores(record, head, scores, stride, query, queries, key, keys):  # type: ignore[no-untyped-def]
        """Mask the scores of some keys (rows) by some queries (columns)."""
        r = int64_at(record)
        s = at(scores)
        if r[layout.CAUSAL] and key + keys - 1 > query:
            for p in range(keys):
                for j in range(min(queries, key + p - query)):
                    s[p * stride + j] = nothing
        kind = r[layout.MASK_KIND]
        if kind == layout.NO_MASK:
            return
        row, column = r[layout.MASK_ROW], r[layout.MASK_COLUMN]
        mask = r[layout.MASK] + int64_at(r[layout.MASK_OFFSETS])[head]
        mask += query * row + key * column
        # Along the axis that is contiguous in most masks, or over a row that all queries share.
        outer, inner = (keys, queries) if row == 0 else (queries, keys)
        for first in range(outer):
            for second in range(inner):
                p, j = (first, second) if row == 0 else (second, first)
                place = mask + j * row + p * column
                i = p * stride + j
                if kind == layout.ADDED_MASK:
                    s[i] += at(place)[0]
                else:
                    # Stored in any case: a branch would be guessed wrong as often as masked.
                    s[i] = nothing if byte_at(place) == 0 else s[i]

    return SimpleNamespace(
        fill=fill,
        scale=scale,
        unpack_transposed=unpack_transposed,
        mask_scores=mask_scores,
        zero=zero,
        nothing=nothing,
    )
