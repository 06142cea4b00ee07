"""Products of a few rows with the recurrent weights, on gemm's micro-kernels.

U is packed once a call: cut into panels as wide as a micro-kernel's tile, it is then read in
order, step after step. The rows of a piece are cut into tiles of nearly equal height; each
element is summed in the order of its depth whatever the tile, so the cut changes no bit.

Everything here works on addresses and serves both dtypes.
"""

from __future__ import annotations

import tapegrad_kernels.cpu.recurrent._record as f
from tapegrad_kernels._compile import block, kernel
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE
from tapegrad_kernels.cpu.gemm.table import ITEM_BYTES, TILE_COLUMNS
from tapegrad_kernels.cpu.gemm.tiles import (
    ADJACENT_DEPTH,
    multiply_tiles,
    pack_panels,
    pack_transposed_panels,
)

DEPTH_BLOCK = 128
"""Depth of a product that is computed at once: a panel of it leaves room in the first cache."""


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
            pack_transposed_panels(r[f.TABLE], source, all_columns, target, units, group_columns)
        else:
            pack_panels(r[f.TABLE], source, all_columns, target, group_columns, units)
    if r[f.W] != 0:
        source, features = r[f.W], r[f.FEATURES]
        if r[f.TRANSPOSED]:
            pack_transposed_panels(
                r[f.TABLE], source, all_columns, r[f.PACKED_W], features, all_columns
            )
        else:
            pack_panels(r[f.TABLE], source, all_columns, r[f.PACKED_W], all_columns, features)


@block("recurrent.pack")
def pack_block(record, start, stop):  # type: ignore[no-untyped-def]
    """`pack_weights` as a row of a program."""
    pack_weights(record)


@kernel(inline=True)
def multiply(  # type: ignore[no-untyped-def]
    table, rows, depth, columns, a, a_stride, packed, c, c_stride, flags, bias
):
    """``c[i, j] (+)= sum_p a[i, p] * packed[p, j] (+ bias[j])``; strides in elements."""
    t = int64_at(table)
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    for j in range(0, columns, width):
        for p in range(0, depth, DEPTH_BLOCK):
            # What several tiles read stays in the first cache.
            multiply_tiles(
                table,
                ADJACENT_DEPTH,
                rows,
                a_stride,
                a + p * size,
                a_stride,
                packed + (j * depth + p * width) * size,
                width,
                c + j * size,
                c_stride,
                min(DEPTH_BLOCK, depth - p),
                min(width, columns - j),
                flags if p == 0 else ACCUMULATE,
                bias + j * size,
                1,
                0,
                0,
            )
