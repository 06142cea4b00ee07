"""Kernels that normalize rows: layer normalization, RMS and unit normalization.

A row is read from memory once: its sums, and then its results, are computed while it is in
the cache. Statistics are exact to the type's last digits whatever the mean is (two passes,
with the first mean's rounding error corrected by the second; T. F. Chan, G. H. Golub and
R. J. LeVeque, *Algorithms for Computing the Sample Variance*, Am. Stat. 37, 1983).

Gradients by the parameters are sums down the columns. Each task of rows has a row of sums
of its own, so that the order of additions depends on the shape alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block, kernel
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu._vector_loops import column_loop, row_loop

PIECE = 8192
"""Elements that are added in the array's own type; their sums are added in float64."""
TILE = 32_768
"""Elements of the rows that stay in the second-level cache until their columns are summed."""
LEAST_TILE, MOST_TILE = 16, 64
"""Rows of such a tile."""
BAND = 4096
"""Elements of the rows whose columns are summed at once: going down more of them would, where
they are long, touch a page of memory for each vector."""
LEAST_BAND = 4
"""Rows of a band at least."""
DEVIATION, LENGTH = 0, 1
"""What a row without a mean is divided by: its root mean square, or its Euclidean length."""


def _moments(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    d = w.builder.fsub(inputs[0], parameters[0])
    return [w.builder.fadd(sums[0], d), w.multiply_add(d, d, sums[1])], None


def _normalized(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    x, gamma, beta = inputs
    mean, rest, scale = parameters
    d = w.builder.fsub(w.builder.fsub(x, mean), rest)
    return [], w.multiply_add(w.builder.fmul(d, scale), gamma, beta)


def _gradient_sums(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    dy, x, gamma = inputs
    d = w.builder.fsub(x, parameters[0])
    t = w.builder.fmul(dy, gamma)
    return [
        w.builder.fadd(sums[0], d),
        w.multiply_add(d, d, sums[1]),
        w.builder.fadd(sums[2], t),
        w.multiply_add(t, d, sums[3]),
    ], None


def _gradient(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    dy, x, gamma = inputs
    mean, rest, scale, constant, slope = parameters
    d = w.builder.fsub(w.builder.fsub(x, mean), rest)
    t = w.builder.fmul(w.builder.fmul(dy, gamma), scale)
    return [], w.multiply_add(d, slope, w.builder.fadd(t, constant))


def _parameter_sums(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    dy, x = inputs
    mean, rest, scale = parameters
    d = w.builder.fsub(w.builder.fsub(x, mean), rest)
    return [
        w.multiply_add(dy, w.builder.fmul(d, scale), sums[0]),
        w.builder.fadd(sums[1], dy),
    ], None


def _plus(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    return [w.builder.fadd(sums[0], inputs[0])], None


def _make_layer_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    narrow: Any = np.dtype(real).type
    size = np.dtype(real).itemsize
    row_sum = row_loop(real, _plus, inputs=1, sums=1)
    row_moments = row_loop(real, _moments, inputs=1, scalars=1, sums=2)
    normalize_row = row_loop(real, _normalized, inputs=3, scalars=3, writes=True)
    row_gradient_sums = row_loop(real, _gradient_sums, inputs=3, scalars=1, sums=4)
    row_gradient = row_loop(real, _gradient, inputs=3, scalars=5, writes=True)
    column_sums = column_loop(real, _parameter_sums, inputs=2, by_row=3, sums=2)

    @kernel(inline=True)
    def mean_of(x, width, share):  # type: ignore[no-untyped-def]
        total = 0.0
        for first in range(0, width, PIECE):
            total += row_sum((x + first * size,), min(PIECE, width - first), ())[0]
        return narrow(total * share)

    @block(f"layer_norm.{real}")
    def layer_norm(record, start, stop):  # type: ignore[no-untyped-def]
        packed, numbers = int64_at(record), float64_at(record)
        gamma, beta, width, epsilon = packed[1], packed[2], packed[4], numbers[5]
        share = 1.0 / width
        for row in range(start, stop):
            x, y = packed[0] + row * width * size, packed[3] + row * width * size
            mean = mean_of(x, width, share)
            total, squares = 0.0, 0.0
            for first in range(0, width, PIECE):
                count = min(PIECE, width - first)
                part = row_moments((x + first * size,), count, (mean,))
                total += part[0]
                squares += part[1]
            rest = total * share
            variance = squares * share - rest * rest
            if variance < 0.0:  # a rounding error of a constant row
                variance = 0.0
            scale = 1.0 / math.sqrt(variance + epsilon)
            normalize_row((x, gamma, beta, y), width, (mean, narrow(rest), narrow(scale)))

    @block(f"layer_norm_grad.{real}")
    def layer_norm_grad(record, start, stop):  # type: ignore[no-untyped-def]
        packed, numbers = int64_at(record), float64_at(record)
        gamma, width, height = packed[2], packed[6], packed[7]
        task_rows, tile_rows, epsilon = packed[8], packed[9], numbers[10]
        line, share = width * size, 1.0 / width
        band = max(BAND // width, LEAST_BAND)
        for task in range(start, stop):
            sums = packed[4] + 2 * task * line
            scratch = packed[5] + 3 * task * tile_rows * size
            statistics = at(scratch)
            for j in range(2 * width):
                at(sums)[j] = narrow(0.0)
            bottom = min((task + 1) * task_rows, height)
            for top in range(task * task_rows, bottom, tile_rows):
                count = min(tile_rows, bottom - top)
                for i in range(count):
                    skipped = (top + i) * line
                    dy, x, dx = packed[0] + skipped, packed[1] + skipped, packed[3] + skipped
                    mean = mean_of(x, width, share)
                    s_d, s_dd, s_t, s_td = 0.0, 0.0, 0.0, 0.0
                    for first in range(0, width, PIECE):
                        offset = first * size
                        part = row_gradient_sums(
                            (dy + offset, x + offset, gamma + offset),
                            min(PIECE, width - first),
                            (mean,),
                        )
                        s_d += part[0]
                        s_dd += part[1]
                        s_t += part[2]
                        s_td += part[3]
                    rest = s_d * share
                    variance = s_dd * share - rest * rest
                    if variance < 0.0:
                        variance = 0.0
                    scale = 1.0 / math.sqrt(variance + epsilon)
                    slope = -(s_td - rest * s_t) * share * scale * scale * scale
                    constant = -s_t * share * scale
                    statistics[i] = mean
                    statistics[tile_rows + i] = narrow(rest)
                    statistics[2 * tile_rows + i] = narrow(scale)
                    row_gradient(
                        (dy, x, gamma, dx),
                        width,
                        (mean, narrow(rest), narrow(scale), narrow(constant), narrow(slope)),
                    )
                step = tile_rows * size
                for i in range(0, count, band):
                    skipped = (top + i) * line
                    here = scratch + i * size
                    column_sums(
                        (packed[0] + skipped, packed[1] + skipped),
                        min(band, count - i),
                        width,
                        width,
                        (),
                        (here, here + step, here + 2 * step),
                        (sums, sums + line),
                    )

    return {"layer_norm": layer_norm, "layer_norm_grad": layer_norm_grad}


def _squares(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    return [w.multiply_add(inputs[0], inputs[0], sums[0])], None


def _scaled(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    x, gamma = inputs
    return [], w.builder.fmul(w.builder.fmul(x, parameters[0]), gamma)


def _scaled_gradient_sums(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    dy, x, gamma = inputs
    t = w.builder.fmul(dy, gamma)
    return [w.multiply_add(x, x, sums[0]), w.multiply_add(t, x, sums[1])], None


def _scaled_gradient(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    dy, x, gamma = inputs
    scale, slope = parameters
    t = w.builder.fmul(w.builder.fmul(dy, gamma), scale)
    return [], w.multiply_add(x, slope, t)


def _scaled_parameter_sums(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    dy, x = inputs
    return [w.multiply_add(dy, w.builder.fmul(x, parameters[0]), sums[0])], None


def _make_scaling_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    narrow: Any = np.dtype(real).type
    size = np.dtype(real).itemsize
    row_squares = row_loop(real, _squares, inputs=1, sums=1)
    scale_row = row_loop(real, _scaled, inputs=2, scalars=1, writes=True)
    row_gradient_sums = row_loop(real, _scaled_gradient_sums, inputs=3, sums=2)
    row_gradient = row_loop(real, _scaled_gradient, inputs=3, scalars=2, writes=True)
    column_sums = column_loop(real, _scaled_parameter_sums, inputs=2, by_row=1, sums=1)

    @kernel(inline=True)
    def scale_of(squares, share, epsilon, mode):  # type: ignore[no-untyped-def]
        # The factor of a row, and its derivative by `squares`, divided by the factor cubed.
        if mode == DEVIATION:
            return 1.0 / math.sqrt(squares * share + epsilon), -share
        scale = 1.0 / math.sqrt(squares)
        if scale > 1.0 / epsilon:
            return 1.0 / epsilon, 0.0
        return scale, -1.0

    @block(f"rms_norm.{real}")
    def rms_norm(record, start, stop):  # type: ignore[no-untyped-def]
        packed, numbers = int64_at(record), float64_at(record)
        gamma, width, epsilon, mode = packed[1], packed[4], numbers[5], packed[6]
        share = 1.0 / width
        for row in range(start, stop):
            x, y = packed[0] + row * width * size, packed[3] + row * width * size
            squares = 0.0
            for first in range(0, width, PIECE):
                squares += row_squares((x + first * size,), min(PIECE, width - first), ())[0]
            scale, _ = scale_of(squares, share, epsilon, mode)
            scale_row((x, gamma, y), width, (narrow(scale),))

    @block(f"rms_norm_grad.{real}")
    def rms_norm_grad(record, start, stop):  # type: ignore[no-untyped-def]
        packed, numbers = int64_at(record), float64_at(record)
        gamma, width, height = packed[2], packed[6], packed[7]
        task_rows, tile_rows, epsilon, mode = packed[8], packed[9], numbers[10], packed[11]
        line, share = width * size, 1.0 / width
        band = max(BAND // width, LEAST_BAND)
        for task in range(start, stop):
            sums = packed[4] + 2 * task * line
            scratch = packed[5] + 3 * task * tile_rows * size
            if mode == DEVIATION:
                for j in range(2 * width):
                    at(sums)[j] = narrow(0.0)
            bottom = min((task + 1) * task_rows, height)
            for top in range(task * task_rows, bottom, tile_rows):
                count = min(tile_rows, bottom - top)
                for i in range(count):
                    skipped = (top + i) * line
                    dy, x, dx = packed[0] + skipped, packed[1] + skipped, packed[3] + skipped
                    squares, s_tx = 0.0, 0.0
                    for first in range(0, width, PIECE):
                        offset = first * size
                        part = row_gradient_sums(
                            (dy + offset, x + offset, gamma + offset),
                            min(PIECE, width - first),
                            (),
                        )
                        squares += part[0]
                        s_tx += part[1]
                    scale, derivative = scale_of(squares, share, epsilon, mode)
                    slope = 0.0
                    if derivative != 0.0:
                        slope = s_tx * derivative * scale * scale * scale
                    at(scratch)[i] = narrow(scale)
                    row_gradient((dy, x, gamma, dx), width, (narrow(scale), narrow(slope)))
                for i in range(0, count if mode == DEVIATION else 0, band):
                    skipped = (top + i) * line
                    addresses = (packed[0] + skipped, packed[1] + skipped)
                    scales = (scratch + i * size,)
                    rows = min(band, count - i)
                    column_sums(addresses, rows, width, width, (), scales, (sums,))

    return {"rms_norm": rms_norm, "rms_norm_grad": rms_norm_grad}


BLOCKS: dict[Any, Block] = {
    (name, np.dtype(real)): made
    for real in REAL_NAMES
    for name, made in (_make_layer_blocks(real) | _make_scaling_blocks(real)).items()
}
"""By kernel's name and dtype."""
