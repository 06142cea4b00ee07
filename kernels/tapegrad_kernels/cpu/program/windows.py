"""Pooling, depthwise convolution and resampling as rows: windows that slide over images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu import depthwise, pooling, resampling
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import fill
from tapegrad_kernels.cpu.program.lowering import lowers
from tapegrad_kernels.cpu.program.operand import Operand, Shape
from tapegrad_kernels.cpu.sliding.driver import window_words, windows_block
from tapegrad_kernels.cpu.sliding.plan import Plan
from tapegrad_kernels.cpu.sliding.strips import BIAS, LARGEST, MEAN, PICK, RELU, ROUTE, SUM, WEIGHT
from tapegrad_kernels.cpu.sliding.taps import SUMS, taps_block, taps_words
from tapegrad_kernels.cpu.sliding.terms import TERMS_BLOCKS, terms_chunk

Plans = tuple[Plan, Plan]


def as_word(operand: Operand | None) -> Operand | int:
    """A word of a record for an operand that may be missing."""
    return 0 if operand is None else operand


def keep_tables(b: Builder, plans: Plans) -> None:
    """Let the tables of plans, which records point to, live as long as the program."""
    for plan in plans:
        b.constant(plan.table)


def _as_images(b: Builder, x: Operand, dtype: np.dtype[Any]) -> Operand:
    """Images whose channels are adjacent; the other strides are free."""
    adjacent = x.strides[3] == x.itemsize or x.shape[3] == 1
    return x if adjacent and x.dtype == dtype else b.contiguous(x, dtype)


def _add_windows(
    b: Builder,
    kind: int,
    source: Operand,
    output: Operand,
    plans: Plans,
    window: tuple[int, int],
    **more: Any,
) -> None:
    """The row of `sliding.driver.run_windows`."""
    if not output.size:
        return
    keep_tables(b, plans)
    words, count, chunk = window_words(kind, source, output, *plans, window, **more, place=as_word)
    b.run(windows_block, *words, count=count, chunk=chunk)


def _add_terms(b: Builder, x: Operand, out: Operand, terms: int, step: int, distance: int) -> None:
    """The row of `sliding.terms.add_terms`."""
    chunk = terms_chunk(terms)
    b.run(TERMS_BLOCKS[out.dtype], x, out, terms, step, distance, count=out.size, chunk=chunk)


# ---- pooling -------------------------------------------------------------------------------


def _pool(x_shape: Shape, pool_size: Any, strides: Any, padding: Any) -> pooling.Geometry:
    return pooling.geometry_of("pooling", tuple(x_shape), pool_size, strides, padding)


@lowers("max_pool2d")
def _lower_max_pool2d(
    b: Builder,
    out: tuple[Operand, Operand],
    x: Operand,
    *,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
) -> None:
    y, positions = out
    pool = _pool(x.shape, pool_size, strides, padding)
    images = _as_images(b, x, y.dtype)
    _add_windows(b, LARGEST, images, y, pool.forward(), pool.window, positions=positions)


@lowers("max_pool2d_grad")
def _lower_max_pool2d_grad(
    b: Builder,
    out: Operand,
    dy: Operand,
    positions: Operand,
    *,
    x_shape: Shape,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
) -> None:
    pool = _pool(x_shape, pool_size, strides, padding)
    numbers = b.contiguous(positions, pool.position_dtype)
    gradient = b.contiguous(dy, out.dtype)
    _add_windows(b, ROUTE, gradient, out, pool.transposed(), pool.window, positions=numbers)


@lowers("max_pool2d_gather")
def _lower_max_pool2d_gather(
    b: Builder,
    out: Operand,
    x: Operand,
    positions: Operand,
    *,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
) -> None:
    pool = _pool(x.shape, pool_size, strides, padding)
    numbers = b.contiguous(positions, pool.position_dtype)
    images = _as_images(b, x, out.dtype)
    _add_windows(b, PICK, images, out, pool.forward(), pool.window, positions=numbers)


@lowers("avg_pool2d")
def _lower_avg_pool2d(
    b: Builder,
    out: Operand,
    x: Operand,
    *,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
) -> None:
    pool = _pool(x.shape, pool_size, strides, padding)
    images = _as_images(b, x, out.dtype)
    _add_windows(b, SUM, images, out, pool.forward(), pool.window, flags=MEAN)


@lowers("avg_pool2d_grad")
def _lower_avg_pool2d_grad(
    b: Builder,
    out: Operand,
    dy: Operand,
    *,
    x_shape: Shape,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
) -> None:
    pool = _pool(x_shape, pool_size, strides, padding)
    shares = b.temporary(dy.shape, out.dtype)
    counts = b.constant(np.asarray(pool.counts(out.dtype)))
    b.lower("divide", shares, b.contiguous(dy, out.dtype), counts)
    _add_windows(b, SUM, shares, out, pool.transposed(), pool.window)


# ---- depthwise convolution -----------------------------------------------------------------


def _depthwise(
    x_shape: Shape,
    w_shape: Shape,
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
) -> depthwise.Geometry:
    shapes = tuple(x_shape), tuple(w_shape)
    return depthwise.geometry_of("depthwise_conv2d", *shapes, strides, padding, dilation)


def _weights(b: Builder, w: Operand, dtype: np.dtype[Any]) -> Operand:
    """The kernel with one filter a channel, for `multiplier` as many channels."""
    height, width, channels, multiplier = w.shape
    return b.contiguous(w, dtype).view((height, width, channels * multiplier))


def _repeated(b: Builder, x: Operand, multiplier: int) -> Operand:
    """Each channel as often as it has filters."""
    if multiplier == 1:
        return x
    repeated = b.temporary((*x.shape, multiplier), x.dtype)
    b.copy(x.view((*x.shape, 1), (*x.strides, 0)), repeated)
    return repeated.view((*x.shape[:3], x.shape[3] * multiplier))


@lowers("depthwise_conv2d")
def _lower_depthwise_conv2d(
    b: Builder,
    out: Operand,
    x: Operand,
    w: Operand,
    bias: Operand | None = None,
    *,
    activation: str | None = None,
    **how: Any,
) -> None:
    if not out.size:
        return
    filters = _depthwise(x.shape, w.shape, **how)
    images = _repeated(b, _as_images(b, x, out.dtype), filters.multiplier)
    flags = (RELU if activation == "relu" else 0) | (0 if bias is None else BIAS)
    row = None if bias is None else b.contiguous(bias, out.dtype)
    second = activation in ("tanh", "sigmoid")
    y = b.temporary(out.shape, out.dtype) if second else out
    _add_windows(
        b, WEIGHT, images, y, filters.forward(), filters.window,
        weights=_weights(b, w, out.dtype), bias=row, flags=flags,
    )  # fmt: skip
    if second:
        b.lower(str(activation), out, y)


@lowers("depthwise_conv2d_input_grad")
def _lower_depthwise_input_grad(
    b: Builder, out: Operand, dy: Operand, w: Operand, *, x_shape: Shape, **how: Any
) -> None:
    filters = _depthwise(x_shape, w.shape, **how)
    times = filters.multiplier
    if not out.size or not times:
        fill(b, out, 0)
        return
    dx = out if times == 1 else b.temporary((*out.shape[:3], out.shape[3] * times), out.dtype)
    gradient, weights = _as_images(b, dy, out.dtype), _weights(b, w, out.dtype)
    _add_windows(b, WEIGHT, gradient, dx, filters.transposed(), filters.window, weights=weights)
    if times > 1:
        _add_terms(b, dx, out, times, times, 1)


@lowers("depthwise_conv2d_kernel_grad")
def _lower_depthwise_kernel_grad(
    b: Builder, out: Operand, x: Operand, dy: Operand, *, w_shape: Shape, **how: Any
) -> None:
    if not dy.size:
        fill(b, out, 0)
        return
    filters = _depthwise(x.shape, w_shape, **how)
    images = _repeated(b, _as_images(b, x, out.dtype), filters.multiplier)
    gradient = _as_images(b, dy, out.dtype)
    plans = filters.forward()
    keep_tables(b, plans)
    known, shape = taps_words(images, gradient, *plans, filters.window, place=as_word)
    words = list(known)
    parts = shape[0]
    sums = out if parts == 1 else b.temporary(shape, out.dtype)
    fill(b, sums, 0)
    words[SUMS] = sums
    b.run(taps_block, *words, count=parts, chunk=1)
    if parts > 1:
        _add_terms(b, sums, out, parts, 1, out.size)


# ---- resampling ----------------------------------------------------------------------------


def _interpolate(
    b: Builder, x: Operand, out: Operand, axis: int, factor: int, transposed: bool
) -> None:
    """The row of one axis of bilinear interpolation, or of its transpose."""
    if factor == 1:
        b.copy(x, out)
        return
    words, count, chunk = resampling.interpolation_words(
        x, out, axis, factor, transposed, place=as_word, keep=b.constant
    )
    b.run(resampling.INTERPOLATE_BLOCKS[out.dtype], *words, count=count, chunk=chunk)


def _resample(
    b: Builder, out: Operand, x: Operand, order: tuple[tuple[int, int], ...], transposed: bool
) -> None:
    """Bilinear interpolation along two axes, each given with its factor, one after the other."""
    if not out.size:
        return
    (first, factor), second = order
    shape = list(x.shape)
    shape[first] = out.shape[first]
    between = b.temporary(tuple(shape), out.dtype)
    _interpolate(b, b.contiguous(x, out.dtype), between, first, factor, transposed)
    _interpolate(b, between, out, *second, transposed)


@lowers("upsample2d")
def _lower_upsample2d(
    b: Builder,
    out: Operand,
    x: Operand,
    *,
    size: Any = (2, 2),
    interpolation: str = "nearest",
) -> None:
    rows, columns = resampling.factors("upsample2d", size, interpolation)
    if interpolation == "bilinear":
        _resample(b, out, x, ((2, columns), (1, rows)), False)
    elif out.size:
        images = b.contiguous(x, out.dtype)
        words, count, chunk = resampling.repetition_words(images, out, rows, columns, as_word)
        b.run(resampling.REPEAT_BLOCKS[out.dtype], *words, count=count, chunk=chunk)


@lowers("upsample2d_grad")
def _lower_upsample2d_grad(
    b: Builder,
    out: Operand,
    dy: Operand,
    *,
    size: Any = (2, 2),
    interpolation: str = "nearest",
) -> None:
    rows, columns = resampling.factors("upsample2d_grad", size, interpolation)
    if interpolation == "bilinear":
        _resample(b, out, dy, ((1, rows), (2, columns)), True)
    else:
        plans = resampling.squares(out.shape, rows, columns)
        _add_windows(b, SUM, _as_images(b, dy, out.dtype), out, plans, (rows, columns))


@on_warmup("program windows")
def _warm() -> None:
    windows_block.address  # noqa: B018
    taps_block.address  # noqa: B018
    for blocks in (TERMS_BLOCKS, resampling.INTERPOLATE_BLOCKS, resampling.REPEAT_BLOCKS):
        for chosen in blocks.values():
            chosen.address  # noqa: B018
