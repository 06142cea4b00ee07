"""Gradients by the weights: implicit gemm over positions.

For a row of the window the gradient is a transposed image times the gradient of
the output. The micro-kernel reads the image in place: what is summed over are the
positions of a row of the output (a stride apart) and, as segments, its rows.

Parts cut the weights, so that no two add to the same memory. Where there are too
few weights for that, the sum itself is cut, by its size alone, and the partial
sums are added in order.
"""

from __future__ import annotations

from tapegrad_kernels._compile import block, kernel
from tapegrad_kernels._compile.pointers import call_address, float32_at, float64_at, int64_at
from tapegrad_kernels.cpu.convolution import record as f
from tapegrad_kernels.cpu.convolution.correlation import copy_rows, first_inside, gather_window
from tapegrad_kernels.cpu.convolution.packing import panels_of
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE
from tapegrad_kernels.cpu.gemm.table import (
    ITEM_BYTES,
    MOST_ROWS,
    TILE_COLUMNS,
    TILE_LANES,
    TILE_ROWS,
)
from tapegrad_kernels.cpu.gemm.tiles import pack_copied


@kernel(inline=True)
def window_tiles(record):  # type: ignore[no-untyped-def]
    """Runs of rows of the weights' matrix, rows in a run, tiles in a run."""
    r = int64_at(record)
    if r[f.GATHERED] != 0:
        runs, rows = 1, r[f.KERNEL_HEIGHT] * r[f.KERNEL_WIDTH] * r[f.DEPTH]
    elif r[f.MERGED] != 0:
        runs, rows = r[f.KERNEL_HEIGHT], r[f.KERNEL_WIDTH] * r[f.DEPTH]
    else:
        runs, rows = r[f.KERNEL_HEIGHT] * r[f.KERNEL_WIDTH], r[f.DEPTH]
    tile_rows = int64_at(r[f.TABLE])[TILE_ROWS]
    return runs, rows, (rows + tile_rows - 1) // tile_rows


@kernel(inline=True)
def _inside(start, step, low, high, size):  # type: ignore[no-untyped-def]
    """The part of low … high in which ``0 <= start + k * step < size``."""
    first = max(low, first_inside(start, step))
    last = min(high, (size - start + step - 1) // step)
    return first, max(first, last)


@kernel(inline=True)
def _add_strip(  # type: ignore[no-untyped-def]
    record, batch, y0, rows, x0, length, first_tile, last_tile, first_panel, last_panel, target,
    stage, memory,
):  # fmt: skip
    """Add what a piece of one image's output contributes to a rectangle of the weights."""
    r = int64_at(record)
    table = r[f.TABLE]
    t = int64_at(table)
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    depth, columns = r[f.DEPTH], r[f.COLUMNS]
    channels, all_columns = r[f.GROUPS] * depth, r[f.GROUPS] * columns
    kernel_width, stride_x, stride_y = r[f.KERNEL_WIDTH], r[f.STRIDE_X], r[f.STRIDE_Y]
    out_width = r[f.OUT_WIDTH]
    panels = panels_of(columns, width)
    _, run_rows, run_tiles = window_tiles(record)
    height = run_rows // run_tiles
    taller = run_rows - height * run_tiles
    image = r[f.SOURCE] + batch * r[f.HEIGHT] * r[f.WIDTH] * channels * size
    top = y0 * stride_y - r[f.PAD_TOP]
    row_stride = r[f.WIDTH] * channels
    base = image + (top * row_stride + x0 * stride_x * channels) * size
    if r[f.PADDED] != 0:
        padded_rows = (rows - 1) * stride_y + (r[f.KERNEL_HEIGHT] - 1) * r[f.DILATION_Y] + 1
        padded_columns = (length - 1) * stride_x + kernel_width
        row_stride = padded_columns * channels
        base = memory + r[f.STRIP] * r[f.X_BLOCK] * width * size
        copy_rows(
            base, image, top, padded_rows, r[f.HEIGHT], r[f.WIDTH],
            x0 * stride_x - r[f.PAD_LEFT], padded_columns, channels * size,
        )  # fmt: skip
    for task in range(first_panel, last_panel):
        group = task // panels
        j = task % panels * width
        count = min(width, columns - j)
        place = (batch * r[f.OUT_HEIGHT] + y0) * out_width + x0
        gradient = r[f.WEIGHTS] + (place * all_columns + group * columns + j) * size
        row_length = out_width
        if all_columns != width:
            row_length = length
            if length == out_width:
                pack_copied(table, gradient, all_columns, memory, count, rows * length)
            else:  # a piece of a long row
                pack_copied(table, gradient, all_columns, memory, count, length)
            gradient = memory
        first_slot = MOST_ROWS - 1 if count > t[TILE_LANES] else -1
        for tile in range(first_tile, last_tile):
            run, number = tile // run_tiles, tile % run_tiles
            i = number * height + min(number, taller)
            tall = height + 1 if number < taller else height
            if r[f.MERGED] != 0:
                segments, positions = rows, length
                a = base + (run * r[f.DILATION_Y] * row_stride + i) * size
                b = gradient
                row = run * kernel_width * depth + i
            else:
                ky, kx = run // kernel_width, run % kernel_width
                up = ky * r[f.DILATION_Y] - r[f.PAD_TOP]
                left = kx * r[f.DILATION_X] - r[f.PAD_LEFT]
                first_y, last_y = _inside(up, stride_y, y0, y0 + rows, r[f.HEIGHT])
                first_x, last_x = _inside(left, stride_x, x0, x0 + length, r[f.WIDTH])
                segments, positions = last_y - first_y, last_x - first_x
                pixel = (first_y * stride_y + up) * r[f.WIDTH] + first_x * stride_x + left
                a = image + (pixel * channels + group * depth + i) * size
                b = gradient + ((first_y - y0) * row_length + first_x - x0) * width * size
                row = run * depth + i
            c = target + (row * all_columns + group * columns + j) * size
            call_address(
                t[first_slot + tall],
                (
                    a, stride_x * channels, b, width, c, all_columns, positions, count, stage, 0,
                    segments, stride_y * row_stride, row_length * width,
                ),
            )  # fmt: skip


@kernel(inline=True)
def _add_gathered(  # type: ignore[no-untyped-def]
    record, first, positions, first_tile, last_tile, first_panel, last_panel, target, stage, memory
):
    """Add what some positions, counted over all images, contribute to a rectangle of the weights.

    Their windows are copied side by side: maps may be so small that a tile, loaded and stored
    for each image, would have little to sum.
    """
    r = int64_at(record)
    table = r[f.TABLE]
    t = int64_at(table)
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    columns = r[f.COLUMNS]
    all_columns = r[f.GROUPS] * columns
    panels = panels_of(columns, width)
    _, rows, tiles = window_tiles(record)
    height = rows // tiles
    taller = rows - height * tiles
    windows = memory + r[f.STRIP] * width * size
    gathered = -1
    for task in range(first_panel, last_panel):
        group = task // panels
        j = task % panels * width
        count = min(width, columns - j)
        if group != gathered:
            gathered = group
            for i in range(positions):
                gather_window(record, windows + i * rows * size, first + i, group)
        gradient = r[f.WEIGHTS] + (first * all_columns + group * columns + j) * size
        if all_columns != width:
            pack_copied(table, gradient, all_columns, memory, count, positions)
            gradient = memory
        first_slot = MOST_ROWS - 1 if count > t[TILE_LANES] else -1
        for tile in range(first_tile, last_tile):
            i = tile * height + min(tile, taller)
            tall = height + 1 if tile < taller else height
            c = target + (i * all_columns + group * columns + j) * size
            call_address(
                t[first_slot + tall],
                (
                    windows + i * size, rows, gradient, width, c, all_columns,
                    positions, count, stage, 0, 1, 0, 0,
                ),
            )  # fmt: skip


@block("kernel_grad_parts")
def kernel_grad_parts(record, start, stop):  # type: ignore[no-untyped-def]
    """Parts: a range of the sum, a range of rows and one of columns of the weights' matrix.

    In the record SOURCE is x, WEIGHTS is dy and TARGET is dw.
    """
    r = int64_at(record)
    t = int64_at(r[f.TABLE])
    runs, _, run_tiles = window_tiles(record)
    tiles = runs * run_tiles
    panels = r[f.GROUPS] * panels_of(r[f.COLUMNS], t[TILE_COLUMNS])
    window = r[f.KERNEL_HEIGHT] * r[f.KERNEL_WIDTH]
    weights = window * r[f.DEPTH] * r[f.COLUMNS] * r[f.GROUPS] * t[ITEM_BYTES]
    row_parts, column_parts = r[f.ROW_PARTS], r[f.COLUMN_PARTS]
    cuts = r[f.REDUCTION_PARTS]
    strips = (r[f.OUT_HEIGHT] + r[f.STRIP] - 1) // r[f.STRIP]
    blocks = (r[f.OUT_WIDTH] + r[f.X_BLOCK] - 1) // r[f.X_BLOCK]
    units = r[f.BATCH] * strips * blocks
    positions = r[f.BATCH] * r[f.OUT_HEIGHT] * r[f.OUT_WIDTH]
    if r[f.GATHERED] != 0:
        units = (positions + r[f.STRIP] - 1) // r[f.STRIP]
    for part in range(start, stop):
        row_part = part % row_parts
        column_part = part // row_parts % column_parts
        cut = part // (row_parts * column_parts)
        target = r[f.TARGET] if cuts == 1 else r[f.PARTIALS] + cut * weights
        memory = r[f.WORKSPACE] + part * r[f.WORKSPACE_BYTES]
        first_tile, last_tile = row_part * tiles // row_parts, (row_part + 1) * tiles // row_parts
        first_panel = column_part * panels // column_parts
        last_panel = (column_part + 1) * panels // column_parts
        stage = 0
        for unit in range(cut * units // cuts, (cut + 1) * units // cuts):
            if r[f.GATHERED] != 0:
                first = unit * r[f.STRIP]
                _add_gathered(
                    record, first, min(r[f.STRIP], positions - first),
                    first_tile, last_tile, first_panel, last_panel, target, stage, memory,
                )  # fmt: skip
                stage = ACCUMULATE
                continue
            x0 = unit % blocks * r[f.X_BLOCK]
            y0 = unit // blocks % strips * r[f.STRIP]
            _add_strip(
                record,
                unit // (blocks * strips),
                y0,
                min(r[f.STRIP], r[f.OUT_HEIGHT] - y0),
                x0,
                min(r[f.X_BLOCK], r[f.OUT_WIDTH] - x0),
                first_tile,
                last_tile,
                first_panel,
                last_panel,
                target,
                stage,
                memory,
            )
            stage = ACCUMULATE


@kernel(inline=True)
def add_partials(record):  # type: ignore[no-untyped-def]
    """Add the partial sums in order."""
    r = int64_at(record)
    size = int64_at(r[f.TABLE])[ITEM_BYTES]
    window = r[f.KERNEL_HEIGHT] * r[f.KERNEL_WIDTH]
    count = window * r[f.DEPTH] * r[f.COLUMNS] * r[f.GROUPS]
    if size == 4:
        narrow, narrow_parts = float32_at(r[f.TARGET]), float32_at(r[f.PARTIALS])
        for i in range(count):
            total = narrow_parts[i]
            for cut in range(1, r[f.REDUCTION_PARTS]):
                total += narrow_parts[cut * count + i]
            narrow[i] = total
    else:
        wide, wide_parts = float64_at(r[f.TARGET]), float64_at(r[f.PARTIALS])
        for i in range(count):
            sum_ = wide_parts[i]
            for cut in range(1, r[f.REDUCTION_PARTS]):
                sum_ += wide_parts[cut * count + i]
            wide[i] = sum_
