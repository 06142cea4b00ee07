"""Sorting: order, sorted values, the largest few."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64
from tapegrad_kernels.cpu.indexing import along_axis, ordering
from tapegrad_kernels.cpu.indexing._call import CHUNK
from tapegrad_kernels.cpu.program.axes import (
    axis_from_0,
    inverse,
    order_with_last,
    transposed,
)
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand


def _add_argsort(b: Builder, rows: Operand, order: Operand, descending: bool) -> None:
    """The order of each row of contiguous real numbers."""
    if not rows.size:
        return
    length = rows.shape[-1]
    count = rows.size // length
    each = max(1, CHUNK // length)
    keys = b.temporary((rows.size,), np.int64)
    make_keys = ordering.block_of("keys", rows.dtype)
    b.run(make_keys, rows, keys, int(descending), count=rows.size, chunk=CHUNK)
    work = b.temporary((-(-count // each) * ordering.spare_length(length),), np.int64)
    words = (keys, order, work, length, ordering.digits_of(rows.dtype), each)
    b.run(ordering.argsort_block, *words, count=count, chunk=each)


def _add_taken(b: Builder, rows: Operand, places: Operand, out: Operand) -> None:
    """Elements of each row at places along it."""
    if out.size:
        made, each = along_axis.block_of("gather", rows.dtype), places.shape[-1]
        words = (rows, places, out, rows.shape[-1], each)
        b.run(made, *words, count=out.size // each, chunk=CHUNK // each)


def _rows(
    b: Builder, x: Operand, axis: int | None, real: np.dtype[Any]
) -> tuple[Operand, list[int], bool]:
    """Contiguous rows along the axis, the order of axes that made it the last, whether it was."""
    if axis is None:
        x, axis = b.contiguous(x).flat(), 0
    axis = axis_from_0(axis, x.ndim)
    order = order_with_last(axis, x.ndim)
    return b.contiguous(transposed(x, order), real), order, axis == x.ndim - 1


def _add_back(b: Builder, result: Operand, order: list[int], out: Operand) -> None:
    if result is not out:
        b.copy(transposed(result, inverse(order)), out)


@lowers("argsort")
def _lower_argsort(
    b: Builder, out: Operand, x: Operand, *, axis: int | None = -1, descending: bool = False
) -> None:
    if x.dtype not in (FLOAT32, FLOAT64):
        raise NotNative(f"argsort of {x.dtype}")
    rows, order, last = _rows(b, x, axis, x.dtype)
    places = out if last else b.temporary(rows.shape, np.int64)
    _add_argsort(b, rows, places, descending)
    _add_back(b, places, order, out)


@lowers("sort")
def _lower_sort(
    b: Builder, out: Operand, x: Operand, *, axis: int | None = -1, descending: bool = False
) -> None:
    if x.dtype not in (FLOAT32, FLOAT64):
        raise NotNative(f"sort of {x.dtype}")
    rows, order, last = _rows(b, x, axis, x.dtype)
    if rows.shape[-1] < ordering.LONG:
        raise NotNative("sort of short rows, which NumPy does")
    places = b.temporary(rows.shape, np.int64)
    _add_argsort(b, rows, places, descending)
    y = out if last else b.temporary(rows.shape, rows.dtype)
    _add_taken(b, rows, places, y)
    _add_back(b, y, order, out)


@lowers("top_k")
def _lower_top_k(
    b: Builder, out: tuple[Operand, Operand], x: Operand, *, k: int, sorted: bool = True
) -> None:
    values, places = out
    if not x.ndim or not 0 <= k <= x.shape[-1] or values.dtype not in (FLOAT32, FLOAT64):
        raise NotNative("top_k of these arguments")
    rows, length = b.contiguous(x, values.dtype), x.shape[-1]
    if not values.size:
        return
    if ordering.by_sorting(k, length):
        order = b.temporary(rows.shape, np.int64)
        _add_argsort(b, rows, order, True)
        b.copy(order.view(places.shape, order.strides), places)
        _add_taken(b, rows, places, values)
        return
    keys = b.temporary(values.shape, np.int64)
    words = (rows, places, keys, values, length, k)
    made = ordering.block_of("top_k", rows.dtype)
    b.run(made, *words, count=values.size // k, chunk=CHUNK // length)
