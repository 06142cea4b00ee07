"""Convolution as a product without its matrix (implicit gemm).

A row of the output is a product whose left matrix is the image itself: the
window's row at the next position starts a stride further on, so with the stride
as leading dimension the micro-kernel reads it in place; the rows of the window
are its segments. No matrix of windows (im2col) is written.

Where rows of the output are so short that tiles would be low, windows of some
positions are copied side by side instead, a block that stays in the first caches.
Either way an element is one chain of multiply-adds in the order (ky, kx, c).
"""

from __future__ import annotations

from tapegrad_kernels._compile import block, kernel
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu._memory import clear_bytes, copy_bytes
from tapegrad_kernels.cpu.convolution import record as f
from tapegrad_kernels.cpu.convolution.packing import panels_of
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE
from tapegrad_kernels.cpu.gemm.table import ITEM_BYTES, TILE_COLUMNS
from tapegrad_kernels.cpu.gemm.tiles import ADJACENT_DEPTH, multiply_tiles


@kernel(inline=True)
def first_inside(start, step):  # type: ignore[no-untyped-def]
    """Smallest k >= 0 with ``start + k * step >= 0``."""
    return 0 if start >= 0 else (step - 1 - start) // step


@kernel(inline=True)
def copy_rows(  # type: ignore[no-untyped-def]
    target, source, first_row, rows, height, width, left, columns, pixel
):
    """Copy rows and columns of an image, with zeros for what lies outside of it.

    Row and column of the first pixel are `first_row` and `left`; `pixel` counts bytes.
    """
    before = max(0, -left)
    after = max(0, left + columns - width)
    inside = columns - before - after
    for row in range(first_row, first_row + rows):
        if row < 0 or row >= height or inside <= 0:
            clear_bytes(target, columns * pixel)
        else:
            clear_bytes(target, before * pixel)
            middle = target + before * pixel
            copy_bytes(middle, source + (row * width + left + before) * pixel, inside * pixel)
            clear_bytes(middle + inside * pixel, after * pixel)
        target += columns * pixel


@kernel(inline=True)
def _multiply_rows(record, batch, y0, rows, x0, x1, workspace):  # type: ignore[no-untyped-def]
    """Output rows from y0 on of one image, columns x0 to x1."""
    r = int64_at(record)
    table = r[f.TABLE]
    t = int64_at(table)
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    groups, depth, columns = r[f.GROUPS], r[f.DEPTH], r[f.COLUMNS]
    kernel_height, kernel_width = r[f.KERNEL_HEIGHT], r[f.KERNEL_WIDTH]
    dilation_y, dilation_x = r[f.DILATION_Y], r[f.DILATION_X]
    stride_y, height = r[f.STRIDE_Y], r[f.HEIGHT]
    channels = groups * depth
    all_columns = groups * columns
    window_row = kernel_width * depth

    left = x0 * r[f.STRIDE_X] - r[f.PAD_LEFT]
    right = (x1 - 1) * r[f.STRIDE_X] - r[f.PAD_LEFT] + (kernel_width - 1) * dilation_x + 1
    image = r[f.SOURCE] + batch * height * r[f.WIDTH] * channels * size
    if left >= 0 and right <= r[f.WIDTH]:
        origin = 0
        row_stride = r[f.WIDTH] * channels
        base = image + left * channels * size
    else:
        top = y0 * stride_y - r[f.PAD_TOP]
        origin = max(0, top)
        bottom = top + (rows - 1) * stride_y + (kernel_height - 1) * dilation_y + 1
        bottom = min(bottom, height)
        row_stride = (right - left) * channels
        base = workspace
        copy_rows(
            workspace, image, origin, bottom - origin, height, r[f.WIDTH],
            left, right - left, channels * size,
        )  # fmt: skip
    step = r[f.STRIDE_X] * channels
    panels = panels_of(columns, width)
    for task in range(groups * panels):
        group = task // panels
        j = task % panels * width
        count = min(width, columns - j)
        if r[f.PACKED] != 0:
            panel = r[f.PACKED] + task * kernel_height * window_row * width * size
            ldb = width
        else:
            panel = r[f.WEIGHTS] + (group * columns + j) * size
            ldb = all_columns
        bias = r[f.BIAS] + (group * columns + j) * size
        for y in range(y0, y0 + rows):
            top = y * stride_y - r[f.PAD_TOP]
            first = min(first_inside(top, dilation_y), kernel_height)
            last = kernel_height
            if top + (kernel_height - 1) * dilation_y >= height:
                last = max(first, min(kernel_height, (height - top + dilation_y - 1) // dilation_y))
            a = base + ((top + first * dilation_y - origin) * row_stride + group * depth) * size
            b = panel + first * window_row * ldb * size
            place = (batch * r[f.OUT_HEIGHT] + y) * r[f.OUT_WIDTH] + x0
            c = r[f.TARGET] + (place * all_columns + group * columns + j) * size
            if r[f.MERGED] != 0 or last - first <= 0:
                multiply_tiles(
                    table, ADJACENT_DEPTH, x1 - x0, step, a, step, b, ldb, c, all_columns,
                    window_row, count, r[f.FLAGS], bias,
                    last - first, dilation_y * row_stride, window_row * ldb,
                )  # fmt: skip
            else:
                for ky in range(first, last):
                    # Only the last row of the window knows the whole sum.
                    flags = r[f.FLAGS] if ky == last - 1 else 0
                    if ky > first:
                        flags |= ACCUMULATE
                    multiply_tiles(
                        table, ADJACENT_DEPTH, x1 - x0, step, a, step, b, ldb, c, all_columns,
                        depth, count, flags, bias,
                        kernel_width, dilation_x * channels, depth * ldb,
                    )  # fmt: skip
                    a += dilation_y * row_stride * size
                    b += window_row * ldb * size


@kernel(inline=True)
def gather_window(record, target, position, group):  # type: ignore[no-untyped-def]
    """Copy the window at an output position: (ky, kx, c) in one run."""
    r = int64_at(record)
    size = int64_at(r[f.TABLE])[ITEM_BYTES]
    depth = r[f.DEPTH]
    channels = r[f.GROUPS] * depth
    out_width = r[f.OUT_WIDTH]
    x = position % out_width
    row = position // out_width
    y = row % r[f.OUT_HEIGHT]
    batch = row // r[f.OUT_HEIGHT]
    top = y * r[f.STRIDE_Y] - r[f.PAD_TOP]
    left = x * r[f.STRIDE_X] - r[f.PAD_LEFT]
    image = r[f.SOURCE] + batch * r[f.HEIGHT] * r[f.WIDTH] * channels * size
    run = depth * size
    width = r[f.KERNEL_WIDTH]
    inside = left >= 0 and left + (width - 1) * r[f.DILATION_X] < r[f.WIDTH]
    for ky in range(r[f.KERNEL_HEIGHT]):
        image_y = top + ky * r[f.DILATION_Y]
        if image_y < 0 or image_y >= r[f.HEIGHT]:
            clear_bytes(target, width * run)
            target += width * run
            continue
        source = image + ((image_y * r[f.WIDTH] + left) * channels + group * depth) * size
        if inside and r[f.MERGED] != 0:
            copy_bytes(target, source, width * run)
            target += width * run
            continue
        for kx in range(width):
            image_x = left + kx * r[f.DILATION_X]
            if image_x < 0 or image_x >= r[f.WIDTH]:
                clear_bytes(target, run)
            else:
                copy_bytes(target, source + kx * r[f.DILATION_X] * channels * size, run)
            target += run


@kernel(inline=True)
def _multiply_gathered(record, start, stop, workspace):  # type: ignore[no-untyped-def]
    """Output positions from `start` to `stop`, counted over all images."""
    r = int64_at(record)
    table = r[f.TABLE]
    t = int64_at(table)
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    groups, columns = r[f.GROUPS], r[f.COLUMNS]
    all_columns = groups * columns
    depth = r[f.KERNEL_HEIGHT] * r[f.KERNEL_WIDTH] * r[f.DEPTH]
    panels = panels_of(columns, width)
    for first in range(start, stop, r[f.STRIP]):
        rows = min(r[f.STRIP], stop - first)
        for group in range(groups):
            for i in range(rows):
                gather_window(record, workspace + i * depth * size, first + i, group)
            for panel in range(panels):
                j = panel * width
                if r[f.PACKED] != 0:
                    b = r[f.PACKED] + (group * panels + panel) * depth * width * size
                    ldb = width
                else:
                    b = r[f.WEIGHTS] + (group * columns + j) * size
                    ldb = all_columns
                place = first * all_columns + group * columns + j
                multiply_tiles(
                    table, ADJACENT_DEPTH, rows, depth, workspace, depth, b, ldb,
                    r[f.TARGET] + place * size, all_columns, depth, min(width, columns - j),
                    r[f.FLAGS], r[f.BIAS] + (group * columns + j) * size, 1, 0, 0,
                )  # fmt: skip


@block("correlation_parts")
def correlation_parts(record, start, stop):  # type: ignore[no-untyped-def]
    """Parts of the output, each with a workspace of its own.

    A part is a range of rows (or, where windows are gathered, of positions), counted over
    all images. Long rows are themselves cut.
    """
    r = int64_at(record)
    out_height, out_width = r[f.OUT_HEIGHT], r[f.OUT_WIDTH]
    for part in range(start, stop):
        workspace = r[f.WORKSPACE] + part * r[f.WORKSPACE_BYTES]
        if r[f.GATHERED] != 0:
            units = r[f.BATCH] * out_height * out_width
            first, last = part * units // r[f.PARTS], (part + 1) * units // r[f.PARTS]
            _multiply_gathered(record, first, last, workspace)
            continue
        blocks = (out_width + r[f.X_BLOCK] - 1) // r[f.X_BLOCK]
        units = r[f.BATCH] * out_height * blocks
        unit, last = part * units // r[f.PARTS], (part + 1) * units // r[f.PARTS]
        while unit < last:
            row = unit // blocks
            batch, y = row // out_height, row % out_height
            rows, x0, x1 = 1, 0, out_width
            if blocks == 1:
                rows = min(r[f.STRIP], min(last - unit, out_height - y))
            else:
                x0 = unit % blocks * r[f.X_BLOCK]
                x1 = min(x0 + r[f.X_BLOCK], out_width)
            _multiply_rows(record, batch, y, rows, x0, x1, workspace)
            unit += rows
