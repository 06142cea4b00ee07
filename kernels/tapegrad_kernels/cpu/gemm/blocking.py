"""Cutting a product into blocks for the caches, threads and micro-kernels.

The loops are those of Goto and van de Geijn, "Anatomy of High-Performance Matrix
Multiplication" (ACM TOMS 34, 2008): blocks of K, of columns and of rows, then
panels of B times tiles of rows. Each thread packs what it needs for its own part
of C, so that one parallel region serves a product and threads never wait for
each other within it.

Everything here works on addresses and strides: one compiled copy serves all
dtypes, through the table of micro-kernels (see `table`).

K is cut by its length alone, and an element of C is summed in the order of p
whatever its tile. Rows, columns and batches may therefore be cut to suit the
number of threads without changing a bit of the result.
"""

from __future__ import annotations

from tapegrad_kernels._compile import block, kernel
from tapegrad_kernels._compile.pointers import call_address, int64_at
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE, ROWS
from tapegrad_kernels.cpu.gemm.table import (
    COPY_PACKER,
    ITEM_BYTES,
    MOST_ROWS,
    MOST_VECTORS,
    PACKED_ROWS,
    TILE_COLUMNS,
    TILE_LANES,
    TILE_ROWS,
    TRANSPOSE_PACKER,
)

DEPTH_BLOCK = 384
"""Largest block of K: a panel of B of this depth stays in the first two caches."""
ROW_TILES = 12
"""Tiles of rows in a packed block of A."""
COLUMN_BYTES = 8192
"""Bytes of a row of the packed block of B."""
LINE = 64
"""Bytes of a cache line."""
ALIAS_BYTES = 2048
"""Rows this many bytes apart fall into the same few sets of the first cache."""

PANELS = 2
"""TRANSPOSE_B of a matrix that is packed already: in panels of a tile's columns.

Each panel is as the packers write it, of all depth; LDB is the number of its rows.
"""

# The record of a product, in int64: what `gemm_parts` reads.
(
    TABLE,
    TRANSPOSE_A,
    TRANSPOSE_B,
    M,
    N,
    K,
    A,
    LDA,
    B,
    LDB,
    C,
    LDC,
    BIAS_ROW,
    FLAGS,
    WORKSPACE,
    WORKSPACE_BYTES,
    ROW_PARTS,
    COLUMN_PARTS,
    BATCH_PARTS,
    BATCHES,
    A_OFFSETS,
    B_OFFSETS,
    C_STEP,
    RECORD_LENGTH,
) = range(24)


def workspace_bytes(packed_rows: int, item_bytes: int) -> int:
    """Bytes that one thread needs for its packed blocks of A and B."""
    packed_a = ROW_TILES * packed_rows * DEPTH_BLOCK * item_bytes
    return packed_a + DEPTH_BLOCK * COLUMN_BYTES + 4 * LINE


@kernel(inline=True)
def _pack_rows(table, transposed, a, lda, target, rows, depth):  # type: ignore[no-untyped-def]
    """A panel of A: ``target[p * packed + i] = A[i, p]``."""
    t = int64_at(table)
    packed, lanes, size = t[PACKED_ROWS], t[TILE_LANES], t[ITEM_BYTES]
    if transposed:
        call_address(t[COPY_PACKER], (a, lda, target, packed, rows, depth))
    else:
        for i in range(0, rows, lanes):
            call_address(
                t[TRANSPOSE_PACKER],
                (
                    a + i * lda * size,
                    lda,
                    target + i * size,
                    packed,
                    min(lanes, rows - i),
                    depth,
                ),
            )


@kernel(inline=True)
def _pack_columns(table, transposed, b, ldb, target, columns, depth):  # type: ignore[no-untyped-def]
    """A panel of B: ``target[p * width + j] = B[p, j]``."""
    t = int64_at(table)
    width, lanes, size = t[TILE_COLUMNS], t[TILE_LANES], t[ITEM_BYTES]
    if transposed:
        for j in range(0, columns, lanes):
            call_address(
                t[TRANSPOSE_PACKER],
                (
                    b + j * ldb * size,
                    ldb,
                    target + j * size,
                    width,
                    min(lanes, columns - j),
                    depth,
                ),
            )
    else:
        call_address(t[COPY_PACKER], (b, ldb, target, width, columns, depth))


@kernel(inline=True)
def _multiply_block(  # type: ignore[no-untyped-def]
    table,
    transpose_a,
    transpose_b,
    row_start,
    row_stop,
    column_start,
    column_stop,
    depth,
    a,
    lda,
    b,
    ldb,
    c,
    ldc,
    bias,
    flags,
    packed_a,
    packed_b,
):
    """One thread's rectangle of C."""
    t = int64_at(table)
    tile_rows, lanes, width = t[TILE_ROWS], t[TILE_LANES], t[TILE_COLUMNS]
    packed_rows, size = t[PACKED_ROWS], t[ITEM_BYTES]
    rows = row_stop - row_start
    if rows <= 0 or column_stop <= column_start:
        return
    row_step = 1 if transpose_a else lda  # elements between rows of op(A)
    depth_step = lda if transpose_a else 1
    panels = (column_stop - column_start + width - 1) // width
    tiles = (rows + tile_rows - 1) // tile_rows
    b_in_panels = transpose_b == PANELS
    # Packing A pays when it is read often, or when its rows alias in the cache.
    a_in_place = panels <= 4 and (transpose_a or rows < 8 or lda * size % ALIAS_BYTES != 0)
    # Beside packed panels adjacent rows are read as quickly from where they are.
    a_in_place = a_in_place or (b_in_panels and transpose_a)
    b_in_place = not transpose_b and (tiles <= 2 or (tiles <= 6 and ldb * size % ALIAS_BYTES != 0))
    depth_blocks = max(1, (depth + DEPTH_BLOCK - 1) // DEPTH_BLOCK)
    most_rows = ROW_TILES * tile_rows
    row_blocks = (rows + most_rows - 1) // most_rows
    most_columns = COLUMN_BYTES // size
    for j0 in range(column_start, column_stop, most_columns):
        j1 = min(j0 + most_columns, column_stop)
        for depth_block in range(depth_blocks):
            p0 = depth_block * depth // depth_blocks
            count = (depth_block + 1) * depth // depth_blocks - p0
            # Only the last block of K knows the whole sum.
            stage = flags if depth_block == depth_blocks - 1 else flags & ACCUMULATE
            if depth_block > 0:
                stage |= ACCUMULATE
            for row_block in range(row_blocks):
                i0 = row_start + row_block * rows // row_blocks
                block_rows = row_start + (row_block + 1) * rows // row_blocks - i0
                # Tiles of nearly equal height: 32 rows are 11 + 11 + 10.
                tiles = (block_rows + tile_rows - 1) // tile_rows
                height = block_rows // tiles
                taller = block_rows - height * tiles
                if not a_in_place:
                    i = i0
                    for tile in range(tiles):
                        tall = height + 1 if tile < taller else height
                        _pack_rows(
                            table,
                            transpose_a,
                            a + (i * row_step + p0 * depth_step) * size,
                            lda,
                            packed_a + tile * count * packed_rows * size,
                            tall,
                            count,
                        )
                        i += tall
                for j in range(j0, j1, width):
                    columns = min(width, j1 - j)
                    if b_in_panels:
                        panel = b + (j * ldb + p0 * width) * size
                        panel_stride = width
                    elif b_in_place and columns % lanes == 0:
                        panel = b + (p0 * ldb + j) * size
                        panel_stride = ldb
                    else:
                        panel = packed_b + (j - j0) * count * size
                        panel_stride = width
                        if row_block == 0:
                            if transpose_b:
                                source = b + (j * ldb + p0) * size
                            else:
                                source = b + (p0 * ldb + j) * size
                            _pack_columns(table, transpose_b, source, ldb, panel, columns, count)
                    first = MOST_ROWS if columns > lanes else 0
                    if a_in_place and not transpose_a:
                        first += ROWS * MOST_VECTORS * MOST_ROWS
                    i = i0
                    for tile in range(tiles):
                        tall = height + 1 if tile < taller else height
                        if a_in_place:
                            rows_of_a = a + (i * row_step + p0 * depth_step) * size
                            stride = lda
                        else:
                            rows_of_a = packed_a + tile * count * packed_rows * size
                            stride = packed_rows
                        call_address(
                            t[first + tall - 1],
                            (
                                rows_of_a,
                                stride,
                                panel,
                                panel_stride,
                                c + (i * ldc + j) * size,
                                ldc,
                                count,
                                columns,
                                stage,
                                bias + j * size,
                                1,
                                0,
                                0,
                            ),
                        )
                        i += tall


@block("gemm_parts")
def gemm_parts(record, start, stop):  # type: ignore[no-untyped-def]
    """Compute the parts from `start` to `stop` of the product in `record`.

    A part is a range of batches, of rows and of columns. Each has a workspace of
    its own, so parts may run at the same time.
    """
    r = int64_at(record)
    t = int64_at(r[TABLE])
    width = t[TILE_COLUMNS]
    m, n = r[M], r[N]
    row_parts, column_parts, batch_parts = r[ROW_PARTS], r[COLUMN_PARTS], r[BATCH_PARTS]
    panels = (n + width - 1) // width
    a_offsets, b_offsets = int64_at(r[A_OFFSETS]), int64_at(r[B_OFFSETS])
    for part in range(start, stop):
        row_part = part % row_parts
        column_part = part // row_parts % column_parts
        batch_part = part // (row_parts * column_parts)
        packed_a = r[WORKSPACE] + part * r[WORKSPACE_BYTES]
        packed_b = packed_a + ROW_TILES * t[PACKED_ROWS] * DEPTH_BLOCK * t[ITEM_BYTES] + LINE
        batch_start = batch_part * r[BATCHES] // batch_parts
        batch_stop = (batch_part + 1) * r[BATCHES] // batch_parts
        for batch in range(batch_start, batch_stop):
            a, b, c = r[A], r[B], r[C] + batch * r[C_STEP]
            if r[A_OFFSETS] != 0:
                a += a_offsets[batch]
                b += b_offsets[batch]
            _multiply_block(
                r[TABLE],
                r[TRANSPOSE_A],
                r[TRANSPOSE_B],
                row_part * m // row_parts,
                (row_part + 1) * m // row_parts,
                column_part * panels // column_parts * width,
                min(n, (column_part + 1) * panels // column_parts * width),
                r[K],
                a,
                r[LDA],
                b,
                r[LDB],
                c,
                r[LDC],
                r[BIAS_ROW],
                r[FLAGS],
                packed_a,
                packed_b,
            )
