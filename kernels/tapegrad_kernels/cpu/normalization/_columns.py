"""Runs the column kernels over arrays whose last axis holds the channels."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numba
import numpy as np

from tapegrad_kernels._compile import native_entry
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import address_of, call_block, pack
from tapegrad_kernels.cpu.normalization._arguments import Array
from tapegrad_kernels.cpu.normalization._column_kernels import BLOCKS, NARROW, TILE_ROWS
from tapegrad_kernels.cpu.normalization._totals import totals_block

TASK = 16_384
"""Elements that a task handles; one thread is quicker up to there."""
FULL_WIDTH = 64
"""Columns that fill the registers of a vector loop."""


def _run(  # type: ignore[no-untyped-def]
    sums_block,
    middle_block,
    last_block,
    totals_block,
    chunker,
    launcher,
    chunk,
    samples,
    height,
    width,
    tail,
    task_rows,
    tasks,
    channels,
    groups,
    epsilon,
    x,
    y,
    dy,
    dx,
    partial,
    scratch,
    coefficients,
    mean,
    variance,
    gamma,
    beta,
    sums,
    totals,
):
    step = channels * x.itemsize
    by_channel = address_of(totals)
    record = pack(
        (
            address_of(x),
            address_of(y),
            address_of(dy),
            address_of(dx),
            address_of(partial),
            address_of(scratch),
            address_of(coefficients),
            address_of(mean),
            address_of(variance),
            address_of(gamma),
            address_of(beta),
            address_of(sums),
            height,
            width,
            tail,
            task_rows,
            tasks,
            channels,
            groups,
            epsilon,
            by_channel,
            by_channel + step,
            by_channel + 2 * step,
            by_channel + 3 * step,
        )
    )
    if sums_block:
        run_chunks(sums_block, record, samples * tasks, chunk, chunker, launcher)
    if middle_block:
        run_chunks(middle_block, record, samples, chunk, chunker, launcher)
    if last_block:
        run_chunks(last_block, record, samples * tasks, chunk, chunker, launcher)
    if totals_block:
        # The sums of all samples; the partial ones are not needed any more.
        cut = (address_of(sums), 3 * channels, samples, 2 * channels, address_of(partial))
        call_block(totals_block, pack((*cut, channels, by_channel, by_channel + step)), 0, 1)


@functools.cache
def _entry(dtype: np.dtype[Any]) -> tuple[Any, ...]:
    real = numba.types.Array(numba.from_dtype(dtype), 1, "C")
    wide = numba.types.Array(numba.float64, 1, "C")
    arguments = (numba.int64,) * 15 + (numba.float64,)
    arguments += (real,) * 4 + (wide,) + (real,) * 6 + (wide, real)
    run = native_entry(_run, f"run.{dtype}", *arguments)
    return run, chunk_block.address, parallel_launcher.address


@functools.cache
def _stages(dtype: np.dtype[Any], *names: str, totals: bool = False) -> tuple[int, ...]:
    stages = [BLOCKS[name, dtype].address if name else 0 for name in names]
    return (*stages, totals_block("float64", dtype.name).address if totals else 0)


@functools.cache
def _fold(channels: int) -> int:
    """How many rows of so many channels make one row of the kernels."""
    whole = FULL_WIDTH // math.gcd(channels, FULL_WIDTH)
    return whole if whole * channels <= NARROW else max(1, NARROW // channels)


@dataclasses.dataclass(frozen=True)
class Layout:
    """How an array is cut up.

    Attributes
    ----------
    samples, channels, groups : int
        Statistics are taken by sample and group of channels.
    height, width, tail : int
        Folded rows of a sample, their length, and columns that are left over.
    task_rows, tasks : int
        Folded rows of a task, and tasks of a sample.
    """

    samples: int
    channels: int
    groups: int
    height: int
    width: int
    tail: int
    task_rows: int
    tasks: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """What the kernels are given of it, with the tasks that one thread takes at a time."""
        chunk = max(1, TASK // max(1, self.height * self.width + self.tail))
        rest = (self.height, self.width, self.tail, self.task_rows, self.tasks)
        return (chunk, self.samples, *rest, self.channels, self.groups)


@functools.lru_cache(maxsize=256)
def layout_of(samples: int, rows: int, channels: int, groups: int) -> Layout:
    """The layout of `samples` matrices of `rows` rows."""
    fold = _fold(channels)
    width = fold * channels
    height = rows // fold
    task_rows = max(1, TASK // (width * TILE_ROWS)) * TILE_ROWS
    tasks = max(1, -(-height // task_rows))
    tail = (rows - height * fold) * channels
    return Layout(samples, channels, groups, height, width, tail, task_rows, tasks)


def normalize(
    x: Array, gamma: Array, beta: Array, layout: Layout, epsilon: float
) -> tuple[Array, Array, Array]:
    """The normalized array, and means and variances by sample and group."""
    dtype = x.dtype
    run, *launchers = _entry(dtype)
    count, width = layout.samples, layout.width
    y = np.empty(x.shape, dtype)
    mean, variance = np.empty((2, count * layout.groups), dtype)
    flat, result = x.reshape(-1), y.reshape(-1)
    run(
        *_stages(dtype, "moments", "statistics", "affine"),
        *launchers,
        *layout.numbers,
        epsilon,
        flat,
        result,
        flat,
        result,
        np.empty(2 * count * layout.tasks * width),
        np.empty(3 * count * layout.tasks * width, dtype),
        np.empty(4 * count * width, dtype),
        mean,
        variance,
        gamma,
        beta,
        np.empty(3 * count * layout.channels),
        mean,
    )
    return y, mean, variance


def gradients(
    dy: Array, x: Array, gamma: Array, mean: Array, variance: Array, layout: Layout, epsilon: float
) -> tuple[Array, Array]:
    """Gradients by `x`, and by beta and gamma in two rows."""
    dtype = x.dtype
    run, *launchers = _entry(dtype)
    count, width, channels = layout.samples, layout.width, layout.channels
    dx = np.empty(x.shape, dtype)
    flat, result = x.reshape(-1), dx.reshape(-1)
    totals = np.empty((2, channels), dtype)
    run(
        *_stages(dtype, "gradient_sums", "slopes", "gradient", totals=True),
        *launchers,
        *layout.numbers,
        epsilon,
        flat,
        result,
        dy.reshape(-1),
        result,
        np.empty(3 * count * layout.tasks * width),
        np.empty(4 * count * layout.tasks * width, dtype),
        np.empty(4 * count * width, dtype),
        mean.reshape(-1),
        variance.reshape(-1),
        gamma,
        gamma,
        np.empty(3 * count * channels),
        totals.reshape(-1),
    )
    return dx, totals


def normalize_given(
    x: Array,
    gamma: Array,
    beta: Array,
    mean: Array,
    variance: Array,
    layout: Layout,
    epsilon: float,
) -> Array:
    """The array normalized with given means and variances of its channels."""
    dtype = x.dtype
    run, *launchers = _entry(dtype)
    y = np.empty(x.shape, dtype)
    flat, result = x.reshape(-1), y.reshape(-1)
    unused = np.empty(0)
    coefficients = np.empty(3 * layout.width, dtype)
    statistics = (coefficients, mean, variance, gamma, beta, unused, mean)
    stages = _stages(dtype, "", "given", "affine")
    arrays = (flat, result, flat, result, unused, coefficients, *statistics)
    run(*stages, *launchers, *layout.numbers, epsilon, *arrays)
    return y


def gradients_given(
    dy: Array, x: Array, gamma: Array, mean: Array, variance: Array, layout: Layout, epsilon: float
) -> tuple[Array, Array]:
    """Gradients by `x`, and in four rows those by gamma, beta, means and variances."""
    dtype = x.dtype
    run, *launchers = _entry(dtype)
    dx = np.empty(x.shape, dtype)
    flat, by_result, result = x.reshape(-1), dy.reshape(-1), dx.reshape(-1)
    partial = np.empty(3 * layout.tasks * layout.width)
    scratch = np.empty(4 * layout.tasks * layout.width, dtype)
    coefficients = np.empty(3 * layout.width, dtype)
    totals = np.empty((4, layout.channels), dtype)
    rest = (by_result, result, partial, scratch, coefficients, mean, variance, gamma, gamma)
    rest = (*rest, np.empty(2 * layout.channels), totals.reshape(-1))
    stages = _stages(dtype, "gradient_sums", "given_slopes", "")
    run(*stages, *launchers, *layout.numbers, epsilon, flat, result, *rest)
    # An affine function of dy: what x is, perhaps infinite, must not touch it.
    run(
        *_stages(dtype, "", "", "affine"),
        *launchers,
        *layout.numbers,
        epsilon,
        by_result,
        result,
        *rest,
    )
    return dx, totals
