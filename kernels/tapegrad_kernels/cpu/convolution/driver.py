"""The native side of a call: completes its record, and runs its parts on one thread or on all.

Each of the two kinds of calls is a block over a complete record, which a program may hold
among its rows, and an entry that writes such a record from arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types

from tapegrad_kernels._compile import block, kernel, native_entry
from tapegrad_kernels._compile.pointers import address_of, call_block, int64_at, num_threads, pack
from tapegrad_kernels.cpu.convolution import record as f
from tapegrad_kernels.cpu.convolution.kernel_grad import add_partials, window_tiles
from tapegrad_kernels.cpu.convolution.packing import panels_of
from tapegrad_kernels.cpu.gemm.table import TILE_COLUMNS

SERIAL_PRODUCTS = 1_000_000
"""Multiplications below which one thread is faster than a parallel region."""
SERIAL_PACKING = 100_000
"""Bytes of packed weights below which one thread packs faster."""
PARTS_OF_THREAD = 2
"""Parts for each thread: two let a thread that started early do more."""


@kernel(inline=True)
def _complete(template, source, weights, target, bias, flags, workspace):  # type: ignore[no-untyped-def]
    """Copy the plan's record into the workspace and add what belongs to the call."""
    r = int64_at(workspace)
    for i in range(f.LENGTH):
        r[i] = template[i]
    r[f.SOURCE] = address_of(source)
    r[f.WEIGHTS] = address_of(weights)
    r[f.TARGET] = address_of(target)
    r[f.BIAS] = address_of(bias)
    r[f.FLAGS] = flags
    place = workspace + f.HEADER_BYTES
    r[f.PACKED] = place if r[f.PACKER] != 0 else 0
    r[f.WORKSPACE] = place + r[f.PACKED_BYTES]


@kernel(inline=True)
def _launch(launcher, address, record, parts):  # type: ignore[no-untyped-def]
    if parts == 1:
        call_block(address, record, 0, 1)
    else:
        call_block(launcher, pack((address, record, parts)), 0, 1)


@kernel(inline=True)
def _convolve(record):  # type: ignore[no-untyped-def]
    """Pack the weights, then compute images whose parts may be cut anywhere."""
    r = int64_at(record)
    threads = num_threads()
    if r[f.PACKER] != 0:
        if r[f.PACKED_BYTES] < SERIAL_PACKING or threads == 1:
            call_block(r[f.PACKER], record, 0, r[f.TASKS])
        else:
            _launch(r[f.LAUNCHER], r[f.PACKER], record, r[f.TASKS])
    serial = r[f.WORK] < SERIAL_PRODUCTS or threads == 1
    parts = 1 if serial else min(r[f.UNITS], PARTS_OF_THREAD * threads)
    r[f.PARTS] = parts
    _launch(r[f.LAUNCHER], r[f.RUNNER], record, parts)


@kernel(inline=True)
def _sum_kernel_grad(record):  # type: ignore[no-untyped-def]
    """Choose a grid of row and column parts that shares the work evenly, and run it."""
    r = int64_at(record)
    threads = num_threads()
    cuts = r[f.REDUCTION_PARTS]
    row_parts, column_parts = 1, 1
    if r[f.WORK] < SERIAL_PRODUCTS:
        threads = 1
    if cuts == 1 and threads > 1:
        runs, _, run_tiles = window_tiles(record)
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
    r[f.PARTIALS] = r[f.WORKSPACE] + r[f.WORKSPACE_BYTES] * parts
    if threads == 1:
        call_block(r[f.RUNNER], record, 0, parts)
    else:
        _launch(r[f.LAUNCHER], r[f.RUNNER], record, parts)
    if cuts > 1:
        add_partials(record)


@block("convolve")
def convolve_block(record, start, stop):  # type: ignore[no-untyped-def]
    """A whole convolution or input gradient, whose record is complete."""
    _convolve(record)


@block("sum_kernel_grad")
def kernel_grad_block(record, start, stop):  # type: ignore[no-untyped-def]
    """A whole gradient of the weights, whose record is complete."""
    _sum_kernel_grad(record)


def _call_convolve(template, source, weights, target, bias, flags, workspace):  # type: ignore[no-untyped-def]
    _complete(template, source, weights, target, bias, flags, workspace)
    _convolve(workspace)


def _call_kernel_grad(template, source, weights, target, bias, flags, workspace):  # type: ignore[no-untyped-def]
    _complete(template, source, weights, target, bias, flags, workspace)
    _sum_kernel_grad(workspace)


Call = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, int], None]


class Entries(NamedTuple):
    """What the Python side calls for one dtype."""

    convolve: Call
    sum_kernel_grad: Call
    no_bias: np.ndarray


@functools.cache
def entries_for(dtype: str) -> Entries:
    """The entries of float32 or float64; the first use compiles or loads them."""
    element = types.float32 if dtype == "float32" else types.float64
    images = types.Array(element, 4, "C")
    arguments: tuple[Any, ...] = (
        types.Array(types.int64, 1, "C"),
        images,
        images,
        images,
        types.Array(element, 1, "C"),
        types.int64,
        types.int64,
    )
    return Entries(
        native_entry(_call_convolve, f"convolve.{dtype}", *arguments),
        native_entry(_call_kernel_grad, f"sum_kernel_grad.{dtype}", *arguments),
        np.zeros(0, dtype),
    )
