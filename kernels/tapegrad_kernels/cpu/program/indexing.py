"""Rows and elements by index, segments, counts, and one-hot rows."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, int64_at
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64
from tapegrad_kernels.cpu._memory import copy_bytes
from tapegrad_kernels.cpu.indexing import along_axis, rows
from tapegrad_kernels.cpu.indexing._call import CHUNK
from tapegrad_kernels.cpu.program.axes import (
    axis_from_0,
    checked_indices,
    inverse,
    order_with_last,
    transposed,
)
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import fill
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand
from tapegrad_kernels.cpu.shaping import only_rows, selects_once

_REALS = (FLOAT32, FLOAT64)


def as_operand(b: Builder, value: Any) -> Operand:
    """An argument as an operand; numbers and lists become constants."""
    return value if isinstance(value, Operand) else b.constant(np.asarray(value))


def _real(out: Operand) -> np.dtype[Any]:
    if out.dtype not in _REALS:
        raise NotNative(f"indexing in {out.dtype}")
    return out.dtype


# ---- rows ------------------------------------------------------------------------------------


@block("take_rows")
def _take_rows(record, start, stop):  # type: ignore[no-untyped-def]
    """Copy rows of any size in bytes."""
    packed = int64_at(record)
    indices, length = int64_at(packed[1]), packed[3]
    for i in range(start, stop):
        copy_bytes(packed[2] + i * length, packed[0] + indices[i] * length, length)


def add_taken_rows(b: Builder, table: Operand, indices: Operand, out: Operand) -> None:
    """Rows of a program that copy rows of a table; both and the indices are contiguous."""
    if not out.size:
        return
    width = out.size // indices.size
    chunk = max(1, CHUNK // width)
    if out.dtype in _REALS:
        made, length = rows.block_of("gather", out.dtype), width
    else:
        made, length = _take_rows, width * out.itemsize
    b.run(made, table, indices, out, length, count=indices.size, chunk=chunk)


@lowers("gather")
def _lower_gather(b: Builder, out: Operand, table: Operand, indices: Any) -> None:
    if not table.ndim or table.dtype.kind not in "biufc" or out.dtype != table.dtype:
        raise NotNative("gather of this table")
    chosen = checked_indices(b, as_operand(b, indices), table.shape[0])
    if out.size:
        add_taken_rows(b, b.contiguous(table), chosen, out)


def _add_combined(
    b: Builder, name: str, x: Operand, indices: Operand, out: Operand, empty: float
) -> None:
    """As `rows.combine_rows`, into a result that is filled first."""
    if out.size:
        fill(b, out, empty)
    if not x.size:
        return
    made, width = rows.block_of(name, x.dtype), x.size // indices.size
    if width < rows.WIDE or x.size <= CHUNK:
        b.call(made, x, indices, out, indices, indices.size, width, 0)
        return
    order = b.temporary((rows.PARTS + 1 + indices.size,), np.int64)
    b.call(rows.sort_into_parts, indices, order, indices.size, rows.shift_of(out.shape[0]))
    b.run(made, x, indices, out, order, indices.size, width, 1, count=rows.PARTS, chunk=1)


@lowers("scatter_add")
def _lower_scatter_add(b: Builder, out: Operand, g: Any, indices: Any, *, rows: int) -> None:
    real = _real(out)
    g, indices = as_operand(b, g), as_operand(b, indices)
    if g.shape[: indices.ndim] != indices.shape or rows < 0:
        raise NotNative("rows that do not fit")
    chosen = checked_indices(b, indices, rows)
    _add_combined(b, "add", b.contiguous(g, real), chosen, out, 0.0)


def _lower_segments(
    name: str, empty: float, b: Builder, out: Operand, x: Any, segment_ids: Any, num_segments: int
) -> None:
    real = _real(out)
    x, ids = as_operand(b, x), as_operand(b, segment_ids)
    if ids.ndim != 1 or not x.ndim or x.shape[0] != ids.shape[0] or num_segments < 0:
        raise NotNative("segments that do not fit")
    chosen = checked_indices(b, ids, num_segments)
    _add_combined(b, name, b.contiguous(x, real), chosen, out, empty)


@lowers("segment_sum")
def _lower_segment_sum(
    b: Builder, out: Operand, x: Any, segment_ids: Any, *, num_segments: int
) -> None:
    _lower_segments("add", 0.0, b, out, x, segment_ids, num_segments)


@lowers("segment_max")
def _lower_segment_max(
    b: Builder, out: Operand, x: Any, segment_ids: Any, *, num_segments: int
) -> None:
    _lower_segments("max", -np.inf, b, out, x, segment_ids, num_segments)


@lowers("segment_min")
def _lower_segment_min(
    b: Builder, out: Operand, x: Any, segment_ids: Any, *, num_segments: int
) -> None:
    _lower_segments("min", np.inf, b, out, x, segment_ids, num_segments)


@lowers("segment_prod")
def _lower_segment_prod(
    b: Builder, out: Operand, x: Any, segment_ids: Any, *, num_segments: int
) -> None:
    _lower_segments("prod", 1.0, b, out, x, segment_ids, num_segments)


@block("bincount")
def _count(record, start, stop):  # type: ignore[no-untyped-def]
    packed = int64_at(record)
    indices, counts = int64_at(packed[0]), int64_at(packed[1])
    for i in range(start, stop):
        counts[indices[i]] += 1


@lowers("bincount")
def _lower_bincount(b: Builder, out: Operand, indices: Any, *, length: int) -> None:
    chosen = checked_indices(b, as_operand(b, indices), length)
    if out.size:
        fill(b, out, 0)
    b.call(_count, chosen, out, stop=chosen.size)


# ---- index expressions -----------------------------------------------------------------------


def _view_at(target: Operand, index: Any) -> Operand:
    """The view of an operand at an index of numbers, slices, new axes and an ellipsis."""
    memory = np.empty(1, target.dtype)
    whole = np.lib.stride_tricks.as_strided(memory, target.shape, target.strides, writeable=False)
    parts = index if isinstance(index, tuple) else (index,)
    if not any(part is Ellipsis for part in parts):
        parts = (*parts, Ellipsis)  # without it, a number for each axis gives an element's copy
    part = whole[parts]
    offset = part.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    return target.view(part.shape, part.strides, offset if part.size else 0)


def _broadcast_to(b: Builder, g: Operand, shape: tuple[int, ...]) -> Operand:
    if g.shape == shape:
        return b.contiguous(g)
    spread = b.temporary(shape, g.dtype)
    b.copy(g, spread)
    return spread


def _varies(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, Operand) for part in parts)


def _is_basic(index: Any) -> bool:
    """Whether an index selects a view: no arrays, lists or truth values in it."""
    parts = index if isinstance(index, tuple) else (index,)
    return not any(isinstance(part, np.ndarray | list | bool | np.bool_) for part in parts)


@lowers("getitem")
def _lower_getitem(b: Builder, out: Operand, x: Operand, *, index: Any) -> None:
    if _varies(index):
        raise NotNative("an index that varies")
    if not out.size:
        return
    if _is_basic(index):
        b.copy(_view_at(x, index), out)
        return
    rows_of_x = only_rows(index)
    if rows_of_x is not None:
        places = np.arange(x.shape[0])[rows_of_x]
    else:
        places = np.arange(x.size).reshape(x.shape)[index]
    add_taken_rows(b, b.contiguous(x), b.constant(places.reshape(-1)), out)


@lowers("index_add")
def _lower_index_add(b: Builder, out: Operand, g: Any, *, index: Any, shape: Any) -> None:
    if _varies(index):
        raise NotNative("an index that varies")
    g = as_operand(b, g)
    if _is_basic(index):
        if out.size:
            fill(b, out, 0)
        b.copy(g, _view_at(out, index))
        return
    if g.dtype not in _REALS or g.dtype != out.dtype:
        raise NotNative(f"index_add of {g.dtype}")
    picked = only_rows(index)
    if picked is not None and out.ndim:
        chosen = np.arange(out.shape[0])[picked]
        values = _broadcast_to(b, g, picked.shape + out.shape[1:])
        _add_combined(b, "add", values, b.constant(chosen.reshape(-1)), out, 0.0)
        return
    places = np.arange(out.size).reshape(out.shape)[index]
    values = _broadcast_to(b, g, places.shape).flat()
    if not selects_once(index):
        _add_combined(b, "add", values, b.constant(places.reshape(-1)), out.flat(), 0.0)
        return
    # Each element of the result comes from one of g, or from a zero behind them.
    table = b.temporary((values.size + 1,), g.dtype)
    b.copy(values, table.view((values.size,)))
    fill(b, table.view((1,), offset=values.nbytes), 0)
    sources = np.full(out.size, values.size)
    sources[places.reshape(-1)] = np.arange(values.size)
    add_taken_rows(b, table, b.constant(sources), out)


# ---- elements along an axis --------------------------------------------------------------------


def _picked(
    b: Builder, x: Operand, indices: Operand, axis: int, length: int
) -> tuple[Operand, int, list[int]]:
    """Checked indices with their axis at the end, the axis, and the order that brought it there."""
    axis = axis_from_0(axis, x.ndim)
    lead, other = list(x.shape), list(indices.shape)
    if indices.ndim == x.ndim:
        lead[axis] = other[axis] = 0
    if lead != other:
        raise NotNative("indices that do not fit")
    order = order_with_last(axis, x.ndim)
    if indices.dtype.kind not in "iu":
        raise NotNative(f"indices of {indices.dtype}")
    return checked_indices(b, transposed(indices, order), length), axis, order


@lowers("gather_along_axis")
def _lower_gather_along_axis(b: Builder, out: Operand, x: Any, indices: Any, *, axis: int) -> None:
    real = _real(out)
    x = as_operand(b, x)
    picked, axis, order = _picked(b, x, as_operand(b, indices), axis, x.shape[axis])
    if not out.size:
        return
    each, length = out.shape[axis], x.shape[axis]
    table = b.contiguous(transposed(x, order), real)
    last = axis == out.ndim - 1
    y = out if last else b.temporary(picked.shape, real)
    made = along_axis.block_of("gather", real)
    b.run(made, table, picked, y, length, each, count=out.size // each, chunk=CHUNK // each)
    if not last:
        b.copy(transposed(y, inverse(order)), out)


@lowers("scatter_along_axis")
def _lower_scatter_along_axis(
    b: Builder, out: Operand, g: Any, indices: Any, *, axis: int, length: int
) -> None:
    real = _real(out)
    g, indices = as_operand(b, g), as_operand(b, indices)
    if g.shape != indices.shape:
        raise NotNative("indices that do not fit")
    picked, axis, order = _picked(b, g, indices, axis, length)
    if not out.size:
        return
    last = axis == out.ndim - 1
    y = out if last else b.temporary((*picked.shape[:-1], length), real)
    fill(b, y, 0)
    if g.size:
        each = picked.shape[-1]
        values = b.contiguous(transposed(g, order), real)
        made = along_axis.block_of("scatter", real)
        b.run(made, values, picked, y, length, each, count=g.size // each, chunk=CHUNK // each)
    if not last:
        b.copy(transposed(y, inverse(order)), out)


# ---- one-hot rows ------------------------------------------------------------------------------


@functools.cache
def _whole_numbers(real: str) -> Block:
    """Numbers as integers, -1 for what is none."""
    at = POINTER_TO[real]

    @block(f"whole_numbers.{real}")
    def convert(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y = at(packed[0]), int64_at(packed[1])
        for i in range(start, stop):
            value = float(x[i])
            whole = abs(value) < 9e18 and value == math.floor(value)
            y[i] = np.int64(value) if whole else -1

    return convert


@lowers("one_hot")
def _lower_one_hot(b: Builder, out: Operand, labels: Any, *, depth: int, dtype: Any) -> None:
    x = as_operand(b, labels)
    if depth < 0 or x.dtype.kind not in "biuf" or out.dtype.kind not in "biuf":
        raise NotNative(f"one_hot of {x.dtype} in {out.dtype}")
    if not out.size:
        return
    if x.dtype.kind == "f":
        real = FLOAT32 if x.dtype == FLOAT32 else FLOAT64
        chosen = b.temporary(x.shape, np.int64)
        words = (b.contiguous(x, real), chosen)
        b.run(_whole_numbers(real.name), *words, count=x.size, chunk=CHUNK)
    else:
        chosen = b.contiguous(x, np.int64)
    y = out if out.dtype in _REALS else b.temporary(out.shape, FLOAT32)
    fill(b, y, 0)
    made = along_axis.block_of("one_hot", y.dtype)
    b.run(made, chosen, y, depth, count=chosen.size, chunk=CHUNK)
    if y is not out:
        b.copy(y, out)


@on_warmup("program indexing")
def _warm() -> None:
    _take_rows.address  # noqa: B018
    _count.address  # noqa: B018
    for real in _REALS:
        _whole_numbers(real.name).address  # noqa: B018
