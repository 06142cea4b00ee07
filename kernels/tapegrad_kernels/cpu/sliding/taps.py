"""For each tap of a window, a sum over all windows: the gradient of depthwise weights.

Strips of outputs in one row are read with up to 3 × 3 taps at a time, whose sums
stay in registers: an output is loaded once and a source once for each tap.

A task takes a part of the rows and has sums of its own; the parts depend on the
size alone, and are added in their order.
"""

from __future__ import annotations

import functools
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from tapegrad_kernels._compile import block, features, kernel
from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels._compile.pointers import call_address, int64_at
from tapegrad_kernels.cpu.simd import INT64, ITEM_SIZE, POINTER, VOID, VectorWriter, int64
from tapegrad_kernels.cpu.sliding.driver import (
    UNIT,
    Described,
    address,
    bytes_to_touch,
    clip,
    run_units,
    touch,
)
from tapegrad_kernels.cpu.sliding.plan import Plan
from tapegrad_kernels.cpu.sliding.terms import add_terms

Array = NDArray[Any]

_GROUP = 3
"""Most rows, and most columns, of taps whose sums are in registers together."""
_STRIP_ARGUMENTS = 11
"""(x, x_step, x_row, x_column, g, g_step, sums, sums_row, sums_column, outputs, channels):
addresses, distances in bytes, and numbers."""
_TOGETHER = 4
"""Outputs that share the sources they load, where taps are adjacent and steps at most 2."""
_MOST_PARTS = 16
"""Parts of the rows, each with sums of its own."""
_PART = 8
"""Units of work that outweigh the sums of a part."""
SUMS = 9
"""Word of the record of `taps_block` for the address of the sums."""


def _build_strip(
    module: Any, dtype: str, lanes: int, rows: int, columns: int, step: int = 0
) -> Any:
    """Emit the strip that adds to the sums of `rows` by `columns` taps.

    With a `step` from window to window, taps are adjacent, and several outputs are taken
    together, whose windows share columns.
    """
    name = f"taps_{dtype}_{rows}x{columns}x{lanes}_{step}"
    function = ir.Function(module, ir.FunctionType(VOID, [INT64] * _STRIP_ARGUMENTS), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    writer = VectorWriter(module, builder, dtype, lanes)
    x, x_step, x_row, x_column, g, g_step, sums, s_row, s_column, outputs, channels = function.args
    grid = [(i, j) for i in range(rows) for j in range(columns)]

    def places(row: Any, column: Any) -> list[Any]:
        return [
            builder.add(builder.mul(row, int64(i)), builder.mul(column, int64(j))) for i, j in grid
        ]

    x_places, s_places = places(x_row, x_column), places(s_row, s_column)

    def vector(pointers: list[Any], mask: Any) -> None:
        def read(pointer: Any) -> Any:
            return writer.load(pointer) if mask is None else writer.load_masked(pointer, mask)

        def output(state: list[Any]) -> list[Any]:
            x, g, *values = state
            gradient = read(g)
            values = [
                writer.multiply_add(read(writer.at(x, place)), gradient, value)
                for place, value in zip(x_places, values, strict=True)
            ]
            return [writer.at(x, x_step), writer.at(g, g_step), *values]

        def together(state: list[Any]) -> list[Any]:
            x, g, *values = state
            gradients = [read(writer.at(g, step)) for step in g_steps]
            for i in range(rows):
                row = writer.at(x, builder.mul(x_row, int64(i)))
                for column in range((_TOGETHER - 1) * step + columns):
                    source = read(writer.at(row, builder.mul(x_column, int64(column))))
                    for j in range(columns):
                        t, between = divmod(column - j, step)
                        if not between and 0 <= t < _TOGETHER:
                            k = i * columns + j
                            values[k] = writer.multiply_add(source, gradients[t], values[k])
            several = int64(_TOGETHER)
            x = writer.at(x, builder.mul(x_step, several))
            return [x, writer.at(g, builder.mul(g_step, several)), *values]

        x, g, s = pointers
        state = [x, g, *(read(writer.at(s, place)) for place in s_places)]
        left = outputs
        if step:
            g_steps = [builder.mul(g_step, int64(t)) for t in range(_TOGETHER)]
            groups = builder.sdiv(outputs, int64(_TOGETHER))
            state = writer.loop(groups, state, together, "together")
            left = builder.srem(outputs, int64(_TOGETHER))
        values = writer.loop(left, state, output, "output")[2:]
        for place, value in zip(s_places, values, strict=True):
            pointer = writer.at(s, place)
            if mask is None:
                writer.store(value, pointer)
            else:
                writer.store_masked(value, pointer, mask)

    def whole(state: list[Any]) -> list[Any]:
        vector(state, None)
        return [writer.at(pointer, lanes * writer.size) for pointer in state]

    pointers = [builder.inttoptr(start, POINTER) for start in (x, g, sums)]
    pointers = writer.loop(builder.sdiv(channels, int64(lanes)), pointers, whole, "channels")
    rest = builder.srem(channels, int64(lanes))

    def last(values: Any) -> list[Any]:
        vector(pointers, writer.lanes_below(rest))
        return []

    writer.when(builder.icmp_signed(">", rest, int64(0)), [], last, "rest")
    builder.ret_void()
    return function


def _table_function(dtype: str) -> Callable[[], int]:
    def generate_table(typing_context: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            module = builder.module
            lanes = features.vector_bits() // (8 * ITEM_SIZE[dtype])
            sizes = range(1, _GROUP + 1)
            strips = [
                _build_strip(module, dtype, lanes, rows, columns)
                for rows in sizes
                for columns in sizes
            ]
            strips += [
                _build_strip(module, dtype, lanes, rows, _GROUP, step)
                for step in (1, 2)
                for rows in sizes
            ]
            array_type = ir.ArrayType(INT64, len(strips))
            table: Any = ir.GlobalVariable(module, array_type, f"taps_table_{dtype}")
            table.linkage = "internal"
            table.global_constant = True
            table.initializer = ir.Constant(array_type, [s.ptrtoint(INT64) for s in strips])
            return builder.ptrtoint(table, INT64)

        return types.int64(), generate

    table: Callable[[], int] = intrinsic(generate_table)

    @kernel(name=f"taps_table.{dtype}")
    def taps_table():  # type: ignore[no-untyped-def]
        return table()

    return taps_table


_owners: list[Any] = []  # Numba unloads the code of a function that is collected


@functools.cache
def _table(dtype: np.dtype[Any]) -> int:
    function = _table_function(dtype.name)
    _owners.append(function)
    return int(function())


@block("taps")
def taps_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Run the parts from `start` up to `stop` of `run_taps`."""
    r = int64_at(record)
    table = int64_at(r[0])
    x, x_image, x_line, x_column = r[1], r[2], r[3], r[4]
    g, g_image, g_line, g_column = r[5], r[6], r[7], r[8]
    sums, s_part, s_line, s_column = r[9], r[10], r[11], r[12]
    row_plan, plan = int64_at(r[13]), int64_at(r[14])
    height, all_rows, part_rows, channels = r[15], r[16], r[17], r[18]
    touched, touched_g = r[19], r[20]
    step, offset, tap_step, outputs, low, high = (
        plan[1],
        plan[2],
        plan[3],
        plan[0],
        plan[7],
        plan[8],
    )
    for part in range(start, stop):
        for row in range(part * part_rows, min((part + 1) * part_rows, all_rows)):
            image = row // height
            v = row - image * height
            row_low, row_high = clip(row_plan, v)
            line = image * x_image + (v * row_plan[1] + row_plan[2]) * x_line
            x_row = row_plan[3] * x_line
            if row_high > row_low:
                added = x + line + (row_high - 1) * x_row  # see `windows_block`
                for place in range(0, touched, 64):
                    touch(added + place)
                for place in range(0, touched_g, 64):
                    touch(g + image * g_image + v * g_line + place)
            u = 0
            while u < outputs:
                count = 1
                column_low, column_high = 0, plan[4]
                if low <= u < high:
                    count = high - u
                else:
                    column_low, column_high = clip(plan, u)
                i = row_low
                while i < row_high:
                    tall = min(3, row_high - i)
                    first = x + line + i * x_row + (u * step + offset) * x_column
                    j = column_low
                    while j < column_high:
                        wide = min(3, column_high - j)
                        slot = (tall - 1) * 3 + wide - 1
                        if wide == 3 and tap_step == 1 and step <= 2:
                            slot = 5 + 3 * step + tall
                        call_address(
                            table[slot],
                            (
                                first + j * tap_step * x_column,
                                step * x_column, x_row, tap_step * x_column,
                                g + image * g_image + v * g_line + u * g_column, g_column,
                                sums + part * s_part + i * s_line + j * s_column,
                                s_line, s_column, count, channels,
                            ),
                        )  # fmt: skip
                        j += wide
                    i += tall
                u += count


def taps_words(
    x: Described,
    g: Described,
    row_plan: Plan,
    column_plan: Plan,
    window: tuple[int, int],
    place: Callable[[Any], Any] = address,
) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """What `run_taps` does, in numbers.

    Returns
    -------
    words : tuple
        The record of `taps_block`, with 0 in `SUMS` for the address of the sums.
    shape : tuple of int
        Of the sums, zeros at first: one for each part, tap and channel.
    """
    images, height, width, channels = g.shape
    all_rows = images * height
    work = width * channels * window[0] * window[1]
    part_rows = max(-(-all_rows // _MOST_PARTS), -(-_PART * UNIT // work))
    parts = -(-all_rows // part_rows)
    column = channels * g.itemsize
    words = (
        _table(g.dtype),
        place(x), *x.strides[:3],
        place(g), *g.strides[:3],
        0, window[0] * window[1] * column, window[1] * column, column,
        row_plan.address, column_plan.address,
        height, all_rows, part_rows, channels,
        bytes_to_touch(x), bytes_to_touch(g),
    )  # fmt: skip
    return words, (parts, *window, channels)


def run_taps(
    x: Array, g: Array, row_plan: Plan, column_plan: Plan, window: tuple[int, int]
) -> Array:
    """``sum(x under tap (i, j) * g)`` over all windows, for each tap and channel.

    Parameters
    ----------
    x : ndarray, shape (images, rows, columns, channels)
        The source. Channels must be adjacent in memory; the other strides are free.
    g : ndarray, shape (images, height, width, channels)
        One number for each window and channel, in memory as `x`.
    row_plan, column_plan : Plan
        Of `plan.forward_plan`.
    window : (height, width)
        Size of the window.

    Returns
    -------
    ndarray, shape (*window, channels)
    """
    if not g.size:
        return np.zeros((*window, g.shape[3]), g.dtype)
    words, shape = taps_words(x, g, row_plan, column_plan, window)
    sums = np.zeros(shape, g.dtype)
    record = array("q", words)
    record[SUMS] = address(sums)
    run_units(taps_block, record, shape[0], 1)
    if shape[0] == 1:
        return sums[0]
    total = np.empty(shape[1:], g.dtype)
    add_terms(sums, total, shape[0], 1, total.size)
    return total
