"""The native side of a call: reads shapes and strides, chooses the cut, runs it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types

from tapegrad_kernels._compile import block, kernel, native_entry
from tapegrad_kernels._compile.launch import parallel_launcher
from tapegrad_kernels._compile.pointers import (
    address_of,
    call_block,
    cycles,
    int64_at,
    num_threads,
)
from tapegrad_kernels._compile.pool import pool_is_awake
from tapegrad_kernels._compile.threads import most_threads
from tapegrad_kernels.cpu.gemm import blocking
from tapegrad_kernels.cpu.gemm.blocking import gemm_parts
from tapegrad_kernels.cpu.gemm.microkernel import BIAS, tile_for
from tapegrad_kernels.cpu.gemm.table import (
    ITEM_BYTES,
    TILE_COLUMNS,
    TILE_ROWS,
    table_address,
)
from tapegrad_kernels.cpu.simd import ITEM_SIZE

SERIAL_PRODUCTS = 1_000_000
"""Multiplications below which one thread is faster than a parallel region.

One thread needs 20 µs for so many. A region costs 5 to 10 µs, and more when the
other threads have fallen asleep."""

COLD_PRODUCTS = 4_000_000
"""Multiplications below which a region pays only if the other threads are awake.

Threads sleep soon after a region. Waking one takes some 35 µs on a virtual machine,
as much as it saves here."""

AWAKE_CYCLES = 50_000
"""Cycles after a product of such a size during which the threads are taken to be awake."""

DONE = 0
"""Status: the product is computed."""
REFUSED = 1
"""Status: shapes, alignment or strides need the careful way. Nothing was written."""

# The setup of a dtype, in int64: what every product of it needs.
(
    SETUP_TABLE,
    SETUP_PARTS,
    SETUP_LAUNCHER,
    SETUP_WORKSPACE_BYTES,
    SETUP_THREADS,
    SETUP_LAST,  # when the last product ended that was large enough for several threads
    SETUP_LENGTH,
) = range(7)

LAUNCH_WORDS = 3
"""Words behind the record of a product that `run_product` writes."""
PAGE = 4096
_HEADER_BYTES = 512
"""Head of a workspace, where the records stand."""


@kernel(inline=True)
def choose_grid(m, n, tile_rows, tile_columns, threads):  # type: ignore[no-untyped-def]
    """Rows and columns of a grid of at most `threads` parts.

    The best grid has the least work in its largest part: its tiles, and what it
    packs for itself, some ten times dearer an element than a multiplication in a
    tile's row.
    """
    tiles = (m + tile_rows - 1) // tile_rows
    panels = (n + tile_columns - 1) // tile_columns
    best_rows, best_columns = 1, 1
    least = np.inf
    for row_parts in range(1, min(threads, tiles) + 1):
        column_parts = min(threads // row_parts, panels)
        rows = (m + row_parts - 1) // row_parts
        columns = (panels + column_parts - 1) // column_parts * tile_columns
        cost = float(rows) * float(columns) + 8.0 * float(rows + columns)
        if cost < least:
            least = cost
            best_rows, best_columns = row_parts, column_parts
    return best_rows, best_columns


@kernel(inline=True)
def run_product(setup, record, threads):  # type: ignore[no-untyped-def]
    """Choose the cut of the product in `record` and run it.

    Behind the record three words are written too.
    """
    s, r = int64_at(setup), int64_at(record)
    t = int64_at(s[SETUP_TABLE])
    m, n, depth, batches = (
        r[blocking.M],
        r[blocking.N],
        r[blocking.K],
        r[blocking.BATCHES],
    )
    r[blocking.ROW_PARTS] = 1
    r[blocking.COLUMN_PARTS] = 1
    r[blocking.BATCH_PARTS] = 1
    work = float(m) * float(n) * float(depth) * float(batches)
    if work < SERIAL_PRODUCTS or threads == 1:
        call_block(s[SETUP_PARTS], record, 0, 1)
        return
    # Several Python threads may write this mark at once; it decides on time alone, never
    # on a bit of the result.
    recent = cycles() - s[SETUP_LAST] <= AWAKE_CYCLES or pool_is_awake()
    if work < COLD_PRODUCTS and not recent:
        call_block(s[SETUP_PARTS], record, 0, 1)
        s[SETUP_LAST] = cycles()
        return
    batch_parts = min(batches, threads)
    row_parts, column_parts = choose_grid(
        m, n, t[TILE_ROWS], t[TILE_COLUMNS], threads // batch_parts
    )
    r[blocking.ROW_PARTS] = row_parts
    r[blocking.COLUMN_PARTS] = column_parts
    r[blocking.BATCH_PARTS] = batch_parts
    parts = row_parts * column_parts * batch_parts
    if parts == 1:
        call_block(s[SETUP_PARTS], record, 0, 1)
        return
    launch = int64_at(record + 8 * blocking.RECORD_LENGTH)
    launch[0] = s[SETUP_PARTS]
    launch[1] = record
    launch[2] = parts
    call_block(s[SETUP_LAUNCHER], record + 8 * blocking.RECORD_LENGTH, 0, 1)
    s[SETUP_LAST] = cycles()


def _multiply(a, b, c, bias, transpose_a, transpose_b, flags, setup, workspace):  # type: ignore[no-untyped-def]
    """``c = op(a) @ op(b)`` over any strides of which one is an element's size."""
    s = int64_at(setup)
    size = int64_at(s[SETUP_TABLE])[ITEM_BYTES]
    n = c.shape[1]
    a_outer, a_inner = a.strides
    b_outer, b_inner = b.strides
    c_outer, c_inner = c.strides
    a_rows, a_columns = a.shape
    b_rows, b_columns = b.shape
    if transpose_a:
        m, depth = a_columns, a_rows
    else:
        m, depth = a_rows, a_columns
    if transpose_b:
        wrong = b_columns != depth or b_rows != n
    else:
        wrong = b_rows != depth or b_columns != n
    wrong = wrong or c.shape[0] != m
    if flags & BIAS:
        wrong = wrong or bias.shape[0] != n or (bias.strides[0] != size and n > 1)
    if wrong:
        return REFUSED
    if m == 0 or n == 0:
        return DONE  # the strides of an empty array mean nothing
    # An operand whose columns are adjacent is the transpose of one whose rows are.
    if a_inner != size and a_columns > 1:
        wrong = wrong or (a_outer != size and a_rows > 1)
        a_outer = a_inner
        transpose_a = not transpose_a
    if b_inner != size and b_columns > 1:
        wrong = wrong or (b_outer != size and b_rows > 1)
        b_outer = b_inner
        transpose_b = not transpose_b
    wrong = wrong or (c_inner != size and n > 1)
    misaligned = a_outer | b_outer | c_outer | address_of(a) | address_of(b) | address_of(c)
    if flags & BIAS:
        misaligned |= address_of(bias)
    if wrong or misaligned % size != 0:
        return REFUSED
    left, right = address_of(a), address_of(b)
    lda, ldb, ldc = a_outer // size, b_outer // size, c_outer // size
    if n == 1 and m > 1 and c_outer == size and not flags & BIAS:
        # One column fills one lane of a tile; its transpose, one row, fills them all.
        left, right = right, left
        lda, ldb = ldb, lda
        transpose_a, transpose_b = not transpose_b, not transpose_a
        m, n = n, m
    r = int64_at(workspace)
    r[blocking.TRANSPOSE_A] = transpose_a
    r[blocking.TRANSPOSE_B] = transpose_b
    r[blocking.M] = m
    r[blocking.N] = n
    r[blocking.K] = depth
    r[blocking.A] = left
    r[blocking.LDA] = lda
    r[blocking.B] = right
    r[blocking.LDB] = ldb
    r[blocking.C] = address_of(c)
    r[blocking.LDC] = ldc
    r[blocking.BIAS_ROW] = address_of(bias)
    r[blocking.FLAGS] = flags
    r[blocking.WORKSPACE] = workspace + _HEADER_BYTES
    r[blocking.BATCHES] = 1
    r[blocking.A_OFFSETS] = 0
    r[blocking.B_OFFSETS] = 0
    r[blocking.C_STEP] = 0
    r[blocking.TABLE] = s[SETUP_TABLE]
    r[blocking.WORKSPACE_BYTES] = s[SETUP_WORKSPACE_BYTES]
    run_product(setup, workspace, min(s[SETUP_THREADS], num_threads()))
    return DONE


def _multiply_batches(  # type: ignore[no-untyped-def]
    a, b, c, a_offsets, b_offsets, sizes, setup, workspace
):
    """One product for each pair of offsets; `sizes` holds what does not vary."""
    s = int64_at(setup)
    r = int64_at(workspace)
    r[blocking.TRANSPOSE_A] = sizes[0]
    r[blocking.TRANSPOSE_B] = sizes[1]
    r[blocking.M] = sizes[2]
    r[blocking.N] = sizes[3]
    r[blocking.K] = sizes[4]
    r[blocking.A] = a
    r[blocking.LDA] = sizes[5]
    r[blocking.B] = b
    r[blocking.LDB] = sizes[6]
    r[blocking.C] = c
    r[blocking.LDC] = sizes[3]
    r[blocking.BIAS_ROW] = 0
    r[blocking.FLAGS] = 0
    r[blocking.WORKSPACE] = workspace + _HEADER_BYTES
    r[blocking.BATCHES] = a_offsets.size
    r[blocking.A_OFFSETS] = address_of(a_offsets)
    r[blocking.B_OFFSETS] = address_of(b_offsets)
    r[blocking.C_STEP] = sizes[3] * sizes[2] * int64_at(s[SETUP_TABLE])[ITEM_BYTES]
    r[blocking.TABLE] = s[SETUP_TABLE]
    r[blocking.WORKSPACE_BYTES] = s[SETUP_WORKSPACE_BYTES]
    run_product(setup, workspace, min(s[SETUP_THREADS], num_threads()))


@block("product")
def product_block(record, start, stop):  # type: ignore[no-untyped-def]
    """A product whose record is written already; behind it room for a launch, and the setup."""
    setup = int64_at(record)[blocking.RECORD_LENGTH + LAUNCH_WORDS]
    s = int64_at(setup)
    run_product(setup, record, min(s[SETUP_THREADS], num_threads()))


_owners: list[object] = []  # what native code lives in, and reads


class Entry(NamedTuple):
    """What the Python side needs to multiply arrays of one dtype."""

    dtype: np.dtype[Any]
    multiply: Callable[..., int]
    multiply_batches: Callable[..., None]
    setup: int
    no_bias: np.ndarray


_lock = threading.Lock()


@functools.cache
def _entry(name: str) -> Entry:
    element = types.float32 if name == "float32" else types.float64
    matrix = types.Array(element, 2, "A")
    vector = types.Array(element, 1, "A")
    integers = types.Array(types.int64, 1, "C")
    tile = tile_for(name)
    setup = np.zeros(SETUP_LENGTH, np.int64)
    setup[SETUP_TABLE] = table_address(name)
    setup[SETUP_PARTS] = gemm_parts.address
    setup[SETUP_LAUNCHER] = parallel_launcher.address
    setup[SETUP_WORKSPACE_BYTES] = blocking.workspace_bytes(tile.packed_rows, ITEM_SIZE[name])
    setup[SETUP_THREADS] = most_threads()
    _owners.append(setup)
    multiply = native_entry(
        _multiply,
        f"multiply.{name}",
        matrix,
        matrix,
        matrix,
        vector,
        types.boolean,
        types.boolean,
        types.int64,
        types.int64,
        types.int64,
    )
    multiply_batches = native_entry(
        _multiply_batches,
        "multiply_batches",
        types.int64,
        types.int64,
        types.int64,
        integers,
        integers,
        integers,
        types.int64,
        types.int64,
    )
    dtype = np.dtype(name)
    return Entry(dtype, multiply, multiply_batches, setup.ctypes.data, np.zeros(0, dtype))


def entry_for(name: str) -> Entry:
    """The entry of float32 or float64; the first use compiles or loads its kernels."""
    with _lock:  # two threads must not compile the same kernel
        return _entry(name)


Workspace = tuple[int, np.ndarray]
"""Address and owner of the memory for the packed blocks of all parts of one product."""


def new_workspace() -> Workspace:
    """Memory that serves a product of any size and dtype, one at a time.

    It is not touched here, so only what a product uses becomes real.
    """
    part = max(
        blocking.workspace_bytes(tile_for(name).packed_rows, size)
        for name, size in ITEM_SIZE.items()
    )
    memory = np.empty(_HEADER_BYTES + most_threads() * part + PAGE, np.uint8)
    address = memory.ctypes.data
    return address + (-address) % PAGE, memory
