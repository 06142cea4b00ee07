"""Reductions that go from element to element in C order, as NumPy's do.

Those of integers and truth values are exact; the products of real numbers get NumPy's bits.
Axes that are no neighbours are brought to the end by a copy.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import element_at
from tapegrad_kernels.cpu.program.lowering import NotNative
from tapegrad_kernels.cpu.program.operand import Operand

CHUNK = 16_384
"""Elements that one thread takes at least."""
_OPERATIONS = {"sum": 0, "prod": 1, "max": 2, "min": 3, "any": 2, "all": 3}


@functools.cache
def _reduction(dtype: np.dtype[Any]) -> Block:
    """Sums, products, largest and smallest elements, by the number of the operation."""
    at = element_at(dtype)

    @block(f"sequential.{dtype.name}")
    def reduce(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, length, inner, operation = (
            at(packed[0]), at(packed[1]), packed[2], packed[3], packed[4],
        )  # fmt: skip
        for position in range(start, stop):
            outer = position // inner
            here = outer * length * inner + position - outer * inner
            value = x[here]
            if operation == 0:
                for i in range(1, length):
                    value += x[here + i * inner]
            elif operation == 1:
                for i in range(1, length):
                    value *= x[here + i * inner]
            elif operation == 2:
                for i in range(1, length):
                    value = max(value, x[here + i * inner])
            else:
                for i in range(1, length):
                    value = min(value, x[here + i * inner])
            y[position] = value

    return reduce


@functools.cache
def _product(dtype: np.dtype[Any]) -> Block:
    at = element_at(dtype)

    @block(f"sequential_product.{dtype.name}")
    def multiply(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, length, inner = at(packed[0]), at(packed[1]), packed[2], packed[3]
        for position in range(start, stop):
            outer = position // inner
            here = outer * length * inner + position - outer * inner
            value = x[here]
            for i in range(1, length):
                value *= x[here + i * inner]
            y[position] = value

    return multiply


@functools.cache
def _arg_reduction(dtype: np.dtype[Any]) -> Block:
    """The position of the first largest or smallest element, or of the first NaN."""
    at = element_at(dtype)

    @block(f"sequential_position.{dtype.name}")
    def find(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, length, inner, largest = (
            at(packed[0]), int64_at(packed[1]), packed[2], packed[3], packed[4],
        )  # fmt: skip
        for position in range(start, stop):
            outer = position // inner
            here = outer * length * inner + position - outer * inner
            best, found = x[here], 0
            for i in range(1, length):
                value = x[here + i * inner]
                better = value > best if largest else value < best
                if better or (value != value and best == best):
                    best, found = value, i
            y[position] = found

    return find


def _three_axes(
    b: Builder, x: Operand, axes: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[Operand, int, int]:
    """A contiguous operand whose axes that go are one, its length, and the elements behind it."""
    if not axes:
        return b.contiguous(x, dtype), 1, 1
    inner = math.prod(x.shape[axes[-1] + 1 :])
    if axes[-1] - axes[0] + 1 != len(axes):
        order = [*(i for i in range(x.ndim) if i not in axes), *axes]
        x = x.view(tuple([x.shape[i] for i in order]), tuple([x.strides[i] for i in order]))
        inner = 1
        axes = tuple(range(x.ndim - len(axes), x.ndim))
    return b.contiguous(x, dtype), math.prod(x.shape[i] for i in axes), inner


def _add(
    b: Builder,
    made: Block,
    x: Operand,
    axes: tuple[int, ...],
    out: Operand,
    dtype: np.dtype[Any],
    *words: int,
) -> None:
    x, length, inner = _three_axes(b, x, axes, dtype)
    chunk = max(1, CHUNK // length)
    b.run(made, x, out, length, inner, *words, count=out.size, chunk=chunk)


def add_integer_reduction(
    b: Builder, operation: str, x: Operand, axes: tuple[int, ...], out: Operand
) -> None:
    """Rows of a sum, product or extreme of integers, or of truth values as 0 and 1."""
    wide = np.dtype(np.int64)
    if x.dtype.kind not in "iub" or (x.dtype == np.uint64 and operation in ("max", "min")):
        raise NotNative(f"{operation} of {x.dtype}")
    # Sums and products of uint64 have the bits of those of int64.
    source = x.view(dtype=wide) if x.dtype == np.uint64 else x
    target = out.view(dtype=wide) if out.itemsize == 8 else b.temporary(out.shape, wide)
    _add(b, _reduction(wide), source, axes, target, wide, _OPERATIONS[operation])
    if out.itemsize != 8:
        b.copy(target, out)


def add_bool_reduction(
    b: Builder, operation: str, x: Operand, axes: tuple[int, ...], out: Operand
) -> None:
    """Rows that find whether any or all elements are true."""
    kind = np.dtype(bool)
    _add(b, _reduction(kind), x, axes, out, kind, _OPERATIONS[operation])


def add_product(b: Builder, x: Operand, axes: tuple[int, ...], out: Operand) -> None:
    """Rows of a product of real numbers."""
    _add(b, _product(x.dtype), x, axes, out, x.dtype)


def add_arg_reduction(
    b: Builder, x: Operand, axes: tuple[int, ...], out: Operand, largest: bool
) -> None:
    """Rows that find the position of the first largest or smallest element."""
    dtype = x.dtype
    if dtype.kind in "iub" and dtype != np.uint64:
        dtype = np.dtype(np.int64)
    if dtype.name not in ("float32", "float64", "int64"):
        raise NotNative(f"the position of an extreme of {dtype}")
    _add(b, _arg_reduction(dtype), x, axes, out, dtype, int(largest))
