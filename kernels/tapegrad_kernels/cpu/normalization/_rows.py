"""Runs the row kernels over arrays whose trailing axes make rows."""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np

from tapegrad_kernels._compile import native_entry
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import address_of, call_block, pack
from tapegrad_kernels.cpu.normalization._arguments import Array
from tapegrad_kernels.cpu.normalization._row_kernels import BLOCKS, LEAST_TILE, MOST_TILE, TILE
from tapegrad_kernels.cpu.normalization._totals import totals_block

FORWARD_CHUNK = 16_384
"""Elements of a task, rounded to whole rows; one thread is quicker up to there."""
BACKWARD_CHUNK = 32_768
LEAST_TASK = 32
"""Rows of a task with gradients: each costs a row of partial sums."""


def _forward(  # type: ignore[no-untyped-def]
    address, chunker, launcher, chunk, height, width, epsilon, mode, x, gamma, beta, y
):
    record = pack(
        (address_of(x), address_of(gamma), address_of(beta), address_of(y), width, epsilon, mode)
    )
    run_chunks(address, record, height, chunk, chunker, launcher)


def _backward(  # type: ignore[no-untyped-def]
    address,
    totals_address,
    chunker,
    launcher,
    task_rows,
    tile_rows,
    height,
    width,
    epsilon,
    mode,
    dy,
    x,
    gamma,
    dx,
    partial,
    scratch,
    sums,
    totals,
):
    record = pack(
        (
            address_of(dy),
            address_of(x),
            address_of(gamma),
            address_of(dx),
            address_of(partial),
            address_of(scratch),
            width,
            height,
            task_rows,
            tile_rows,
            epsilon,
            mode,
        )
    )
    tasks = (height + task_rows - 1) // task_rows
    run_chunks(address, record, tasks, 1, chunker, launcher)
    if totals.size:
        count = totals.size
        target = address_of(totals)
        place = address_of(partial)
        words = (place, count, tasks, count, address_of(sums), count, target, target)
        call_block(totals_address, pack(words), 0, 1)


@functools.cache
def _entry(name: str, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    vector = numba.types.Array(numba.from_dtype(dtype), 1, "C")
    addresses = [BLOCKS[name, dtype].address]
    if name.endswith("_grad"):
        wide = numba.types.Array(numba.float64, 1, "C")
        integers, arrays, function = 8, (vector,) * 6 + (wide, vector), _backward
        addresses.append(totals_block(dtype.name, dtype.name).address)
    else:
        integers, arrays, function = 6, (vector,) * 4, _forward
    arguments = (numba.int64,) * integers + (numba.float64, numba.int64) + arrays
    run = native_entry(function, f"{function.__name__}.{dtype}", *arguments)
    return run, *addresses, chunk_block.address, parallel_launcher.address


def run_forward(
    name: str, x: Array, gamma: Array, beta: Array, width: int, epsilon: float, mode: int
) -> Array:
    """Normalize the rows of `x`, of which there is at least one."""
    run, *addresses = _entry(name, x.dtype)
    y = np.empty(x.shape, x.dtype)
    chunk = max(1, FORWARD_CHUNK // width)
    arrays = (x.reshape(-1), gamma.reshape(-1), beta.reshape(-1), y.reshape(-1))
    run(*addresses, chunk, x.size // width, width, epsilon, mode, *arrays)
    return y


def cut_of(height: int, width: int) -> tuple[int, int, int]:
    """Rows of a task with gradients, rows of its tiles, and number of tasks."""
    task_rows = max(LEAST_TASK, BACKWARD_CHUNK // width)
    tile_rows = min(max(LEAST_TILE, TILE // width), MOST_TILE, task_rows)
    return task_rows, tile_rows, -(-height // task_rows)


def run_backward(
    name: str,
    dy: Array,
    x: Array,
    gamma: Array,
    width: int,
    epsilon: float,
    mode: int,
    parameters: bool = True,
) -> tuple[Array, Array]:
    """Gradients by `x`, and by the parameters in two rows; of the latter none if not wanted."""
    run, *addresses = _entry(name, x.dtype)
    height = x.size // width
    task_rows, tile_rows, tasks = cut_of(height, width)
    dx = np.empty(x.shape, x.dtype)
    partial = np.empty(2 * tasks * width if parameters else 0, x.dtype)
    scratch = np.empty(3 * tasks * tile_rows, x.dtype)
    totals = np.empty(2 * width if parameters else 0, x.dtype)
    arrays = (dy.reshape(-1), x.reshape(-1), gamma.reshape(-1), dx.reshape(-1))
    run(
        *addresses,
        task_rows,
        tile_rows,
        height,
        width,
        epsilon,
        mode,
        *arrays,
        partial,
        scratch,
        np.empty(totals.size),
        totals,
    )
    return dx, totals.reshape(2, -1)
