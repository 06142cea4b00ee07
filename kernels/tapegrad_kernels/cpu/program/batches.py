"""Batches of rows for the repetitions of a program."""

from __future__ import annotations

from tapegrad_kernels._compile import block, on_warmup
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu._memory import copy_bytes
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.operand import STEP, Operand

CHUNK_BYTES = 1 << 18
"""Bytes up to which one thread copies; rows come from anywhere, so that memory is what counts."""


@block("gather_batch")
def gather_batch_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Copy rows ``order[step * batch + i]``, for i from `start` up to `stop`."""
    packed = int64_at(record)
    target, source, row_bytes = packed[0], packed[1], packed[3]
    order = int64_at(packed[2] + 8 * packed[4] * int64_at(packed[5])[0])
    if row_bytes == 8:
        to, there = int64_at(target), int64_at(source)
        for i in range(start, stop):
            to[i] = there[order[i]]
    else:
        for i in range(start, stop):
            copy_bytes(target + i * row_bytes, source + order[i] * row_bytes, row_bytes)


def lower_gather_batch(builder: Builder, out: Operand, source: Operand, order: Operand) -> None:
    """Rows that fill `out` with the rows of `source` that `order` has for this repetition.

    Repetition k, the word `operand.STEP`, takes ``order[k * batch : (k + 1) * batch]``, with
    the first axis of `out` as batch. All operands are contiguous; `order` is int64. Entries of
    it are not checked.
    """
    batch = out.shape[0]
    if out.size == 0:
        return
    row_bytes = out.nbytes // batch
    builder.run_anyhow(
        gather_batch_block, out, source, order, row_bytes, batch, STEP,
        count=batch, chunk=max(1, CHUNK_BYTES // row_bytes),
    )  # fmt: skip


@block("slice_batch")
def slice_batch_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Copy bytes ``[start, stop)`` of this repetition's part of what lies one after another."""
    packed = int64_at(record)
    source = packed[1] + packed[2] * int64_at(packed[3])[0]
    copy_bytes(packed[0] + start, source + start, stop - start)


def lower_slice_batch(builder: Builder, out: Operand, source: Operand) -> None:
    """Rows that fill `out` with the next rows of `source`, those from ``STEP * batch`` on.

    As `lower_gather_batch` with the rows in their own order.
    """
    if out.size:
        words = (out, source, out.nbytes, STEP)
        builder.run_anyhow(slice_batch_block, *words, count=out.nbytes, chunk=CHUNK_BYTES)


@block("store_batch")
def store_batch_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Copy bytes ``[start, stop)`` to this repetition's part of what lies one after another."""
    packed = int64_at(record)
    target = packed[0] + packed[2] * int64_at(packed[3])[0]
    copy_bytes(target + start, packed[1] + start, stop - start)


def lower_store_batch(builder: Builder, rows: Operand, target: Operand) -> None:
    """Rows that copy `rows` to the rows of `target` from ``STEP * batch`` on.

    Both are contiguous, with the first axis of `rows` as batch.
    """
    if rows.size:
        words = (target, rows, rows.nbytes, STEP)
        builder.run_anyhow(store_batch_block, *words, count=rows.nbytes, chunk=CHUNK_BYTES)


@on_warmup("program batches")
def _warm() -> None:
    gather_batch_block.address  # noqa: B018
    slice_batch_block.address  # noqa: B018
    store_batch_block.address  # noqa: B018
