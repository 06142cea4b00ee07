"""Copies between any strides and types, and fills."""

from __future__ import annotations

import functools
import math
from typing import Any

import numba
import numpy as np
from numba import types

from tapegrad_kernels._compile import Block, block, on_warmup
from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu._memory import copy_bytes
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand

CHUNK_BYTES = 1 << 17
"""Bytes up to which one thread copies."""
LEAST_RUN = 64
"""Bytes in a row from which they are copied together, whatever they mean."""
LARGEST_PATTERN = 1 << 14
"""Elements that a fill keeps a copy of, to copy from."""


@functools.cache
def element_at(dtype: np.dtype[Any]) -> Any:
    """An intrinsic that makes a pointer to elements of a dtype from an address."""
    element = types.uint8 if dtype.kind == "b" else numba.from_dtype(dtype)

    @intrinsic
    def cast(typing_context: Any, address: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = context.get_value_type(signature.return_type)
            return builder.inttoptr(arguments[0], pointer)

        return types.CPointer(element)(types.int64), generate

    return cast


@block("copy_bytes")
def copy_bytes_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Copy bytes ``[start, stop)`` of what is contiguous on both sides."""
    packed = int64_at(record)
    copy_bytes(packed[0] + start, packed[1] + start, stop - start)


@block("copy_runs")
def copy_runs_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Copy runs of bytes: the record is that of the blocks of `copy_block`."""
    packed = int64_at(record)
    axes, length = packed[2], packed[3] * packed[4]
    for row in range(start, stop):
        left, there, here = row, packed[0], packed[1]
        for axis in range(axes):
            at = 6 + 3 * axis
            index = left % packed[at]
            left //= packed[at]
            there += index * packed[at + 1]
            here += index * packed[at + 2]
        copy_bytes(there, here, length)


@functools.cache
def copy_block(source: np.dtype[Any], target: np.dtype[Any]) -> Block:
    """Copies rows: the record holds both addresses, the axes and their lengths and strides.

    The last axis is the inner loop; the range goes over the product of the others.
    """
    read, write = element_at(source), element_at(target)
    to_bool = target.kind == "b" and source.kind != "b"
    number: Any = numba.from_dtype(target) if target.kind != "b" else types.uint8

    @block(f"copy.{source.name}.{target.name}")
    def copy_rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        axes, length = packed[2], packed[3]
        read_step, write_step = packed[4], packed[5]
        for row in range(start, stop):
            left, there, here = row, packed[0], packed[1]
            for axis in range(axes):
                at = 6 + 3 * axis
                index = left % packed[at]
                left //= packed[at]
                there += index * packed[at + 1]
                here += index * packed[at + 2]
            for i in range(length):
                value = read(here + i * read_step)[0]
                if to_bool:
                    write(there + i * write_step)[0] = number(value != 0)
                else:
                    write(there + i * write_step)[0] = number(value)

    return copy_rows


def merged_axes(shape: Any, *strides: Any) -> list[tuple[int, ...]]:
    """Axes of arrays of one shape, the fastest first, those that follow one another as one.

    Each is ``(length, stride of the first array, stride of the second, …)``.
    """
    axes: list[tuple[int, ...]] = []
    for length, *steps in zip(reversed(shape), *(reversed(s) for s in strides)):
        if length == 1:
            continue
        if axes:
            last_length, *last = axes[-1]
            if all(step == last_length * before for step, before in zip(steps, last)):
                axes[-1] = (last_length * length, *last)
                continue
        axes.append((length, *steps))
    return axes or [(1, *(0 for _ in strides))]


def broadcast_strides(operand: Operand, shape: Any) -> tuple[int, ...]:
    """Strides of an operand that is broadcast to a shape."""
    missing = len(shape) - operand.ndim
    own = zip(operand.shape, operand.strides)
    strides = [0] * missing + [0 if length == 1 else stride for length, stride in own]
    return tuple(strides)


def lower_copy(builder: Builder, source: Operand, target: Operand) -> None:
    """Rows that copy `source`, broadcast and converted, into `target`."""
    if target.size == 0:
        return
    alike = source.dtype == target.dtype and source.shape == target.shape
    if alike and source.is_contiguous and target.is_contiguous:
        builder.run_anyhow(copy_bytes_block, target, source, count=target.nbytes, chunk=CHUNK_BYTES)
        return
    for operand in (source, target):
        if operand.dtype.kind not in "biuf" or not operand.dtype.isnative:
            raise NotNative(f"copy of {operand.dtype}")
        if operand.dtype == np.float16:
            raise NotNative("copy of float16")
    strides = broadcast_strides(source, target.shape)
    (length, there, here), *outer = merged_axes(target.shape, target.strides, strides)
    words = [word for axis in outer for word in axis]
    rows = math.prod(axis[0] for axis in outer)
    runs = here == there == target.itemsize and length * target.itemsize >= LEAST_RUN
    same = source.dtype == target.dtype
    builder.run_anyhow(
        copy_runs_block if same and runs else copy_block(*plain_types(source.dtype, target.dtype)),
        target, source, len(outer), length, here, there, *words,
        count=rows,
        chunk=max(1, CHUNK_BYTES // (length * target.itemsize)),
    )  # fmt: skip


def fill(builder: Builder, target: Operand, value: Any) -> None:
    """Rows that set all elements of `target` to a number."""
    first = 0
    while math.prod(target.shape[first:]) > LARGEST_PATTERN:
        first += 1
    pattern = np.full(target.shape[first:], value, target.dtype)
    lower_copy(builder, builder.constant(pattern), target)


def plain_types(
    source: np.dtype[Any], target: np.dtype[Any]
) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """Types under which elements are copied: without conversion, integers of their size."""
    if source == target:
        kind = np.dtype(f"int{8 * source.itemsize}")
        return kind, kind
    return source, target


@lowers("astype", "broadcast_to", "copy")
def _lower_converted(builder: Builder, out: Operand, x: Operand, **params: Any) -> None:
    builder.copy(x, out)


@lowers("assign")
def _lower_assign(builder: Builder, out: None, target: Operand, value: Any) -> None:
    if not isinstance(value, Operand):
        value = builder.constant(np.asarray(value))
    builder.copy(value, target)


_USUAL = ("float32", "float64", "int64", "bool")


@on_warmup("program copies")
def _warm() -> None:
    copy_bytes_block.address  # noqa: B018
    copy_runs_block.address  # noqa: B018
    for size in (1, 4, 8):
        kind = np.dtype(f"int{8 * size}")
        copy_block(kind, kind).address  # noqa: B018
    for source in _USUAL:
        for target in _USUAL:
            if source != target:
                copy_block(np.dtype(source), np.dtype(target)).address  # noqa: B018
