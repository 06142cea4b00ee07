"""Kernels that normalize columns: batch and group normalization, channels last.

The array is taken as `samples` matrices of `height` rows and `width` columns. Batch
normalization is one sample whose columns each are a group; group normalization has several
samples. Narrow arrays are folded: k rows of C channels make one row of k·C columns, so that
vectors are full, and columns of the same channel meet when the sums are combined. What is
left over of the last row is a row of `tail` columns.

The work has three stages: sums by task and column, statistics by sample and group, and one
pass that writes the result as an affine function of each element, with coefficients by
column. Sums of squares are taken about the first row of a short tile and merged in float64
(T. F. Chan, G. H. Golub and R. J. LeVeque, *Algorithms for Computing the Sample Variance*,
Am. Stat. 37, 1983), which is accurate whatever the mean is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block, kernel
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu._vector_loops import column_loop

TILE_ROWS = 64
"""Rows whose sums of squares share an origin. Where the first row is far from all others, the
variance loses as much as 5e-5 of itself in float32, and 1e-13 in float64."""
NARROW = 128
"""Columns up to which many rows are passed at once, with sums and coefficients in registers.
Of longer rows that would be a strip here and a strip there, while memory is quickest in order:
they are passed one at a time."""

# Places in the record of all blocks.
X, Y, DY, DX, PARTIAL, SCRATCH, COEFFICIENTS, MEAN, VARIANCE, GAMMA, BETA, SUMS = range(12)
HEIGHT, WIDTH, TAIL, TASK_ROWS, TASKS, CHANNELS, GROUPS, EPSILON = range(12, 20)
# Gradients by what each channel has, of given statistics.
D_GAMMA, D_BETA, D_MEAN, D_VARIANCE = range(20, 24)


def _moments(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    d = w.builder.fsub(inputs[0], parameters[0])
    return [w.builder.fadd(sums[0], d), w.multiply_add(d, d, sums[1])], None


def _affine(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    origin, scale, shift = parameters
    return [], w.multiply_add(w.builder.fsub(inputs[0], origin), scale, shift)


def _gradient_sums(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    dy, x = inputs
    d = w.builder.fsub(x, parameters[0])
    return [
        w.builder.fadd(sums[0], dy),
        w.multiply_add(dy, d, sums[1]),
        w.builder.fadd(sums[2], d),
    ], None


def _gradient(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
    dy, x = inputs
    origin, scale, shift, slope = parameters
    sloped = w.multiply_add(w.builder.fsub(x, origin), slope, shift)
    return [], w.multiply_add(dy, scale, sloped)


def _make_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    narrow: Any = np.dtype(real).type
    size = np.dtype(real).itemsize
    column_moments = column_loop(real, _moments, inputs=1, parameters=1, sums=2)
    column_affine = column_loop(real, _affine, inputs=1, parameters=3, writes=True)
    column_sums = column_loop(real, _gradient_sums, inputs=2, parameters=1, sums=3)
    column_gradient = column_loop(real, _gradient, inputs=2, parameters=4, writes=True)

    @kernel(inline=True)
    def clear(address, count):  # type: ignore[no-untyped-def]
        for j in range(count):
            at(address)[j] = narrow(0.0)

    @kernel(inline=True)
    def extent(packed, task):  # type: ignore[no-untyped-def]
        # Sample of a task, its first row, the row after its last whole one, and the columns of
        # the row that is left over.
        sample = task // packed[TASKS]
        part = task - sample * packed[TASKS]
        top = part * packed[TASK_ROWS]
        bottom = min(top + packed[TASK_ROWS], packed[HEIGHT])
        tail = packed[TAIL] if part == packed[TASKS] - 1 else 0
        return sample, top, bottom, tail

    @kernel(inline=True)
    def next_band(packed, row, bottom, end):  # type: ignore[no-untyped-def]
        # Rows and columns of what is passed at once from a row on.
        if row >= bottom:
            return 1, packed[TAIL]
        width = packed[WIDTH]
        band = TILE_ROWS if width <= NARROW else 1
        return min(band, min(bottom, end) - row), width

    @kernel(inline=True)
    def offset_of(packed, sample, row):  # type: ignore[no-untyped-def]
        per_sample = packed[HEIGHT] * packed[WIDTH] + packed[TAIL]
        return (sample * per_sample + row * packed[WIDTH]) * size

    @kernel(inline=True)
    def join(mean, squares, other, other_squares, columns, before, count):  # type: ignore[no-untyped-def]
        # Add the moments of `count` rows to those of the `before` rows above them.
        weight = count / max(before + count, 1)
        cross = before * weight
        for j in range(columns):
            distance = other[j] - mean[j]
            mean[j] += distance * weight
            squares[j] += other_squares[j] + distance * distance * cross

    @kernel(inline=True)
    def join_tile(x, sums, partial, width, columns, before, count):  # type: ignore[no-untyped-def]
        # The same for a tile whose sums are about the row at x.
        origin, first, second = at(x), at(sums), at(sums + width * size)
        mean, squares = float64_at(partial), float64_at(partial + 8 * width)
        share = 1.0 / count
        weight = count / (before + count)
        cross = before * weight
        for j in range(columns):
            rest = first[j] * share
            distance = origin[j] + rest - mean[j]
            mean[j] += distance * weight
            squares[j] += second[j] - first[j] * rest + distance * distance * cross

    @block(f"column_moments.{real}")
    def moments(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        width = packed[WIDTH]
        band = TILE_ROWS if width <= NARROW else 1
        for task in range(start, stop):
            sample, top, bottom, tail = extent(packed, task)
            partial = packed[PARTIAL] + 16 * task * width
            sums = packed[SCRATCH] + 3 * task * width * size
            for j in range(2 * width):
                float64_at(partial)[j] = 0.0
            row = top
            while row < bottom + (1 if tail else 0):
                # A tile of whole rows, or the row that is left over.
                count = min(TILE_ROWS, bottom - row) if row < bottom else 1
                columns = width if row < bottom else tail
                x = packed[X] + offset_of(packed, sample, row)
                clear(sums, 2 * width)
                totals = (sums, sums + width * size)
                for first in range(0, count, band):
                    here = (x + first * width * size,)
                    rows = min(band, count - first)
                    column_moments(here, rows, columns, width, (x,), (), totals)
                join_tile(x, sums, partial, width, columns, row - top, count)
                row += count

    @block(f"column_statistics.{real}")
    def statistics(record, start, stop):  # type: ignore[no-untyped-def]
        # Mean and variance of each group, and from them the coefficients of the columns.
        packed = int64_at(record)
        width, channels, tasks, tail = packed[WIDTH], packed[CHANNELS], packed[TASKS], packed[TAIL]
        height, task_rows = packed[HEIGHT], packed[TASK_ROWS]
        groups, epsilon = packed[GROUPS], float64_at(record)[EPSILON]
        across = channels // groups
        gamma, beta = at(packed[GAMMA]), at(packed[BETA])
        for sample in range(start, stop):
            first = packed[PARTIAL] + 16 * sample * tasks * width
            mean, squares = float64_at(first), float64_at(first + 8 * width)
            for part in range(1, tasks):
                before = part * task_rows
                count = min(task_rows, height - before)
                # The columns of the row that is left over have one row more in the last part.
                more = tail if part == tasks - 1 else 0
                for left, right in ((0, more), (more, width)):
                    here = first + 8 * left
                    there = here + 16 * part * width
                    join(
                        float64_at(here),
                        float64_at(here + 8 * width),
                        float64_at(there),
                        float64_at(there + 8 * width),
                        right - left,
                        before,
                        count + (1 if right == more else 0),
                    )
            sums = float64_at(packed[SUMS] + 24 * sample * channels)
            origin = at(packed[COEFFICIENTS] + 4 * sample * width * size)
            for group in range(3 * groups):
                sums[group] = 0.0
            for j in range(width):
                group = j % channels // across
                count = height + (1 if j < tail else 0)
                sums[group] += count
                sums[groups + group] += count * mean[j]
            for group in range(groups):
                sums[groups + group] /= sums[group]
            for j in range(width):
                group = j % channels // across
                count = height + (1 if j < tail else 0)
                distance = mean[j] - sums[groups + group]
                if count:
                    sums[2 * groups + group] += squares[j] + count * distance * distance
            for group in range(groups):
                variance = sums[2 * groups + group] / sums[group]
                if variance < 0.0:  # a rounding error of equal numbers
                    variance = 0.0
                at(packed[MEAN])[sample * groups + group] = narrow(sums[groups + group])
                at(packed[VARIANCE])[sample * groups + group] = narrow(variance)
                sums[2 * groups + group] = 1.0 / math.sqrt(variance + epsilon)
            for j in range(width):
                channel = j % channels
                group = channel // across
                exact = sums[groups + group]
                scale = gamma[channel] * sums[2 * groups + group]
                origin[j] = narrow(exact)
                origin[width + j] = narrow(scale)
                origin[2 * width + j] = narrow(beta[channel] - (exact - narrow(exact)) * scale)

    @block(f"column_affine.{real}")
    def affine(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        width = packed[WIDTH]
        for task in range(start, stop):
            sample, top, bottom, tail = extent(packed, task)
            origin = packed[COEFFICIENTS] + 4 * sample * width * size
            parameters = (origin, origin + width * size, origin + 2 * width * size)
            end = bottom + (1 if tail else 0)
            row = top
            while row < end:
                rows, columns = next_band(packed, row, bottom, end)
                here = offset_of(packed, sample, row)
                pair = (packed[X] + here, packed[Y] + here)
                column_affine(pair, rows, columns, width, parameters, (), ())
                row += rows

    @block(f"column_gradient_sums.{real}")
    def gradient_sums(record, start, stop):  # type: ignore[no-untyped-def]
        # For each column the sums of dy, of dy (x - mean) and of x - mean.
        packed = int64_at(record)
        width, groups = packed[WIDTH], packed[GROUPS]
        across = packed[CHANNELS] // groups
        for task in range(start, stop):
            sample, top, bottom, tail = extent(packed, task)
            partial = float64_at(packed[PARTIAL] + 24 * task * width)
            sums = packed[SCRATCH] + 4 * task * width * size
            line = width * size
            totals = (sums, sums + line, sums + 2 * line)
            mean = sums + 3 * line
            for j in range(width):
                group = j % packed[CHANNELS] // across
                at(mean)[j] = at(packed[MEAN])[sample * groups + group]
            for j in range(3 * width):
                partial[j] = 0.0
            end = bottom + (1 if tail else 0)
            row = top
            while row < end:
                # So many rows are added in the array's own type.
                stop_row = min(row + 4 * TILE_ROWS, end)
                clear(sums, 3 * width)
                while row < stop_row:
                    rows, columns = next_band(packed, row, bottom, stop_row)
                    here = offset_of(packed, sample, row)
                    pair = (packed[DY] + here, packed[X] + here)
                    column_sums(pair, rows, columns, width, (mean,), (), totals)
                    row += rows
                for j in range(3 * width):
                    partial[j] += at(sums)[j]

    @block(f"column_slopes.{real}")
    def slopes(record, start, stop):  # type: ignore[no-untyped-def]
        # From the sums: each sample's gradients by the parameters, and the coefficients of dx.
        packed = int64_at(record)
        width, channels, tasks = packed[WIDTH], packed[CHANNELS], packed[TASKS]
        groups, epsilon = packed[GROUPS], float64_at(record)[EPSILON]
        across = channels // groups
        gamma = at(packed[GAMMA])
        share = 1.0 / ((packed[HEIGHT] * width + packed[TAIL]) // groups)
        for sample in range(start, stop):
            partial = float64_at(packed[PARTIAL] + 24 * sample * tasks * width)
            sums = float64_at(packed[SUMS] + 24 * sample * channels)
            origin = at(packed[COEFFICIENTS] + 4 * sample * width * size)
            for j in range(3 * channels):
                sums[j] = 0.0
            for part in range(1, tasks):
                first = 3 * part * width
                for j in range(3 * width):
                    partial[j] += partial[first + j]
            for kind in range(3):
                for j in range(width):
                    sums[kind * channels + j % channels] += partial[kind * width + j]
            for group in range(groups):
                place = sample * groups + group
                scale = 1.0 / math.sqrt(at(packed[VARIANCE])[place] + epsilon)
                rest, s_t, s_td = 0.0, 0.0, 0.0
                for channel in range(group * across, (group + 1) * across):
                    s_t += gamma[channel] * sums[channel]
                    s_td += gamma[channel] * sums[channels + channel]
                    rest += sums[2 * channels + channel]
                rest *= share
                slope = -(s_td - rest * s_t) * share * scale * scale * scale
                shift = -s_t * share * scale - rest * slope
                for channel in range(group * across, (group + 1) * across):
                    sums[channels + channel] -= rest * sums[channel]
                    sums[channels + channel] *= scale
                    for j in range(channel, width, channels):
                        origin[j] = at(packed[MEAN])[place]
                        origin[width + j] = narrow(gamma[channel] * scale)
                        origin[2 * width + j] = narrow(shift)
                        origin[3 * width + j] = narrow(slope)

    @block(f"column_gradient.{real}")
    def gradient(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        width = packed[WIDTH]
        line = width * size
        for task in range(start, stop):
            sample, top, bottom, tail = extent(packed, task)
            origin = packed[COEFFICIENTS] + 4 * sample * line
            parameters = (origin, origin + line, origin + 2 * line, origin + 3 * line)
            end = bottom + (1 if tail else 0)
            row = top
            while row < end:
                rows, columns = next_band(packed, row, bottom, end)
                here = offset_of(packed, sample, row)
                places = (packed[DY] + here, packed[X] + here, packed[DX] + here)
                column_gradient(places, rows, columns, width, parameters, (), ())
                row += rows

    return {
        "moments": moments,
        **_make_given_blocks(real),
        "statistics": statistics,
        "affine": affine,
        "gradient_sums": gradient_sums,
        "slopes": slopes,
        "gradient": gradient,
    }


def _make_given_blocks(real: str) -> dict[str, Block]:
    """The middle stages for given statistics, of one sample whose channels are its groups."""
    at = POINTER_TO[real]
    narrow: Any = np.dtype(real).type

    @block(f"column_given.{real}")
    def given(record, start, stop):  # type: ignore[no-untyped-def]
        # The coefficients of the columns.
        packed = int64_at(record)
        width, channels, epsilon = packed[WIDTH], packed[CHANNELS], float64_at(record)[EPSILON]
        gamma, beta = at(packed[GAMMA]), at(packed[BETA])
        origin = at(packed[COEFFICIENTS])
        for j in range(width):
            channel = j % channels
            scale = 1.0 / math.sqrt(at(packed[VARIANCE])[channel] + epsilon)
            origin[j] = at(packed[MEAN])[channel]
            origin[width + j] = narrow(gamma[channel] * scale)
            origin[2 * width + j] = beta[channel]

    @block(f"column_given_slopes.{real}")
    def given_slopes(record, start, stop):  # type: ignore[no-untyped-def]
        # From the sums: the gradients by parameters and statistics, and the coefficients of dx,
        # an affine function of dy.
        packed = int64_at(record)
        width, channels, epsilon = packed[WIDTH], packed[CHANNELS], float64_at(record)[EPSILON]
        origin = at(packed[COEFFICIENTS])
        sums = float64_at(packed[SUMS])
        for j in range(2 * channels):
            sums[j] = 0.0
        for part in range(packed[TASKS]):
            partial = float64_at(packed[PARTIAL] + 24 * part * width)
            for j in range(width):
                sums[j % channels] += partial[j]
                sums[channels + j % channels] += partial[width + j]
        for channel in range(channels):
            scale = 1.0 / math.sqrt(at(packed[VARIANCE])[channel] + epsilon)
            slope = at(packed[GAMMA])[channel] * scale
            total, product = sums[channel], sums[channels + channel]
            at(packed[D_GAMMA])[channel] = narrow(product * scale)
            at(packed[D_BETA])[channel] = narrow(total)
            at(packed[D_MEAN])[channel] = narrow(-slope * total)
            at(packed[D_VARIANCE])[channel] = narrow(-0.5 * slope * scale * scale * product)
            for j in range(channel, width, channels):
                origin[j] = narrow(0.0)
                origin[width + j] = narrow(slope)
                origin[2 * width + j] = narrow(0.0)

    return {"given": given, "given_slopes": given_slopes}


BLOCKS: dict[Any, Block] = {
    (name, np.dtype(real)): made for real in REAL_NAMES for name, made in _make_blocks(real).items()
}
"""By name of the stage and dtype."""
