"""The row kernels behind `tapegrad_kernels.cpu.softmax`.

All work on C-contiguous rows of `width` elements, a tile of rows that fits the
first-level cache at a time. The exponential runs over the tile as a whole, so
that it fills its vectors also where rows are short.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block, kernel
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import POINTER_TO, address_of, int64_at, pack
from tapegrad_kernels.cpu import _basis
from tapegrad_kernels.cpu._map import REAL_NAMES, scalar_functions

TILE = 4096
"""Elements that one task handles, rounded to whole rows."""
SHORT = 32
"""Rows below this are too short for vectors: a comparison is cheaper than IEEE's maximum."""


def _make_helpers(real: str) -> tuple[Any, Any, Any]:
    scalar = scalar_functions(real)
    exp = scalar["exp"]
    pick: Any = _basis.maximum
    zero: Any = np.dtype(real).type(0.0)

    @kernel(inline=True)
    def shift_rows(x, y, start, stop, width):  # type: ignore[no-untyped-def]
        # y = x less the largest element of its row. A row that is -Inf throughout becomes
        # NaN here, as does one with +Inf.
        for row in range(start, stop):
            first = row * width
            largest = x[first]
            if width < SHORT:
                for i in range(first + 1, first + width):
                    # A NaN need not be found here: it stays in the differences.
                    largest = x[i] if x[i] > largest else largest
            else:
                for i in range(first, first + width):
                    largest = pick(largest, x[i])
            for i in range(first, first + width):
                y[i] = x[i] - largest

    @kernel(inline=True)
    def exp_in_place(y, start, stop):  # type: ignore[no-untyped-def]
        # One pointer for both sides: given the same address twice, LLVM's check for overlap
        # would choose the scalar loop.
        for i in range(start, stop):
            y[i] = exp(y[i])

    @kernel(inline=True, reassociate=True)
    def row_sum(x, start, stop):  # type: ignore[no-untyped-def]
        total = zero
        for i in range(start, stop):
            total += x[i]
        return total

    return shift_rows, exp_in_place, row_sum


def _make_softmax_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    shift_rows, exp_in_place, row_sum = _make_helpers(real)
    scalar = scalar_functions(real)
    exp, log = scalar["exp"], scalar["log"]
    zero: Any = np.dtype(real).type(0.0)
    one: Any = np.dtype(real).type(1.0)

    @kernel(inline=True, reassociate=True)
    def row_dot(a, b, start, stop):  # type: ignore[no-untyped-def]
        total = zero
        for i in range(start, stop):
            total += a[i] * b[i]
        return total

    @kernel(inline=True, reassociate=True)
    def row_exp_sum(x, start, stop):  # type: ignore[no-untyped-def]
        total = zero
        for i in range(start, stop):
            total += exp(x[i])
        return total

    @block(f"softmax.{real}")
    def softmax(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, width = at(packed[0]), at(packed[1]), packed[2]
        shift_rows(x, y, start, stop, width)
        exp_in_place(y, start * width, stop * width)
        for row in range(start, stop):
            first = row * width
            scale = one / row_sum(y, first, first + width)
            for i in range(first, first + width):
                y[i] *= scale

    @block(f"log_softmax.{real}")
    def log_softmax(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, width = at(packed[0]), at(packed[1]), packed[2]
        shift_rows(x, y, start, stop, width)
        for row in range(start, stop):
            first = row * width
            shift = log(row_exp_sum(y, first, first + width))
            for i in range(first, first + width):
                y[i] -= shift

    @block(f"softmax_grad.{real}")
    def softmax_grad(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        g, y, dx, width = at(packed[0]), at(packed[1]), at(packed[2]), packed[3]
        for row in range(start, stop):
            first = row * width
            dot = row_dot(g, y, first, first + width)
            for i in range(first, first + width):
                dx[i] = y[i] * (g[i] - dot)

    @block(f"log_softmax_grad.{real}")
    def log_softmax_grad(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        g, y, dx, width = at(packed[0]), at(packed[1]), at(packed[2]), packed[3]
        for i in range(start * width, stop * width):
            dx[i] = exp(y[i])
        for row in range(start, stop):
            first = row * width
            total = row_sum(g, first, first + width)
            for i in range(first, first + width):
                dx[i] = g[i] - dx[i] * total

    return {
        "softmax": softmax,
        "log_softmax": log_softmax,
        "softmax_grad": softmax_grad,
        "log_softmax_grad": log_softmax_grad,
    }


def _make_cross_entropy_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    shift_rows, exp_in_place, row_sum = _make_helpers(real)
    log = scalar_functions(real)["log"]
    zero: Any = np.dtype(real).type(0.0)
    one: Any = np.dtype(real).type(1.0)

    @block(f"cross_entropy_labels.{real}")
    def labels(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, t = at(packed[0]), int64_at(packed[1])
        losses, p, width = at(packed[2]), at(packed[3]), packed[4]
        shift_rows(x, p, start, stop, width)
        for row in range(start, stop):
            losses[row] = p[row * width + t[row]]
        exp_in_place(p, start * width, stop * width)
        for row in range(start, stop):
            first = row * width
            total = row_sum(p, first, first + width)
            losses[row] = log(total) - losses[row]
            scale = one / total
            for i in range(first, first + width):
                p[i] *= scale

    @block(f"cross_entropy_probabilities.{real}")
    def probabilities(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, t = at(packed[0]), at(packed[1])
        losses, p, width = at(packed[2]), at(packed[3]), packed[4]
        shift_rows(x, p, start, stop, width)
        for row in range(start, stop):
            chosen = zero
            for i in range(row * width, (row + 1) * width):
                # A class that cannot be the target may have the logit -Inf.
                if t[i] != zero:
                    chosen += t[i] * p[i]
            losses[row] = chosen
        exp_in_place(p, start * width, stop * width)
        for row in range(start, stop):
            first = row * width
            total = row_sum(p, first, first + width)
            losses[row] = row_sum(t, first, first + width) * log(total) - losses[row]
            scale = one / total
            for i in range(first, first + width):
                p[i] *= scale

    @block(f"cross_entropy_labels_grad.{real}")
    def labels_grad(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        g, p, t = at(packed[0]), at(packed[1]), int64_at(packed[2])
        dx, width = at(packed[3]), packed[4]
        for row in range(start, stop):
            scale = g[row]
            first = row * width
            for i in range(first, first + width):
                dx[i] = scale * p[i]
            dx[first + t[row]] = scale * (p[first + t[row]] - one)

    @block(f"cross_entropy_probabilities_grad.{real}")
    def probabilities_grad(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        g, p, t = at(packed[0]), at(packed[1]), at(packed[2])
        dx, width = at(packed[3]), packed[4]
        for row in range(start, stop):
            first = row * width
            scale = g[row]
            total = row_sum(t, first, first + width)
            for i in range(first, first + width):
                dx[i] = scale * (p[i] * total - t[i])

    return {
        "cross_entropy_labels": labels,
        "cross_entropy_probabilities": probabilities,
        "cross_entropy_labels_grad": labels_grad,
        "cross_entropy_probabilities_grad": probabilities_grad,
    }


_BLOCKS = {
    (name, np.dtype(real)): made
    for real in REAL_NAMES
    for name, made in (_make_softmax_blocks(real) | _make_cross_entropy_blocks(real)).items()
}


@kernel
def _run2(address, chunker, launcher, chunk, height, width, a, b):  # type: ignore[no-untyped-def]
    record = pack((address_of(a), address_of(b), width))
    run_chunks(address, record, height, chunk, chunker, launcher)


@kernel
def _run3(  # type: ignore[no-untyped-def]
    address, chunker, launcher, chunk, height, width, a, b, c
):
    record = pack((address_of(a), address_of(b), address_of(c), width))
    run_chunks(address, record, height, chunk, chunker, launcher)


@kernel
def _run4(  # type: ignore[no-untyped-def]
    address, chunker, launcher, chunk, height, width, a, b, c, d
):
    record = pack((address_of(a), address_of(b), address_of(c), address_of(d), width))
    run_chunks(address, record, height, chunk, chunker, launcher)


_RUN: dict[int, Any] = {2: _run2, 3: _run3, 4: _run4}
_entries: dict[Any, tuple[int, int, int]] = {}


def run_rows(name: str, height: int, width: int, *arrays: Any) -> None:
    """Run a row kernel over C-contiguous arrays; the first floating one decides the dtype."""
    dtype = arrays[0].dtype
    entry = _entries.get((name, dtype))
    if entry is None:
        chosen = _BLOCKS[name, dtype]
        entry = chosen.address, chunk_block.address, parallel_launcher.address
        _entries[name, dtype] = entry
    chunk = max(1, TILE // width)
    flat = [array.reshape(-1) for array in arrays]
    _RUN[len(arrays)](*entry, chunk, height, width, *flat)


@kernel
def first_outside(labels, classes):  # type: ignore[no-untyped-def]
    """Position of the first label that is not in ``range(classes)``, or -1."""
    for i in range(labels.size):
        if labels[i] < 0 or labels[i] >= classes:
            return i
    return -1
