"""Running sums, products and extremes, and linear recurrences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad_kernels._compile import block, on_warmup
from tapegrad_kernels._compile.pointers import float64_at, int64_at
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64
from tapegrad_kernels.cpu.indexing._call import CHUNK
from tapegrad_kernels.cpu.indexing._scan_kernels import BLOCKS, COLUMNS, PIECE
from tapegrad_kernels.cpu.program.axes import (
    axis_from_0,
    inverse,
    order_with_last,
    transposed,
)
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand


def _prepared(b: Builder, x: Operand, out: Operand, axis: int | None) -> tuple[Operand, int]:
    """The operand, flat without an axis, and the axis from 0; only real numbers get so far."""
    if x.dtype.kind != "f" or out.dtype not in (FLOAT32, FLOAT64):
        raise NotNative(f"a scan of {x.dtype}")
    if axis is None:
        return b.contiguous(x).flat(), 0
    return x, axis_from_0(axis, x.ndim)


def _add_rows(
    b: Builder,
    name: str,
    axis: int,
    inputs: list[Operand],
    outs: list[Operand],
    *words: int,
) -> None:
    """The row of a scan along an axis, which is brought to the end and back."""
    shape, real = inputs[0].shape, outs[0].dtype
    if not outs[0].size:
        return
    order, last = order_with_last(axis, len(shape)), axis == len(shape) - 1
    rows = [b.contiguous(transposed(x, order), real) for x in inputs]
    found = outs if last else [b.temporary(rows[0].shape, out.dtype) for out in outs]
    length = shape[axis]
    b.run(
        BLOCKS[name, real], *rows, *found, length, *words,
        count=outs[0].size // length, chunk=CHUNK // length,
    )  # fmt: skip
    if not last:
        for result, out in zip(found, outs):
            b.copy(transposed(result, inverse(order)), out.view(shape))


@block("cumsum_carries")
def _carries(record, start, stop):  # type: ignore[no-untyped-def]
    """Sums of the pieces before each, in place of the sums of the pieces themselves."""
    packed = int64_at(record)
    sums, pieces, reverse = float64_at(packed[0]), packed[1], packed[2]
    for row in range(start, stop):
        before = 0.0
        for i in range(pieces):
            place = row * pieces + (pieces - 1 - i if reverse else i)
            own = sums[place]
            sums[place] = before
            before = own if i == 0 else before + own


@lowers("cumsum")
def _lower_cumsum(
    b: Builder, out: Operand, x: Operand, *, axis: int | None = None, reverse: bool = False
) -> None:
    x, axis = _prepared(b, x, out, axis)
    if not out.size:
        return
    real, backwards = out.dtype, int(reverse)
    x = b.contiguous(x, real)
    length, outer = x.shape[axis], math.prod(x.shape[:axis])
    width = x.size // (outer * length)
    if width > 1:
        tasks = outer * -(-width // COLUMNS)
        words = (x, out, b.temporary((outer * width,), FLOAT64), length, width, backwards)
        chunk = CHUNK // (length * min(width, COLUMNS))
        b.run(BLOCKS["columns", real], *words, count=tasks, chunk=chunk)
        return
    pieces, chunk = -(-length // PIECE), CHUNK // min(length, PIECE)
    if pieces == 1:
        carries = b.constant(np.zeros(outer))
    else:
        carries = b.temporary((outer * pieces,), FLOAT64)
    words = (x, out, carries, length, pieces, backwards)
    if pieces > 1:
        b.run(BLOCKS["totals", real], *words, count=outer * pieces, chunk=chunk)
        b.call(_carries, carries, pieces, backwards, stop=outer)
    b.run(BLOCKS["rows", real], *words, count=outer * pieces, chunk=chunk)


@lowers("cumprod")
def _lower_cumprod(
    b: Builder, out: Operand, x: Operand, *, axis: int | None = None, reverse: bool = False
) -> None:
    x, axis = _prepared(b, x, out, axis)
    _add_rows(b, "cumprod", axis, [x], [out], int(reverse))


@lowers("logcumsumexp")
def _lower_logcumsumexp(
    b: Builder, out: Operand, x: Operand, *, axis: int | None = None, reverse: bool = False
) -> None:
    x, axis = _prepared(b, x, out, axis)
    _add_rows(b, "logcumsumexp", axis, [x], [out], int(reverse))


def _lower_extreme(
    b: Builder, out: tuple[Operand, ...], x: Operand, axis: int | None, reverse: bool, least: bool
) -> None:
    x, axis = _prepared(b, x, out[0], axis)
    _add_rows(b, "cummax", axis, [x], list(out), int(reverse), int(least))


@lowers("cummax")
def _lower_cummax(
    b: Builder, out: Any, x: Operand, *, axis: int | None = None, reverse: bool = False
) -> None:
    _lower_extreme(b, out, x, axis, reverse, False)


@lowers("cummin")
def _lower_cummin(
    b: Builder, out: Any, x: Operand, *, axis: int | None = None, reverse: bool = False
) -> None:
    _lower_extreme(b, out, x, axis, reverse, True)


@lowers("linear_scan")
def _lower_linear_scan(
    b: Builder,
    out: Operand,
    factors: Operand,
    terms: Operand,
    *,
    axis: int = -1,
    reverse: bool = False,
) -> None:
    if factors.shape != terms.shape or {factors.dtype.kind, terms.dtype.kind} - set("biuf"):
        raise NotNative("linear_scan of these arguments")
    if out.dtype not in (FLOAT32, FLOAT64):
        raise NotNative(f"linear_scan in {out.dtype}")
    axis = axis_from_0(axis, terms.ndim)
    _add_rows(b, "linear_scan", axis, [factors, terms], [out], int(reverse))


@on_warmup("program scans")
def _warm() -> None:
    _carries.address  # noqa: B018
