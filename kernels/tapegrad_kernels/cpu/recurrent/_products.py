"""Products of a few rows with the recurrent weights, on gemm's micro-kernels.

U is packed once a call: cut into panels as wide as a micro-kernel's tile, it is then read in
order, step after step. The rows of a piece are cut into tiles of nearly equal height; each
element is summed in the order of its depth whatever the tile, so the cut changes no bit.

Everything here works on addresses and serves both dtypes.
"""

from __future__ import annotations

import tapegrad_kernels.cpu.recurrent._record as f
from tapegrad_kernels._compile import block, kernel
from tapegrad_kernels._compile.pointers import call_address, int64_at
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE
from tapegrad_kernels.cpu.gemm.table import COPY_PACKER, ITEM_BYTES, TILE_COLUMNS
from tapegrad_kernels.cpu.gemm.tiles import (
    ADJACENT_DEPTH,
    multiply_tiles,
    pack_panels,
    pack_transposed_panels,
)

DEPTH_BLOCK = 128
"""Depth of a product that is computed at once: a panel of it leaves room in the first cache."""


@kernel(inline=True)
def _pack_panel(r, source, target, columns, depth, panel):  # type: ignore[no-untyped-def]
    """Pack panel number `panel` of a matrix whose rows are as long as all gates."""
    table, size, stride = r[f.TABLE], r[f.ITEM], r[f.GATE_COUNT] * r[f.UNITS]
    first = panel * int64_at(table)[TILE_COLUMNS]
    count = min(int64_at(table)[TILE_COLUMNS], columns - first)
    place = target + first * depth * size
    if r[f.TRANSPOSED]:
        pack_transposed_panels(table, source + first * stride * size, stride, place, count, depth)
    else:
        pack_panels(table, source + first * size, stride, place, count, depth)


@block("recurrent.pack")
def pack_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Pack U: each group's columns for the forward pass, their transpose for the backward.

    Where W is given it is packed as well. The range goes over the panels of all of them.
    """
    r = int64_at(record)
    width = int64_at(r[f.TABLE])[TILE_COLUMNS]
    units, all_columns = r[f.UNITS], r[f.GATE_COUNT] * r[f.UNITS]
    group_columns = all_columns // r[f.GROUPS]
    columns, depth = group_columns, units
    if r[f.TRANSPOSED]:
        columns, depth = units, group_columns
    panels = (columns + width - 1) // width
    for panel in range(start, stop):
        group = panel // panels
        if group < r[f.GROUPS]:
            source = r[f.U] + group * group_columns * r[f.ITEM]
            target = r[f.PACKED] + group * r[f.GROUP_BYTES]
            _pack_panel(r, source, target, columns, depth, panel % panels)
        elif r[f.TRANSPOSED]:
            last = panel - r[f.GROUPS] * panels
            _pack_panel(r, r[f.W], r[f.PACKED_W], r[f.FEATURES], all_columns, last)
        else:
            last = panel - r[f.GROUPS] * panels
            _pack_panel(r, r[f.W], r[f.PACKED_W], all_columns, r[f.FEATURES], last)


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


@kernel(inline=True)
def write_panels(  # type: ignore[no-untyped-def]
    table, source, source_stride, target, target_stride, panel_rows, columns, rows
):
    """Copy rows into panels of one tile's columns each, which have `panel_rows` rows.

    In `target` the rows are `target_stride` rows of a panel apart.
    """
    t = int64_at(table)
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    for j in range(0, columns, width):
        place, count = target + j * panel_rows * size, min(width, columns - j)
        step = target_stride * width
        call_address(t[COPY_PACKER], (source + j * size, source_stride, place, step, count, rows))
