"""Products of a few rows with the recurrent weights, on gemm's micro-kernels.

U is packed once a call: cut into panels as wide as a micro-kernel's tile, it is then read in
order, step after step. The rows of a piece are cut into tiles of nearly equal height; each
element is summed in the order of its depth whatever the tile, so the cut changes no bit.

Everything here works on addresses and serves both dtypes.
"""

from __future__ import annotations

import tapegrad_kernels.cpu.recurrent._record as f
from tapegrad_kernels._compile import kernel
from tapegrad_kernels._compile.pointers import call_address, int64_at
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE, ROWS
from tapegrad_kernels.cpu.gemm.table import (
    COPY_PACKER,
    ITEM_BYTES,
    MOST_ROWS,
    MOST_VECTORS,
    TILE_COLUMNS,
    TILE_LANES,
    TILE_ROWS,
    TRANSPOSE_PACKER,
)

DEPTH_BLOCK = 128
"""Depth of a product that is computed at once: a panel of it leaves room in the first cache."""


@kernel(inline=True)
def _pack_transposed(table, source, stride, rows, columns, target):  # type: ignore[no-untyped-def]
    """Pack the transpose of a matrix of `rows` rows, `stride` elements apart."""
    t = int64_at(table)
    width, lanes, size = t[TILE_COLUMNS], t[TILE_LANES], t[ITEM_BYTES]
    for j in range(0, rows, lanes):
        panel = target + j // width * width * columns * size
        call_address(
            t[TRANSPOSE_PACKER],
            (
                source + j * stride * size,
                stride,
                panel + j % width * size,
                width,
                min(lanes, rows - j),
                columns,
            ),
        )


@kernel(inline=True)
def _pack(table, source, stride, rows, columns, target):  # type: ignore[no-untyped-def]
    """Pack a matrix of `rows` rows, `stride` elements apart."""
    t = int64_at(table)
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    for j in range(0, columns, width):
        panel, count = target + j * rows * size, min(width, columns - j)
        call_address(t[COPY_PACKER], (source + j * size, stride, panel, width, count, rows))


@kernel(inline=True)
def pack_weights(record):  # type: ignore[no-untyped-def]
    """Pack U: each group's columns for the forward pass, their transpose for the backward.

    Where W is given it is packed as well.
    """
    r = int64_at(record)
    size = r[f.ITEM]
    units = r[f.UNITS]
    all_columns = r[f.GATE_COUNT] * units
    group_columns = all_columns // r[f.GROUPS]
    for group in range(r[f.GROUPS]):
        source = r[f.U] + group * group_columns * size
        target = r[f.PACKED] + group * r[f.GROUP_BYTES]
        if r[f.TRANSPOSED]:
            _pack_transposed(r[f.TABLE], source, all_columns, units, group_columns, target)
        else:
            _pack(r[f.TABLE], source, all_columns, units, group_columns, target)
    if r[f.W] != 0:
        source, features = r[f.W], r[f.FEATURES]
        if r[f.TRANSPOSED]:
            _pack_transposed(r[f.TABLE], source, all_columns, features, all_columns, r[f.PACKED_W])
        else:
            _pack(r[f.TABLE], source, all_columns, features, all_columns, r[f.PACKED_W])


@kernel(inline=True)
def multiply(  # type: ignore[no-untyped-def]
    table, rows, depth, columns, a, a_stride, packed, c, c_stride, flags, bias
):
    """``c[i, j] (+)= sum_p a[i, p] * packed[p, j] (+ bias[j])``; strides in elements."""
    t = int64_at(table)
    tile_rows, lanes = t[TILE_ROWS], t[TILE_LANES]
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    tiles = (rows + tile_rows - 1) // tile_rows
    height = rows // tiles
    taller = rows - height * tiles  # tiles with one row more
    for j in range(0, columns, width):
        count = min(width, columns - j)
        slot = ROWS * MOST_VECTORS * MOST_ROWS + (MOST_ROWS if count > lanes else 0)
        for p in range(0, depth, DEPTH_BLOCK):
            # What several tiles read stays in the first cache.
            stage = flags if p == 0 else ACCUMULATE
            i = 0
            for tile in range(tiles):
                tall = height + 1 if tile < taller else height
                call_address(
                    t[slot + tall - 1],
                    (
                        a + (i * a_stride + p) * size,
                        a_stride,
                        packed + (j * depth + p * width) * size,
                        width,
                        c + (i * c_stride + j) * size,
                        c_stride,
                        min(DEPTH_BLOCK, depth - p),
                        count,
                        stage,
                        bias + j * size,
                        1,
                        0,
                        0,
                    ),
                )
                i += tall
