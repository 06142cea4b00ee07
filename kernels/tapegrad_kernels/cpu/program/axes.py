"""Axes of operands in another order, and checks of indices, for many lowerings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tapegrad_kernels._compile import block, on_warmup
from tapegrad_kernels._compile.pointers import int64_at, uint64_at
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import NotNative
from tapegrad_kernels.cpu.program.operand import Operand


def transposed(operand: Operand, order: Sequence[int]) -> Operand:
    """A view with the axes in another order, as `numpy.transpose` gives it."""
    shape, strides = operand.shape, operand.strides
    return operand.view(tuple([shape[i] for i in order]), tuple([strides[i] for i in order]))


def order_with_last(axis: int, ndim: int) -> list[int]:
    """The order of axes that puts one, counted from 0, at the end."""
    return [*(i for i in range(ndim) if i != axis), axis]


def inverse(order: Sequence[int]) -> list[int]:
    """The order that undoes another."""
    return [int(i) for i in np.argsort(order)]


def axis_from_0(axis: int, ndim: int) -> int:
    """An axis as a number that is not negative.

    Raises
    ------
    NotNative
        If it does not exist.
    """
    if not -ndim <= axis < ndim:
        raise NotNative(f"axis {axis} of {ndim}")
    return axis % ndim


@block("check_range")
def check_range_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Set the status if an index is not in ``range(length)``."""
    packed = int64_at(record)
    indices, length = uint64_at(packed[0]), np.uint64(packed[1])
    worst = np.uint64(0)
    for i in range(start, stop):
        worst = max(worst, indices[i])  # negative numbers are the largest unsigned
    if stop > start and worst >= length:
        int64_at(packed[2])[0] = 1


def checked_indices(b: Builder, indices: Operand, length: int) -> Operand:
    """Indices as contiguous int64, after a row that ends the run if one is out of range.

    Raises
    ------
    NotNative
        If they are no integers.
    """
    if indices.dtype.kind not in "iu":
        raise NotNative(f"indices of {indices.dtype}")
    found = b.contiguous(indices, np.int64)
    if found.size:
        b.call(check_range_block, found, length, b.status, stop=found.size)
    return found


@on_warmup("program checks of indices")
def _warm() -> None:
    check_range_block.address  # noqa: B018
