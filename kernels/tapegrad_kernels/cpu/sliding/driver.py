"""Moves windows over images and calls the strips, on all threads.

The driver knows addresses and distances in bytes, no dtype: one compiled worker
serves all kinds of windows in float32 and float64. Its unit of work is a block of
rows of one image and a block of channels.
"""

from __future__ import annotations

import functools
from array import array
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from tapegrad_kernels._compile import Block, block, features, kernel
from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import call_address, int64_at
from tapegrad_kernels.cpu.simd import INT32, INT64, ITEM_SIZE, POINTER, VOID, int64
from tapegrad_kernels.cpu.sliding.plan import FIELDS, Plan
from tapegrad_kernels.cpu.sliding.strips import (
    DENSE,
    LARGEST,
    PICK,
    ROUTE,
    SUM,
    WEIGHT,
    build_strip,
)

Array = NDArray[Any]

_WIDTHS: dict[tuple[int, bool], tuple[int, ...]] = {
    (kind, True): (1, 3, 8) for kind in (WEIGHT, SUM, *DENSE.values())
}
_WIDTHS |= {(kind, True): (1, 4) for kind in (LARGEST, ROUTE, PICK)}
_WIDTHS |= {(kind, False): (1,) for kind in (LARGEST, ROUTE, PICK)}
"""Outputs of the strips there are, by kind and whether positions are narrow: as many as fit in
the registers, and few, for each takes long to compile."""
_SLOTS = 3
"""Strips of a kind at most; a slot of the table has the number of outputs and the address."""


def _table_function(dtype: str) -> Callable[[], int]:
    def generate_table(typing_context: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            module = builder.module
            lanes = features.vector_bits() // (8 * ITEM_SIZE[dtype])
            entries = []
            single: Any = None
            for (kind, narrow), widths in _WIDTHS.items():
                for width in widths:
                    # A single window shares nothing: the general strip does it as well.
                    if width > 1 or kind not in DENSE.values():
                        strip = build_strip(module, kind, dtype, lanes, width, narrow)
                    else:
                        strip = single
                    if (kind, width) == (WEIGHT, 1):
                        single = strip
                    entries += [int64(width), strip.ptrtoint(INT64)]
                entries += [int64(0)] * (2 * (_SLOTS - len(widths)))
            array_type = ir.ArrayType(INT64, len(entries))
            table: Any = ir.GlobalVariable(module, array_type, f"strip_table_{dtype}")
            table.linkage = "internal"
            table.global_constant = True
            table.initializer = ir.Constant(array_type, entries)
            return builder.ptrtoint(table, INT64)

        return types.int64(), generate

    table: Callable[[], int] = intrinsic(generate_table)

    @kernel(name=f"strip_table.{dtype}")
    def strip_table():  # type: ignore[no-untyped-def]
        return table()

    return strip_table


_owners: list[Any] = []  # Numba unloads the code of a function that is collected


@functools.cache
def _tables(dtype: str) -> int:
    function = _table_function(dtype)
    _owners.append(function)
    return int(function())


@functools.cache
def strips_of(kind: int, dtype: np.dtype[Any], narrow: bool) -> tuple[int, int]:
    """Address of the table of strips of a kind, and the slot of its widest."""
    place = list(_WIDTHS).index((kind, narrow))
    return _tables(dtype.name) + 16 * _SLOTS * place, len(_WIDTHS[kind, narrow]) - 1


@intrinsic
def touch(typing_context: Any, place: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """Load an int32 for no use but to have its cache line at hand."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = builder.load(builder.inttoptr(arguments[0], POINTER), typ=INT32, align=4)
        # An empty instruction that takes the value: the load would be deleted otherwise.
        builder.asm(ir.FunctionType(VOID, [INT32]), "", "r", [value], True)
        return context.get_dummy_value()

    return types.void(types.int64), generate


@kernel(inline=True)
def clip(plan, u):  # type: ignore[no-untyped-def]
    """The taps of output u that are inside the source: the first, and one past the last."""
    start = u * plan[1] + plan[2]
    step, taps = plan[3], plan[4]
    low, high = 0, taps
    if start < 0:
        low = min(taps, (step - 1 - start) // step)
    if start + (taps - 1) * step >= plan[9]:
        high = max(low, (plan[9] - 1 - start) // step + 1)
    return low, high


SOURCE, OUTPUT, ROW_BLOCKS, POSITIONS, WORDS = 3, 10, 20, 24, 28
"""Words of the record of `windows_block`: addresses, and units of work in an image; its length."""


@block("windows")
def windows_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Run the units from `start` up to `stop` of `run_windows`."""
    r = int64_at(record)
    inner_table, edge_table, widest = int64_at(r[0]), int64_at(r[1]), r[2]
    source, a_image, a_line, a_column = r[3], r[4], r[5], r[6]
    b, b_line, b_column = r[7], r[8], r[9]
    output, y_image, y_line, y_column = r[10], r[11], r[12], r[13]
    row_plans, row_phases, column_plans, column_phases = r[14], r[15], r[16], r[17]
    height, row_block, row_blocks, channels = r[18], r[19], r[20], r[21]
    flags, bias, positions, follows_source, shift, touched = (
        r[22],
        r[23],
        r[24],
        r[25],
        r[26],
        r[27],
    )
    for unit in range(start, stop):
        image = unit // row_blocks
        first_row = (unit - image * row_blocks) * row_block
        for row in range(first_row, min(first_row + row_block, height)):
            u = row // row_phases
            plan = int64_at(row_plans + (row - u * row_phases) * 8 * FIELDS)
            tap_low, tap_high = clip(plan, u)
            rows = tap_high - tap_low
            a_row, b_row = plan[3] * a_line, plan[6] * b_line
            a_of_row = image * a_image + (u * plan[1] + plan[2]) * a_line + tap_low * a_row
            b_of_row = b + plan[5] * b_line + tap_low * b_row
            y_of_row = image * y_image + row * y_line
            # Strips jump from column to column, which no prefetcher follows: the rows that this
            # one adds to the window are brought in beforehand, in order.
            known = max(0, rows - max(1, plan[1] // plan[3]))
            for tap in range(known, rows):
                added = source + a_of_row + tap * a_row
                for line in range(0, touched, 64):
                    touch(added + line)
            for phase in range(column_phases):
                plan = int64_at(column_plans + phase * 8 * FIELDS)
                step, offset, outputs, low, high = plan[1], plan[2], plan[0], plan[7], plan[8]
                a_tap, b_tap = plan[3] * a_column, plan[6] * b_column
                b_first = b_of_row + plan[5] * b_column
                u = 0
                while u < outputs:
                    if low <= u < high:
                        tap_low, tap_high = 0, plan[4]
                        slot, table = widest, inner_table
                        while u + table[2 * slot] > high:
                            slot -= 1
                    else:
                        tap_low, tap_high = clip(plan, u)
                        slot, table = 0, edge_table
                    a = a_of_row + (u * step + offset) * a_column + tap_low * a_tap
                    y = y_of_row + (u * column_phases + phase) * y_column
                    p = positions + ((a if follows_source else y) >> shift)
                    call_address(
                        table[2 * slot + 1],
                        (
                            source + a, step * a_column, a_row, a_tap,
                            b_first + tap_low * b_tap, b_row, b_tap,
                            output + y, column_phases * y_column,
                            rows, tap_high - tap_low, channels, flags, bias, p,
                        ),
                    )  # fmt: skip
                    u += table[2 * slot]


@kernel
def _launch(worker, record, count, chunk, chunker, launcher):  # type: ignore[no-untyped-def]
    run_chunks(worker, record, count, chunk, chunker, launcher)


_launchers: list[int] = []


def run_units(worker: Block, record: array[int], count: int, chunk: int) -> None:
    """Run a block of this package over its units, `chunk` of them at a time."""
    if not _launchers:
        _launchers.extend((chunk_block.address, parallel_launcher.address))
    _launch(worker.address, record.buffer_info()[0], count, chunk, *_launchers)


def address(data: Array | None) -> int:
    """Address of the first element, 0 for None."""
    return 0 if data is None else data.__array_interface__["data"][0]


class Described(Protocol):
    """What an array says of itself; also one that has no address yet."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from element to element along each axis."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        ...

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        ...


UNIT = 1 << 15
"""Taps times channels that are worth the time of a thread."""
_JUMP = 256
"""Bytes from column to column above which prefetchers lose the track."""
_LARGE = 1 << 22
"""Bytes of a source that is far away by the time it is needed."""


def bytes_to_touch(source: Described) -> int:
    """Bytes of a row that are better brought into the cache before strips visit it, or 0."""
    if source.nbytes < _LARGE or source.strides[2] < _JUMP:
        return 0
    return (source.shape[2] - 1) * source.strides[2] + source.shape[3] * source.itemsize


def window_words(
    kind: int,
    source: Described,
    output: Described,
    row_plan: Plan,
    column_plan: Plan,
    window: tuple[int, int],
    *,
    weights: Described | None = None,
    positions: Described | None = None,
    bias: Described | None = None,
    flags: int = 0,
    place: Callable[[Any], Any] = address,
) -> tuple[tuple[Any, ...], int, int]:
    """What `run_windows` does, in numbers; it has the other arguments.

    Parameters
    ----------
    place : callable
        Makes a word of the record from an array, or from None.

    Returns
    -------
    words : tuple
        The record of `windows_block`.
    count, chunk : int
        Units of work, and how many a thread takes at a time.
    """
    images, height, width, channels = output.shape
    row_phases, column_phases = row_plan.phases, column_plan.phases
    taps = -(-window[0] * window[1] // (row_phases * column_phases))
    work = width * channels * taps
    row_block = max(1, min(height, UNIT // work))
    row_blocks = -(-height // row_block)
    number_bytes = 1 if positions is None else positions.itemsize
    narrow = number_bytes == 1
    edge_table, widest = strips_of(kind, output.dtype, narrow)
    inner_table = edge_table
    if kind == WEIGHT and column_plan.dense in DENSE:
        inner_table, _ = strips_of(DENSE[column_plan.dense], output.dtype, narrow)
    words = (
        inner_table, edge_table, widest,
        place(source), *source.strides[:3],
        # Without weights, the number of a tap takes the place of their address.
        place(weights), *((window[1], 1) if weights is None else weights.strides[:2]),
        place(output), *output.strides[:3],
        row_plan.address, row_phases, column_plan.address, column_phases,
        height, row_block, row_blocks, channels,
        flags, place(bias),
        place(positions), kind == ROUTE,
        (output.itemsize // number_bytes).bit_length() - 1,
        bytes_to_touch(source),
    )  # fmt: skip
    return words, images * row_blocks, max(1, UNIT // (row_block * work))


def run_windows(
    kind: int,
    source: Array,
    output: Array,
    row_plan: Plan,
    column_plan: Plan,
    window: tuple[int, int],
    *,
    weights: Array | None = None,
    positions: Array | None = None,
    bias: Array | None = None,
    flags: int = 0,
) -> None:
    """Fill `output` from `source`, both of shape (images, height, width, channels).

    Parameters
    ----------
    kind : int
        What a tap does, see `strips`.
    source : ndarray
        Channels must be adjacent in memory; the other strides are free, but if `positions`
        belong to it it is C-contiguous.
    output : ndarray
        C-contiguous.
    row_plan, column_plan : Plan
        From `plan`.
    window : (height, width)
        Size of the window, by which taps are numbered.
    weights : ndarray, shape (height, width, channels), optional
        C-contiguous.
    positions : ndarray of uint8 or int32, optional
        C-contiguous, of the shape of the source for ROUTE and of the output otherwise.
    bias : ndarray, shape (channels,), optional
        Contiguous.
    flags : int
        See `strips`.
    """
    if not output.size:
        return
    words, count, chunk = window_words(
        kind, source, output, row_plan, column_plan, window,
        weights=weights, positions=positions, bias=bias, flags=flags,
    )  # fmt: skip
    run_units(windows_block, array("q", words), count, chunk)
