"""The table of micro-kernels of one dtype: compiled once, called by address.

Numba generates a callee again inside each of its callers. Linked into gemm and
every convolution, the micro-kernels would be compiled many times over; behind a
table of addresses they are compiled once, in one module, and kept on disk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tapegrad_kernels._compile import kernel
from tapegrad_kernels.cpu.gemm.microkernel import (
    COLUMNS,
    ROWS,
    Tile,
    build_microkernel,
    tile_for,
)
from tapegrad_kernels.cpu.gemm.packing import build_copy_packer, build_transpose_packer
from tapegrad_kernels.cpu.simd import INT64, int64

MOST_ROWS = 16
"""Slots for each mode and number of vectors."""
MOST_VECTORS = 2
"""Vectors in a row of the widest tile."""
TRANSPOSE_PACKER = 2 * MOST_VECTORS * MOST_ROWS
"""Slot of the transposing packer."""
COPY_PACKER = TRANSPOSE_PACKER + 1
"""Slot of the copying packer."""
TILE_ROWS = COPY_PACKER + 1
"""Slot of a number: rows of the largest tile. The numbers below follow it."""
TILE_LANES = TILE_ROWS + 1
TILE_COLUMNS = TILE_ROWS + 2
PACKED_ROWS = TILE_ROWS + 3
ITEM_BYTES = TILE_ROWS + 4
TABLE_LENGTH = TILE_ROWS + 5


def slot_of(mode: int, vectors: int, rows: int) -> int:
    """Place in the table of the micro-kernel for a tile of `rows` by `vectors`."""
    return (mode * MOST_VECTORS + vectors - 1) * MOST_ROWS + rows - 1


def _build_table(module: Any, tile: Tile) -> Any:
    """Emit all functions and the constant array of their addresses."""
    entries = [int64(0)] * TABLE_LENGTH
    for mode in (COLUMNS, ROWS):
        for vectors in range(1, tile.vectors + 1):
            for rows in range(1, tile.rows + 1):
                function = build_microkernel(module, tile, rows, vectors, mode)
                entries[slot_of(mode, vectors, rows)] = function.ptrtoint(INT64)
    entries[TRANSPOSE_PACKER] = build_transpose_packer(module, tile).ptrtoint(INT64)
    entries[COPY_PACKER] = build_copy_packer(module, tile).ptrtoint(INT64)
    entries[TILE_ROWS] = int64(tile.rows)
    entries[TILE_LANES] = int64(tile.lanes)
    entries[TILE_COLUMNS] = int64(tile.columns)
    entries[PACKED_ROWS] = int64(tile.packed_rows)
    entries[ITEM_BYTES] = int64(4 if tile.dtype == "float32" else 8)
    array_type = ir.ArrayType(INT64, TABLE_LENGTH)
    table: Any = ir.GlobalVariable(module, array_type, f"gemm_table_{tile.dtype}")
    table.linkage = "internal"
    table.global_constant = True
    table.initializer = ir.Constant(array_type, entries)
    return table


def _table_function(dtype: str) -> Callable[[], int]:
    def generate_table(typing_context: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.ptrtoint(_build_table(builder.module, tile_for(dtype)), INT64)

        return types.int64(), generate

    table: Any = intrinsic(generate_table)

    @kernel(name=f"table_address.{dtype}")
    def table_address():  # type: ignore[no-untyped-def]
        return table()

    return table_address


_owners: list[Callable[[], int]] = []  # Numba unloads the code of a collected function


@functools.cache
def table_address(dtype: str) -> int:
    """Address of the table for float32 or float64; the first use compiles or loads it.

    Holds in this process only: never let it into a cached function as a constant.
    """
    function = _table_function(dtype)
    _owners.append(function)
    return int(function())
