"""Runs the parts of a call, on one thread or on all."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from tapegrad_kernels._compile import Block, kernel
from tapegrad_kernels._compile.launch import parallel_launcher
from tapegrad_kernels._compile.pointers import address_of, call_block, int64_at, num_threads, pack
from tapegrad_kernels.cpu.convolution import record as f
from tapegrad_kernels.cpu.convolution.correlation import correlation_parts
from tapegrad_kernels.cpu.convolution.kernel_grad import (
    add_partials,
    kernel_grad_parts,
    window_tiles,
)
from tapegrad_kernels.cpu.convolution.packing import (
    pack_flipped,
    pack_forward,
    pack_scatter,
    panels_of,
)
from tapegrad_kernels.cpu.convolution.scatter import scatter_parts
from tapegrad_kernels.cpu.gemm.table import TILE_COLUMNS

SERIAL_PRODUCTS = 1_000_000
"""Multiplications below which one thread is faster than a parallel region."""
SERIAL_PACKING = 100_000
"""Weights below which one thread packs faster."""
PARTS_OF_THREAD = 2
"""Parts for each thread: two let a thread that started early do more."""


@kernel(inline=True)
def _launch(launcher, address, record, parts):  # type: ignore[no-untyped-def]
    if parts == 1:
        call_block(address, record, 0, 1)
    else:
        call_block(launcher, pack((address, record, parts)), 0, 1)


@kernel
def _run_images(record, packer, tasks, weights, address, units, launcher):  # type: ignore[no-untyped-def]
    """Pack the weights, then run a block whose units may be cut anywhere."""
    where = address_of(record)
    r = int64_at(where)
    threads = num_threads()
    if packer != 0:
        if weights < SERIAL_PACKING or threads == 1:
            call_block(packer, where, 0, tasks)
        else:
            call_block(launcher, pack((packer, where, tasks)), 0, 1)
    serial = r[f.WORK] < SERIAL_PRODUCTS or threads == 1
    parts = 1 if serial else min(units, PARTS_OF_THREAD * threads)
    r[f.PARTS] = parts
    _launch(launcher, address, where, parts)


@kernel
def _run_kernel_grad(record, address, launcher):  # type: ignore[no-untyped-def]
    """Choose a grid of row and column parts that shares the work evenly, and run it."""
    where = address_of(record)
    r = int64_at(where)
    threads = num_threads()
    cuts = r[f.REDUCTION_PARTS]
    row_parts, column_parts = 1, 1
    if r[f.WORK] < SERIAL_PRODUCTS or threads == 1:
        threads = 1
    if cuts == 1 and threads > 1:
        runs, _, run_tiles = window_tiles(where)
        tiles = runs * run_tiles
        panels = r[f.GROUPS] * panels_of(r[f.COLUMNS], int64_at(r[f.TABLE])[TILE_COLUMNS])
        least = np.inf
        for columns in range(1, min(threads, panels) + 1):
            rows = min(threads // columns, tiles)
            tall, wide = (tiles + rows - 1) // rows, (panels + columns - 1) // columns
            # A panel packed costs about as much as a quarter of a tile's work on it.
            cost = wide * (tall + 0.25)
            if cost < least:
                least = cost
                row_parts, column_parts = rows, columns
    r[f.ROW_PARTS], r[f.COLUMN_PARTS] = row_parts, column_parts
    parts = row_parts * column_parts * cuts
    if threads == 1:
        call_block(address, where, 0, parts)
    else:
        _launch(launcher, address, where, parts)
    if cuts > 1:
        add_partials(where)


class _Addresses(NamedTuple):
    correlation: int
    scatter: int
    kernel_grad: int
    pack_forward: int
    pack_flipped: int
    pack_scatter: int
    launcher: int


@functools.cache
def _addresses() -> _Addresses:
    blocks: list[Block] = [
        correlation_parts,
        scatter_parts,
        kernel_grad_parts,
        pack_forward,
        pack_flipped,
        pack_scatter,
        parallel_launcher,
    ]
    return _Addresses(*(each.address for each in blocks))


def run_correlation(record: np.ndarray, tasks: int, weights: int, units: int, flip: bool) -> None:
    """Forward pass, or input gradient of stride 1 if `flip`; no tasks: the weights stay put."""
    a = _addresses()
    packer = (a.pack_flipped if flip else a.pack_forward) if tasks else 0
    _run_images(record, packer, tasks, weights, a.correlation, units, a.launcher)


def run_scatter(record: np.ndarray, tasks: int, weights: int, units: int) -> None:
    """Input gradient of any stride."""
    a = _addresses()
    _run_images(record, a.pack_scatter, tasks, weights, a.scatter, units, a.launcher)


def run_kernel_grad(record: np.ndarray) -> None:
    """Gradient of the weights."""
    a = _addresses()
    _run_kernel_grad(record, a.kernel_grad, a.launcher)
