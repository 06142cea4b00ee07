"""Gradients by the input at any stride: tiles added where they belong.

For a place (ky, kx) of the window, the gradients of a row of the output times the
weights of that place are gradients of pixels one stride apart. The micro-kernel
adds such a tile right where it belongs, with the stride as leading dimension of
its result: no matrix of windows, no zeros between pixels, no multiplication more
than the forward pass has.
"""

from __future__ import annotations

from tapegrad_kernels._compile import block, kernel
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu._memory import clear_bytes
from tapegrad_kernels.cpu.convolution import record as f
from tapegrad_kernels.cpu.convolution.correlation import first_inside
from tapegrad_kernels.cpu.convolution.packing import panels_of
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE
from tapegrad_kernels.cpu.gemm.table import ITEM_BYTES, TILE_COLUMNS
from tapegrad_kernels.cpu.gemm.tiles import ADJACENT_DEPTH, multiply_tiles


@kernel(inline=True)
def _scatter_image(record, batch, task):  # type: ignore[no-untyped-def]
    """One panel of channels of one image; in the record SOURCE is dy and TARGET is dx."""
    r = int64_at(record)
    table = r[f.TABLE]
    t = int64_at(table)
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    depth, columns = r[f.DEPTH], r[f.COLUMNS]
    channels, all_columns = r[f.GROUPS] * depth, r[f.GROUPS] * columns
    height, image_width = r[f.HEIGHT], r[f.WIDTH]
    kernel_height, kernel_width = r[f.KERNEL_HEIGHT], r[f.KERNEL_WIDTH]
    stride_x = r[f.STRIDE_X]
    panels = panels_of(depth, width)
    group = task // panels
    j = task % panels * width
    count = min(width, depth - j)
    channel = group * depth + j
    image = r[f.TARGET] + batch * height * image_width * channels * size
    if count == channels:
        clear_bytes(image, height * image_width * channels * size)
    else:
        for pixel in range(height * image_width):
            clear_bytes(image + (pixel * channels + channel) * size, count * size)
    panel = r[f.PACKED] + task * kernel_height * kernel_width * columns * width * size
    for y in range(r[f.OUT_HEIGHT]):
        row = r[f.SOURCE] + (batch * r[f.OUT_HEIGHT] + y) * r[f.OUT_WIDTH] * all_columns * size
        row += group * columns * size
        for ky in range(kernel_height):
            image_y = y * r[f.STRIDE_Y] - r[f.PAD_TOP] + ky * r[f.DILATION_Y]
            if image_y < 0 or image_y >= height:
                continue
            for kx in range(kernel_width):
                left = kx * r[f.DILATION_X] - r[f.PAD_LEFT]
                first = first_inside(left, stride_x)
                last = min(r[f.OUT_WIDTH], (image_width - left + stride_x - 1) // stride_x)
                if last <= first:
                    continue
                pixel = image_y * image_width + first * stride_x + left
                multiply_tiles(
                    table, ADJACENT_DEPTH, last - first, all_columns,
                    row + first * all_columns * size, all_columns,
                    panel + (ky * kernel_width + kx) * columns * width * size, width,
                    image + (pixel * channels + channel) * size, stride_x * channels,
                    columns, count, ACCUMULATE, 0, 1, 0, 0,
                )  # fmt: skip


@block("scatter_parts")
def scatter_parts(record, start, stop):  # type: ignore[no-untyped-def]
    """Parts of the images' gradient: ranges of panels of channels, counted over all images."""
    r = int64_at(record)
    width = int64_at(r[f.TABLE])[TILE_COLUMNS]
    tasks = r[f.GROUPS] * panels_of(r[f.DEPTH], width)
    units = r[f.BATCH] * tasks
    for part in range(start, stop):
        for unit in range(part * units // r[f.PARTS], (part + 1) * units // r[f.PARTS]):
            _scatter_image(record, unit // tasks, unit % tasks)
