"""The choice of an algorithm, and of its blocks.

Whatever is the same for all calls of one layer is computed once: a `Plan` holds
the record of a call except for addresses.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tapegrad_kernels._compile import Block
from tapegrad_kernels._compile.launch import parallel_launcher
from tapegrad_kernels._compile.threads import most_threads
from tapegrad_kernels.cpu.convolution import record as f
from tapegrad_kernels.cpu.convolution.correlation import correlation_parts
from tapegrad_kernels.cpu.convolution.driver import (
    PARTS_OF_THREAD,
    SERIAL_PRODUCTS,
    Call,
    convolve_block,
    entries_for,
    kernel_grad_block,
)
from tapegrad_kernels.cpu.convolution.geometry import Shape, Window, make_window
from tapegrad_kernels.cpu.convolution.kernel_grad import kernel_grad_parts
from tapegrad_kernels.cpu.convolution.packing import pack_flipped, pack_forward, pack_scatter
from tapegrad_kernels.cpu.convolution.scatter import scatter_parts
from tapegrad_kernels.cpu.gemm.microkernel import Tile, tile_for
from tapegrad_kernels.cpu.gemm.table import table_address
from tapegrad_kernels.cpu.simd import ITEM_SIZE

IN_PLACE, GATHERED, SCATTERED = "in place", "gathered", "scattered"
PADDED, BY_PLACE = "padded", "by place"
"""Names of algorithms: see `correlation`, `scatter` and `plan_kernel_grad`."""

ROW_BLOCK = 504
"""Positions of a long row that are handled at a time: whole tiles of all heights."""
PATCH_BYTES = 1 << 18
"""Rows of an image that are handled at a time fill this much of the second cache."""
GATHERED_ROWS = 56
"""Positions whose windows are copied side by side at a time."""
SUMMED_POSITIONS = 256
"""Positions whose gradients are packed at a time for the gradient of the weights."""
FEW_TILES = 12
"""Tiles of rows up to which weights are read where they are."""
LOW_TILE = 0.5
"""What a tile costs for each element of depth beside its rows, in rows."""
GATHER_COST = 11.0
"""What copying an element costs, in multiplications by one vector."""
LOAD_COST = 4.0
"""What loading and storing a tile and the call cost, in elements of depth."""
GATHERED_BYTES = 1 << 18
"""Windows that are gathered at a time for the gradient of the weights."""
PADDING_COST = 2.0
"""What copying images between zeros costs, in the multiplications of a column of weights."""
SCATTER_COST = 3.0
"""What reading and writing a tile of the result and calling costs, in elements of depth."""
MOST_CUTS = 16
"""Parts of a sum over positions, where the weights are too few to share."""


class Plan(NamedTuple):
    """What the calls of one layer share."""

    window: Window
    record: np.ndarray
    """The record of a call, without what belongs to the call."""
    call: Call
    """The native entry that completes and runs it."""
    block: Block
    """Runs it when it is complete."""
    no_bias: np.ndarray
    workspace_bytes: int
    """Memory for the record, packed weights, all parts and partial sums."""


def _finish(
    window: Window,
    dtype: str,
    record: np.ndarray,
    *,
    runner: Block,
    packer: Block | None = None,
    tasks: int = 0,
    packed_bytes: int = 0,
    part_bytes: int,
    parts: int,
    partial_bytes: int = 0,
) -> Plan:
    """Write addresses and the division of the workspace into the record."""
    entries = entries_for(dtype)
    packed_bytes = _align(packed_bytes) if packer else 0
    record[f.PACKER] = packer.address if packer else 0
    record[f.TASKS] = tasks
    record[f.PACKED_BYTES] = packed_bytes
    record[f.RUNNER] = runner.address
    record[f.LAUNCHER] = parallel_launcher.address
    record[f.WORKSPACE_BYTES] = part_bytes = _align(part_bytes)
    record.flags.writeable = False
    sums = runner is kernel_grad_parts
    return Plan(
        window,
        record,
        entries.sum_kernel_grad if sums else entries.convolve,
        kernel_grad_block if sums else convolve_block,
        entries.no_bias,
        f.HEADER_BYTES + packed_bytes + parts * part_bytes + partial_bytes,
    )


def _align(count: int) -> int:
    return -(-count // 64) * 64 + 64


def _new_record(window: Window, dtype: str) -> np.ndarray:
    record = np.zeros(f.LENGTH, np.int64)
    record[f.TABLE] = table_address(dtype)
    record[f.BATCH], record[f.HEIGHT], record[f.WIDTH], _ = window.x_shape
    record[f.KERNEL_HEIGHT], record[f.KERNEL_WIDTH], record[f.DEPTH], _ = window.w_shape
    record[f.STRIDE_Y], record[f.STRIDE_X] = window.strides
    record[f.DILATION_Y], record[f.DILATION_X] = window.dilation
    record[f.PAD_TOP], record[f.PAD_LEFT] = window.pads[0][0], window.pads[1][0]
    record[f.OUT_HEIGHT], record[f.OUT_WIDTH] = window.y_shape[1:3]
    record[f.COLUMNS] = window.y_shape[3] // window.groups
    record[f.GROUPS] = window.groups
    record[f.MERGED] = window.dilation[1] == 1 and window.groups == 1
    record[f.WORK] = math.prod(window.y_shape) * math.prod(window.w_shape[:3])
    record[f.X_BLOCK] = min(int(record[f.OUT_WIDTH]), ROW_BLOCK)
    return record


def _tiles(rows: int, tile: Tile) -> int:
    return -(-rows // tile.rows)


def _row_cost(width: int, tile: Tile) -> float:
    """Cost of one position in a row of `width`, relative to that in full tiles.

    A tile needs two vectors of B for each element of depth, however low it is.
    """
    return (width + LOW_TILE * _tiles(width, tile)) / width / (1 + LOW_TILE / tile.rows)


def _correlation_costs(record: np.ndarray, tile: Tile) -> dict[str, float]:
    """Cost of a multiplication by each way to read the images, in those of full tiles."""
    panels = -(-int(record[f.COLUMNS]) // tile.columns)
    # Read in place, rows of the window above and below the image are left out.
    tops = np.arange(record[f.OUT_HEIGHT]) * record[f.STRIDE_Y] - record[f.PAD_TOP]
    rows = tops[:, None] + np.arange(record[f.KERNEL_HEIGHT]) * record[f.DILATION_Y]
    inside = float(np.mean((rows >= 0) & (rows < record[f.HEIGHT])))
    return {
        IN_PLACE: inside * _row_cost(int(record[f.X_BLOCK]), tile),
        GATHERED: 1.0 + GATHER_COST / (panels * tile.columns),
    }


def _choose(costs: dict[str, float], forced: str | None) -> str:
    return forced if forced in costs else min(costs, key=costs.__getitem__)


def _correlation_plan(
    window: Window, record: np.ndarray, dtype: str, packer: Block, algorithm: str
) -> Plan:
    """Choose strips, blocks and workspaces; the record holds the sizes."""
    tile, size = tile_for(dtype), ITEM_SIZE[dtype]
    r = [int(value) for value in record]
    span = (r[f.KERNEL_HEIGHT] - 1) * r[f.DILATION_Y] + 1
    across = (r[f.KERNEL_WIDTH] - 1) * r[f.DILATION_X] + 1
    depth = r[f.KERNEL_HEIGHT] * r[f.KERNEL_WIDTH] * r[f.DEPTH]
    pixel = r[f.DEPTH] * r[f.GROUPS] * size
    positions = r[f.BATCH] * r[f.OUT_HEIGHT] * r[f.OUT_WIDTH]
    panels = -(-r[f.COLUMNS] // tile.columns)

    row_bytes = ((r[f.X_BLOCK] - 1) * r[f.STRIDE_X] + across) * pixel
    strip = max(1, (PATCH_BYTES // row_bytes - span) // r[f.STRIDE_Y] + 1)
    strip = min(strip, r[f.OUT_HEIGHT])
    if algorithm == GATHERED:
        record[f.GATHERED], record[f.STRIP] = 1, GATHERED_ROWS
        units, part_bytes = positions, GATHERED_ROWS * depth * size
        tiles = _tiles(positions, tile)
    else:
        record[f.STRIP] = strip
        part_bytes = ((strip - 1) * r[f.STRIDE_Y] + span) * row_bytes
        blocks = -(-r[f.OUT_WIDTH] // r[f.X_BLOCK])
        units = r[f.BATCH] * r[f.OUT_HEIGHT] * blocks
        tiles = units * _tiles(r[f.X_BLOCK], tile)
    record[f.UNITS] = units
    tasks = r[f.GROUPS] * panels
    stays = packer is pack_forward and tiles <= FEW_TILES and r[f.COLUMNS] % tile.lanes == 0
    return _finish(
        window,
        dtype,
        record,
        runner=correlation_parts,
        packer=None if stays else packer,
        tasks=tasks,
        packed_bytes=tasks * depth * tile.columns * size,
        part_bytes=part_bytes,
        parts=PARTS_OF_THREAD * most_threads(),
    )


def plan_forward(window: Window, dtype: str, algorithm: str | None = None) -> Plan:
    """The plan of `conv2d`, by the cheapest algorithm or the one named."""
    record = _new_record(window, dtype)
    chosen = _choose(_correlation_costs(record, tile_for(dtype)), algorithm)
    return _correlation_plan(window, record, dtype, pack_forward, chosen)


def _flipped_record(window: Window, dtype: str) -> np.ndarray:
    """The input gradient of stride 1 as a correlation of the output's gradient."""
    record = _new_record(window, dtype)
    record[f.HEIGHT], record[f.WIDTH] = window.y_shape[1:3]
    record[f.OUT_HEIGHT], record[f.OUT_WIDTH] = window.x_shape[1:3]
    record[f.DEPTH], record[f.COLUMNS] = record[f.COLUMNS], record[f.DEPTH]
    for axis, pad in ((0, f.PAD_TOP), (1, f.PAD_LEFT)):
        reach = (window.w_shape[axis] - 1) * window.dilation[axis]
        record[pad] = reach - window.pads[axis][0]
    record[f.X_BLOCK] = min(window.x_shape[2], ROW_BLOCK)
    return record


def plan_input_grad(window: Window, dtype: str, algorithm: str | None = None) -> Plan:
    """The plan of `conv2d_input_grad`, by the cheapest algorithm or the one named.

    Correlation with flipped weights multiplies with the zeros beside the gradient's rows;
    scattering reads and writes the result once for each place of the window.
    """
    tile, size = tile_for(dtype), ITEM_SIZE[dtype]
    columns = window.y_shape[3] // window.groups
    costs = {SCATTERED: _row_cost(window.y_shape[2], tile) * (1 + SCATTER_COST / columns)}
    record = _new_record(window, dtype)
    if window.strides == (1, 1):
        flipped = _flipped_record(window, dtype)
        waste = math.prod(window.x_shape[1:3]) / math.prod(window.y_shape[1:3])
        costs |= {name: waste * c for name, c in _correlation_costs(flipped, tile).items()}
        chosen = _choose(costs, algorithm)
        if chosen != SCATTERED:
            return _correlation_plan(window, flipped, dtype, pack_flipped, chosen)
    panels = -(-int(record[f.DEPTH]) // tile.columns)
    tasks = window.groups * panels
    places = window.w_shape[0] * window.w_shape[1]
    record[f.UNITS] = window.x_shape[0] * tasks
    return _finish(
        window,
        dtype,
        record,
        runner=scatter_parts,
        packer=pack_scatter,
        tasks=tasks,
        packed_bytes=tasks * places * columns * tile.columns * size,
        part_bytes=0,
        parts=PARTS_OF_THREAD * most_threads(),
    )


def _kernel_grad_costs(window: Window, record: np.ndarray, tile: Tile) -> dict[str, float]:
    """Cost of a multiplication by each algorithm, in those of full tiles.

    Rows of the window as one run need zeros around the image. One place at a time needs none,
    but its tiles are as high as there are channels. Either way a tile is loaded and stored for
    each image, or each strip of it; windows of several images side by side sum more at a time.
    """
    depth, columns = int(record[f.DEPTH]), int(record[f.COLUMNS])
    merged = int(record[f.KERNEL_WIDTH]) * depth
    positions = math.prod(window.y_shape[1:3])
    visits = LOAD_COST / min(positions, SUMMED_POSITIONS)
    whole = int(record[f.KERNEL_HEIGHT]) * merged
    panels = -(-columns // tile.columns)
    costs = {GATHERED: _row_cost(whole, tile) + GATHER_COST / (panels * tile.columns)}
    if not record[f.MERGED]:
        costs[BY_PLACE] = _row_cost(depth, tile) + visits
    elif window.reaches_outside:
        costs[PADDED] = _row_cost(merged, tile) + visits + PADDING_COST / columns
        costs[BY_PLACE] = _row_cost(depth, tile) + visits
    else:
        costs[IN_PLACE] = _row_cost(merged, tile) + visits
    return costs


def plan_kernel_grad(window: Window, dtype: str, algorithm: str | None = None) -> Plan:
    """The plan of `conv2d_kernel_grad`, by the cheapest algorithm or the one named."""
    tile, size = tile_for(dtype), ITEM_SIZE[dtype]
    record = _new_record(window, dtype)
    r = [int(value) for value in record]
    merged = r[f.KERNEL_WIDTH] * r[f.DEPTH]
    depth = r[f.KERNEL_HEIGHT] * merged
    costs = _kernel_grad_costs(window, record, tile)
    chosen = _choose(costs, algorithm)
    record[f.GATHERED] = chosen == GATHERED
    record[f.PADDED] = chosen == PADDED
    record[f.MERGED] = chosen in (PADDED, IN_PLACE)
    rows = depth if chosen == GATHERED else merged if record[f.MERGED] else r[f.DEPTH]
    runs = depth // rows
    tiles = runs * _tiles(rows, tile) * r[f.GROUPS] * -(-r[f.COLUMNS] // tile.columns)
    block = r[f.X_BLOCK]
    strip = 1
    if block == r[f.OUT_WIDTH]:
        strip = max(1, min(SUMMED_POSITIONS // block, r[f.OUT_HEIGHT]))
    if chosen == GATHERED:
        strip, block = max(1, min(SUMMED_POSITIONS, GATHERED_BYTES // (depth * size))), 1
    record[f.STRIP] = strip
    strips = -(-r[f.OUT_HEIGHT] // strip) * -(-r[f.OUT_WIDTH] // block)
    units = r[f.BATCH] * strips
    if chosen == GATHERED:
        units = -(-r[f.BATCH] * math.prod(window.y_shape[1:3]) // strip)
    cuts = min(units, MOST_CUTS) if tiles < MOST_CUTS and r[f.WORK] >= SERIAL_PRODUCTS else 1
    record[f.REDUCTION_PARTS] = cuts
    part_bytes = strip * block * tile.columns * size
    if chosen == GATHERED:
        part_bytes += strip * depth * size
    if chosen == PADDED:
        height = (strip - 1) * r[f.STRIDE_Y] + (r[f.KERNEL_HEIGHT] - 1) * r[f.DILATION_Y] + 1
        width = (block - 1) * r[f.STRIDE_X] + r[f.KERNEL_WIDTH]
        part_bytes += height * width * r[f.DEPTH] * size
    return _finish(
        window,
        dtype,
        record,
        runner=kernel_grad_parts,
        part_bytes=part_bytes,
        parts=max(cuts, most_threads()),
        partial_bytes=_align(cuts * math.prod(window.w_shape) * size) if cuts > 1 else 0,
    )


@functools.lru_cache(maxsize=1024)
def _cached(
    planner: Callable[[Window, str], Plan], dtype: str, *arguments: Any
) -> tuple[Window, Plan | None]:
    window = make_window(*arguments)
    empty = 0 in window.y_shape or 0 in window.x_shape
    if empty or window.is_product or window.is_depthwise:
        return window, None
    return window, planner(window, dtype)


def _plan(planner: Callable[[Window, str], Plan]) -> Callable[..., tuple[Window, Plan | None]]:
    def plan(
        dtype: str,
        operation: str,
        x_shape: Shape,
        w_shape: Shape,
        strides: Any,
        padding: Any,
        dilation: Any,
        groups: int,
    ) -> tuple[Window, Plan | None]:
        """The window of a call, and its plan unless a simpler kernel does all."""
        sizes = (x_shape, w_shape, strides, padding, dilation, groups)
        try:
            return _cached(planner, dtype, operation, *sizes)
        except TypeError:  # lists have no hash
            return _cached.__wrapped__(planner, dtype, operation, *sizes)

    return plan


forward_plan = _plan(plan_forward)
input_grad_plan = _plan(plan_input_grad)
kernel_grad_plan = _plan(plan_kernel_grad)
