"""Weights in the order in which the micro-kernels read them.

A panel holds, for each element of the window and each channel summed over, the
weights of one tile's columns side by side. A task packs one panel of one group.
"""

from __future__ import annotations

from tapegrad_kernels._compile import block, kernel
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu.convolution import record as f
from tapegrad_kernels.cpu.gemm.table import ITEM_BYTES, TILE_COLUMNS
from tapegrad_kernels.cpu.gemm.tiles import pack_copied, pack_transposed


@kernel(inline=True)
def panels_of(columns, width):  # type: ignore[no-untyped-def]
    """Panels that hold so many columns."""
    return (columns + width - 1) // width


@block("convolution_pack_forward")
def pack_forward(record, start, stop):  # type: ignore[no-untyped-def]
    """``panel[ky, kx, c, j] = w[ky, kx, c, j]``: the depth is the window's and c."""
    r = int64_at(record)
    t = int64_at(r[f.TABLE])
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    panels = panels_of(r[f.COLUMNS], width)
    depth = r[f.KERNEL_HEIGHT] * r[f.KERNEL_WIDTH] * r[f.DEPTH]
    all_columns = r[f.GROUPS] * r[f.COLUMNS]
    for task in range(start, stop):
        group, panel = task // panels, task % panels
        j = panel * width
        source = r[f.WEIGHTS] + (group * r[f.COLUMNS] + j) * size
        target = r[f.PACKED] + task * depth * width * size
        columns = min(width, r[f.COLUMNS] - j)
        pack_copied(r[f.TABLE], source, all_columns, target, columns, depth)


@block("convolution_pack_flipped")
def pack_flipped(record, start, stop):  # type: ignore[no-untyped-def]
    """``panel[ky, kx, o, j] = w[-ky, -kx, j, o]``, for input gradients of stride 1.

    In the record the source is the gradient of the output: its depth are w's columns.
    """
    r = int64_at(record)
    t = int64_at(r[f.TABLE])
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    panels = panels_of(r[f.COLUMNS], width)
    window = r[f.KERNEL_HEIGHT] * r[f.KERNEL_WIDTH]
    depth = r[f.DEPTH]
    row = r[f.GROUPS] * depth  # elements in a row of w
    for task in range(start, stop):
        group, panel = task // panels, task % panels
        j = panel * width
        columns = min(width, r[f.COLUMNS] - j)
        target = r[f.PACKED] + task * window * depth * width * size
        for place in range(window):
            first = (window - 1 - place) * r[f.COLUMNS] + j
            source = r[f.WEIGHTS] + (first * row + group * depth) * size
            pack_transposed(r[f.TABLE], source, row, target, columns, depth)
            target += depth * width * size


@block("convolution_pack_scatter")
def pack_scatter(record, start, stop):  # type: ignore[no-untyped-def]
    """``panel[ky, kx, o, j] = w[ky, kx, j, o]``, for input gradients of any stride.

    In the record the sizes are those of the forward pass: w's depth are the panel's columns.
    """
    r = int64_at(record)
    t = int64_at(r[f.TABLE])
    width, size = t[TILE_COLUMNS], t[ITEM_BYTES]
    panels = panels_of(r[f.DEPTH], width)
    window = r[f.KERNEL_HEIGHT] * r[f.KERNEL_WIDTH]
    depth = r[f.COLUMNS]
    row = r[f.GROUPS] * depth
    for task in range(start, stop):
        group, panel = task // panels, task % panels
        j = panel * width
        columns = min(width, r[f.DEPTH] - j)
        target = r[f.PACKED] + task * window * depth * width * size
        for place in range(window):
            source = r[f.WEIGHTS] + ((place * r[f.DEPTH] + j) * row + group * depth) * size
            pack_transposed(r[f.TABLE], source, row, target, columns, depth)
            target += depth * width * size
