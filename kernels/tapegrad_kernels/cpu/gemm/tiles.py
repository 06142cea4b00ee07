"""Calls of the micro-kernels and packers, for the families that are made of them."""

from __future__ import annotations

from tapegrad_kernels._compile import kernel
from tapegrad_kernels._compile.pointers import call_address, int64_at
from tapegrad_kernels.cpu.gemm.microkernel import ROWS
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

ADJACENT_DEPTH = ROWS * MOST_VECTORS * MOST_ROWS
"""First slot of the kernels that read A row by row; those that read it by columns start at 0."""


@kernel(inline=True)
def multiply_tiles(  # type: ignore[no-untyped-def]
    table, slot, rows, row_step, a, a_stride, b, ldb, c, ldc, depth, columns, flags, bias,
    segments, sa, sb,
):  # fmt: skip
    """Compute `rows` rows of a panel of C, in tiles of nearly equal height.

    Arguments as in `build_microkernel`; `row_step` is the distance of A's rows in elements.
    """
    t = int64_at(table)
    tile_rows, size = t[TILE_ROWS], t[ITEM_BYTES]
    if columns > t[TILE_LANES]:
        slot += MOST_ROWS
    tiles = (rows + tile_rows - 1) // tile_rows
    height = rows // tiles
    taller = rows - height * tiles
    for tile in range(tiles):
        count = height + 1 if tile < taller else height
        call_address(
            t[slot + count - 1],
            (a, a_stride, b, ldb, c, ldc, depth, columns, flags, bias, segments, sa, sb),
        )
        a += count * row_step * size
        c += count * ldc * size


@kernel(inline=True)
def pack_copied(table, source, source_stride, target, columns, depth):  # type: ignore[no-untyped-def]
    """Copy a panel of at most one tile's columns: ``target[p, j] = source[p, j]``."""
    t = int64_at(table)
    width = t[TILE_COLUMNS]
    call_address(t[COPY_PACKER], (source, source_stride, target, width, columns, depth))


@kernel(inline=True)
def pack_transposed(table, source, source_stride, target, columns, depth):  # type: ignore[no-untyped-def]
    """Transpose a panel of at most one tile's columns: ``target[p, j] = source[j, p]``."""
    t = int64_at(table)
    width, lanes, size = t[TILE_COLUMNS], t[TILE_LANES], t[ITEM_BYTES]
    for j in range(0, columns, lanes):
        call_address(
            t[TRANSPOSE_PACKER],
            (
                source + j * source_stride * size,
                source_stride,
                target + j * size,
                width,
                min(lanes, columns - j),
                depth,
            ),
        )


@kernel(inline=True)
def pack_panels(table, source, source_stride, target, columns, depth):  # type: ignore[no-untyped-def]
    """Copy a matrix of `depth` rows into panels of one tile's columns each, one after another."""
    t = int64_at(table)
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    for j in range(0, columns, width):
        panel, count = target + j * depth * size, min(width, columns - j)
        pack_copied(table, source + j * size, source_stride, panel, count, depth)


@kernel(inline=True)
def pack_transposed_panels(table, source, source_stride, target, columns, depth):  # type: ignore[no-untyped-def]
    """Transpose a matrix of `columns` rows into panels of one tile's columns each."""
    t = int64_at(table)
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    for j in range(0, columns, width):
        panel, count = target + j * depth * size, min(width, columns - j)
        rows = source + j * source_stride * size
        pack_transposed(table, rows, source_stride, panel, count, depth)
