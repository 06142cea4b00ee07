"""Batch and group normalization, and moving averages of statistics, as rows of a program."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.normalization import _column_kernels
from tapegrad_kernels.cpu.normalization._columns import Layout, layout_of
from tapegrad_kernels.cpu.normalization._totals import totals_block
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand

Optional = Operand | None


def fill(builder: Builder, number: float, *targets: Operand) -> None:
    """Rows that write a number into all elements."""
    for target in targets:
        builder.copy(builder.constant(np.array(number, target.dtype)), target)


def parameter(
    builder: Builder, value: Optional, shape: tuple[int, ...], dtype: Any, fill: float
) -> Operand:
    """A parameter as the kernels read it; without one, that many times `fill`."""
    if value is None:
        return builder.constant(np.full(shape, fill, dtype))
    return builder.contiguous(value, dtype)


def _column_words(
    builder: Builder,
    layout: Layout,
    epsilon: float,
    x: Operand,
    y: Operand,
    statistics: tuple[Operand, Operand],
    parameters: tuple[Operand, Operand],
    dy: Optional = None,
    totals: tuple[Operand, ...] = (),
) -> list[Any]:
    """The record of all stages; `y` is the result, be it the array's or a gradient."""
    count, width = layout.samples, layout.width
    partial = builder.temporary((3 * count * layout.tasks * width,), np.float64)
    scratch = builder.temporary((4 * count * layout.tasks * width,), x.dtype)
    coefficients = builder.temporary((4 * count * width,), x.dtype)
    sums = builder.temporary((3 * count * layout.channels,), np.float64)
    _, _, *sizes = layout.numbers
    dy = x if dy is None else dy
    arrays = x, y, dy, y, partial, scratch, coefficients, *statistics, *parameters, sums
    return [*arrays, *sizes, float(epsilon), *totals]


def _run_columns(builder: Builder, layout: Layout, words: list[Any], *stages: str) -> None:
    chunk, samples, *_ = layout.numbers
    dtype = words[_column_kernels.X].dtype
    for stage in stages:
        by_sample = stage in ("statistics", "slopes", "given", "given_slopes")
        count = samples if by_sample else samples * layout.tasks
        builder.run(_column_kernels.BLOCKS[stage, dtype], *words, count=count, chunk=chunk)


def _lower_columns(
    builder: Builder,
    out: tuple[Operand, ...],
    x: Operand,
    gamma: Optional,
    beta: Optional,
    layout: Layout,
    epsilon: float,
) -> None:
    y, mean, variance = out
    parameters = (
        parameter(builder, gamma, (layout.channels,), y.dtype, 1.0),
        parameter(builder, beta, (layout.channels,), y.dtype, 0.0),
    )
    array = builder.contiguous(x, y.dtype)
    words = _column_words(builder, layout, epsilon, array, y, (mean, variance), parameters)
    _run_columns(builder, layout, words, "moments", "statistics", "affine")


def _lower_column_gradients(
    builder: Builder,
    out: tuple[Operand, ...],
    dy: Operand,
    x: Operand,
    gamma: Optional,
    mean: Optional,
    variance: Optional,
    layout: Layout,
    epsilon: float,
) -> None:
    dx, dgamma, dbeta = out
    dtype, channels = dx.dtype, layout.channels
    shape = (layout.samples * layout.groups,)
    statistics = (
        parameter(builder, mean, shape, dtype, 0.0),
        parameter(builder, variance, shape, dtype, 1.0),
    )
    factors = parameter(builder, gamma, (channels,), dtype, 1.0)
    dy, array = builder.contiguous(dy, dtype), builder.contiguous(x, dtype)
    words = _column_words(builder, layout, epsilon, array, dx, statistics, (factors, factors), dy)
    _run_columns(builder, layout, words, "gradient_sums", "slopes", "gradient")
    sums, partial = words[_column_kernels.SUMS], words[_column_kernels.PARTIAL]
    cut = sums, 3 * channels, layout.samples, 2 * channels, partial, channels
    builder.call(totals_block("float64", dtype.name), *cut, dbeta, dgamma)


def _batch_layout(x: Operand) -> Layout:
    channels = x.shape[-1]
    return layout_of(1, x.size // channels, channels, channels)


@lowers("batch_norm")
def _lower_batch_norm(
    builder: Builder,
    out: tuple[Operand, ...],
    x: Operand,
    gamma: Optional = None,
    beta: Optional = None,
    *,
    epsilon: float = 1e-3,
) -> None:
    if x.size == 0:
        fill(builder, math.nan, *out[1:])
        return
    _lower_columns(builder, out, x, gamma, beta, _batch_layout(x), epsilon)


@lowers("batch_norm_grad")
def _lower_batch_norm_grad(
    builder: Builder,
    out: tuple[Operand, ...],
    dy: Operand,
    x: Operand,
    gamma: Optional,
    mean: Optional,
    variance: Optional,
    *,
    epsilon: float = 1e-3,
) -> None:
    if x.size == 0:
        fill(builder, 0.0, *out[1:])
        return
    layout = _batch_layout(x)
    _lower_column_gradients(builder, out, dy, x, gamma, mean, variance, layout, epsilon)


def _given_words(
    builder: Builder,
    result: Operand,
    x: Operand,
    gamma: Optional,
    beta: Optional,
    mean: Optional,
    variance: Optional,
    epsilon: float,
    dy: Optional = None,
    totals: tuple[Operand, ...] = (),
) -> list[Any]:
    """The record of the stages for given statistics."""
    dtype, shape = result.dtype, x.shape[-1:]
    fills = (gamma, 1.0), (beta, 0.0), (mean, 0.0), (variance, 1.0)
    factors, summands, *statistics = (
        parameter(builder, value, shape, dtype, fill) for value, fill in fills
    )
    return _column_words(
        builder,
        _batch_layout(x),
        epsilon,
        builder.contiguous(x, dtype),
        result,
        (statistics[0], statistics[1]),
        (factors, summands),
        None if dy is None else builder.contiguous(dy, dtype),
        totals,
    )


@lowers("batch_norm_inference")
def _lower_batch_norm_inference(
    builder: Builder,
    out: Operand,
    x: Operand,
    gamma: Optional,
    beta: Optional,
    mean: Optional,
    variance: Optional,
    *,
    epsilon: float = 1e-3,
) -> None:
    if x.size == 0:
        return
    words = _given_words(builder, out, x, gamma, beta, mean, variance, epsilon)
    _run_columns(builder, _batch_layout(x), words, "given", "affine")


@lowers("batch_norm_inference_grad")
def _lower_batch_norm_inference_grad(
    builder: Builder,
    out: tuple[Operand, ...],
    dy: Operand,
    x: Operand,
    gamma: Optional,
    mean: Optional,
    variance: Optional,
    *,
    epsilon: float = 1e-3,
) -> None:
    dx, *totals = out
    if x.size == 0:
        fill(builder, 0.0, *totals)
        return
    layout = _batch_layout(x)
    words = _given_words(builder, dx, x, gamma, None, mean, variance, epsilon, dy, tuple(totals))
    _run_columns(builder, layout, words, "gradient_sums", "given_slopes")
    # An affine function of dy: what x is, perhaps infinite, must not touch it.
    words[_column_kernels.X] = words[_column_kernels.DY]
    _run_columns(builder, layout, words, "affine")


def _group_layout(x: Operand, groups: int) -> Layout:
    return layout_of(x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1], groups)


@lowers("group_norm")
def _lower_group_norm(
    builder: Builder,
    out: tuple[Operand, ...],
    x: Operand,
    gamma: Optional = None,
    beta: Optional = None,
    *,
    groups: int,
    epsilon: float = 1e-3,
) -> None:
    if x.size == 0:
        fill(builder, math.nan, *out[1:])
        return
    _lower_columns(builder, out, x, gamma, beta, _group_layout(x, groups), epsilon)


@lowers("group_norm_grad")
def _lower_group_norm_grad(
    builder: Builder,
    out: tuple[Operand, ...],
    dy: Operand,
    x: Operand,
    gamma: Optional,
    mean: Optional,
    variance: Optional,
    *,
    groups: int,
    epsilon: float = 1e-3,
) -> None:
    if x.size == 0:
        fill(builder, 0.0, *out[1:])
        return
    layout = _group_layout(x, groups)
    _lower_column_gradients(builder, out, dy, x, gamma, mean, variance, layout, epsilon)


# ---- moving averages ---------------------------------------------------------------------


@functools.cache
def _moving_average(real: str) -> Block:
    at = POINTER_TO[real]
    narrow: Any = np.dtype(real).type

    @block(f"moving_average.{real}")
    def moving_average(record, start, stop):  # type: ignore[no-untyped-def]
        packed, numbers = int64_at(record), float64_at(record)
        average, value = at(packed[0]), at(packed[1])
        weight, rest = narrow(numbers[2]), narrow(numbers[3])
        for i in range(start, stop):
            average[i] = average[i] * weight + value[i] * rest

    return moving_average


@lowers("moving_average_update")
def _lower_moving_average_update(
    builder: Builder, out: None, average: Operand, value: Operand, momentum: Any
) -> None:
    if average.dtype.name not in REAL_NAMES or not average.is_contiguous:
        raise NotNative(f"moving average of {average}")
    if not isinstance(value, Operand) or value.dtype != average.dtype:
        raise NotNative("moving average of another dtype")
    if isinstance(momentum, Operand):
        raise NotNative("moving average whose momentum is an array")
    weight = float(momentum)
    words = average, builder.contiguous(value), weight, 1.0 - weight
    builder.call(_moving_average(average.dtype.name), *words, stop=average.size)


@on_warmup("program moving averages")
def _warm() -> None:
    for real in REAL_NAMES:
        _moving_average(real).address  # noqa: B018
