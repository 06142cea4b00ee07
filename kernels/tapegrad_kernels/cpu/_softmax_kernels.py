"""The row kernels behind `tapegrad_kernels.cpu.softmax`.

All work on C-contiguous rows of `width` elements, a tile of rows that fits the
first-level cache at a time. Extremes and sums of rows are taken in whole vectors.
The exponential runs over the tile as a whole, so that it fills its vectors also
where rows are short.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np

from tapegrad_kernels._compile import Block, block, kernel, native_entry
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import POINTER_TO, address_of, int64_at, pack
from tapegrad_kernels.cpu._map import REAL_NAMES, scalar_functions
from tapegrad_kernels.cpu._negative_exp import negative_exp
from tapegrad_kernels.cpu._vector_loops import larger, row_loop

TILE = 4096
"""Elements that one task handles, rounded to whole rows."""
LONG = 128
"""Elements from which a row fills the compiler's unrolled vectors."""


def _make_helpers(real: str) -> tuple[Any, ...]:
    """What all blocks are made of; rows are given by their addresses."""
    at = POINTER_TO[real]
    exp = negative_exp(real)
    size = np.dtype(real).itemsize
    # A NaN need not be found: it stays in the differences.
    row_max = row_loop(
        real,
        lambda w, sums, inputs, parameters: ([larger(w, inputs[0], sums[0])], None),
        inputs=1,
        sums=1,
        start=-np.inf,
        merge=larger,
    )
    row_sum = row_loop(
        real,
        lambda w, sums, inputs, parameters: ([w.builder.fadd(sums[0], inputs[0])], None),
        inputs=1,
        sums=1,
    )
    row_less = row_loop(
        real,
        lambda w, sums, inputs, parameters: ([], w.builder.fsub(inputs[0], parameters[0])),
        inputs=1,
        scalars=1,
        writes=True,
    )

    @kernel(inline=True)
    def shift_rows(x, y, start, stop, width):  # type: ignore[no-untyped-def]
        # y = x less the largest element of its row. A row that is -Inf throughout becomes
        # NaN here, as does one with +Inf.
        for row in range(start, stop):
            skipped = row * width * size
            largest = row_max((x + skipped,), width, ())
            row_less((x + skipped, y + skipped), width, largest)

    @kernel(inline=True)
    def exp_in_place(y, start, stop):  # type: ignore[no-untyped-def]
        # One pointer for both sides: given the same address twice, LLVM's check for overlap
        # would choose the scalar loop.
        elements = at(y)
        for i in range(start, stop):
            elements[i] = exp(elements[i])

    @kernel(inline=True)
    def sum_row(x, row, width):  # type: ignore[no-untyped-def]
        return row_sum((x + row * width * size,), width, ())[0]

    return row_max, row_less, shift_rows, exp_in_place, sum_row


def _make_softmax_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    row_max, row_less, shift_rows, exp_in_place, sum_row = _make_helpers(real)
    scalar = scalar_functions(real)
    exp, log, exp_of_any = negative_exp(real), scalar["log"], scalar["exp"]
    size = np.dtype(real).itemsize
    zero: Any = np.dtype(real).type(0.0)
    one: Any = np.dtype(real).type(1.0)
    row_dot = row_loop(
        real,
        lambda w, sums, inputs, parameters: ([w.multiply_add(*inputs, sums[0])], None),
        inputs=2,
        sums=1,
    )
    row_times = row_loop(
        real,
        lambda w, sums, inputs, parameters: ([], w.builder.fmul(inputs[0], parameters[0])),
        inputs=1,
        scalars=1,
        writes=True,
    )

    def slope(w: Any, sums: Any, inputs: Any, parameters: Any) -> Any:
        return [], w.builder.fmul(inputs[1], w.builder.fsub(inputs[0], parameters[0]))

    row_slope = row_loop(real, slope, inputs=2, scalars=1, writes=True)

    @kernel(inline=True, reassociate=True)
    def row_exp_sum(x, start, stop):  # type: ignore[no-untyped-def]
        total = zero
        for i in range(start, stop):
            total += exp(x[i])
        return total

    @kernel(inline=True, reassociate=True)
    def exp_row(x, y, width, largest):  # type: ignore[no-untyped-def]
        # One pass for the difference, the exponential and the sum of a row that is long
        # enough for the compiler's own vectors.
        total = zero
        source, target = at(x), at(y)
        for i in range(width):
            term = exp(source[i] - largest)
            target[i] = term
            total += term
        return total

    @block(f"softmax.{real}")
    def softmax(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, width = packed[0], packed[1], packed[2]
        if width >= LONG:
            for row in range(start, stop):
                skipped = row * width * size
                largest = row_max((x + skipped,), width, ())[0]
                total = exp_row(x + skipped, y + skipped, width, largest)
                row_times((y + skipped, y + skipped), width, (one / total,))
            return
        shift_rows(x, y, start, stop, width)
        exp_in_place(y, start * width, stop * width)
        for row in range(start, stop):
            here = y + row * width * size
            row_times((here, here), width, (one / sum_row(y, row, width),))

    @block(f"log_softmax.{real}")
    def log_softmax(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, width = packed[0], packed[1], packed[2]
        shift_rows(x, y, start, stop, width)
        for row in range(start, stop):
            shift = log(row_exp_sum(at(y), row * width, (row + 1) * width))
            here = y + row * width * size
            row_less((here, here), width, (shift,))

    @block(f"softmax_grad.{real}")
    def softmax_grad(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        g, y, dx, width = packed[0], packed[1], packed[2], packed[3]
        for row in range(start, stop):
            skipped = row * width * size
            dot = row_dot((g + skipped, y + skipped), width, ())
            row_slope((g + skipped, y + skipped, dx + skipped), width, dot)

    @block(f"log_softmax_grad.{real}")
    def log_softmax_grad(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        g, y, dx, width = at(packed[0]), at(packed[1]), at(packed[2]), packed[3]
        for i in range(start * width, stop * width):
            dx[i] = exp_of_any(y[i])
        for row in range(start, stop):
            first = row * width
            total = sum_row(packed[0], row, width)
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
    _, _, shift_rows, exp_in_place, sum_row = _make_helpers(real)
    log = scalar_functions(real)["log"]
    zero: Any = np.dtype(real).type(0.0)
    one: Any = np.dtype(real).type(1.0)

    @block(f"cross_entropy_labels.{real}")
    def labels(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        t, losses, p, width = int64_at(packed[1]), at(packed[2]), at(packed[3]), packed[4]
        shift_rows(packed[0], packed[3], start, stop, width)
        for row in range(start, stop):
            losses[row] = p[row * width + t[row]]
        exp_in_place(packed[3], start * width, stop * width)
        for row in range(start, stop):
            first = row * width
            total = sum_row(packed[3], row, width)
            losses[row] = log(total) - losses[row]
            scale = one / total
            for i in range(first, first + width):
                p[i] *= scale

    @block(f"cross_entropy_probabilities.{real}")
    def probabilities(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        t, losses, p, width = at(packed[1]), at(packed[2]), at(packed[3]), packed[4]
        shift_rows(packed[0], packed[3], start, stop, width)
        for row in range(start, stop):
            chosen = zero
            for i in range(row * width, (row + 1) * width):
                # A class that cannot be the target may have the logit -Inf.
                if t[i] != zero:
                    chosen += t[i] * p[i]
            losses[row] = chosen
        exp_in_place(packed[3], start * width, stop * width)
        for row in range(start, stop):
            first = row * width
            total = sum_row(packed[3], row, width)
            losses[row] = sum_row(packed[1], row, width) * log(total) - losses[row]
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
            total = sum_row(packed[2], row, width)
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


def block_of(name: str, dtype: np.dtype[Any]) -> Block:
    """A row kernel of float32 or float64."""
    return _BLOCKS[name, dtype]


def _run2(address, chunker, launcher, chunk, height, width, a, b):  # type: ignore[no-untyped-def]
    record = pack((address_of(a), address_of(b), width))
    run_chunks(address, record, height, chunk, chunker, launcher)


def _run3(  # type: ignore[no-untyped-def]
    address, chunker, launcher, chunk, height, width, a, b, c
):
    record = pack((address_of(a), address_of(b), address_of(c), width))
    run_chunks(address, record, height, chunk, chunker, launcher)


def _run4(  # type: ignore[no-untyped-def]
    address, chunker, launcher, chunk, height, width, a, b, c, d
):
    record = pack((address_of(a), address_of(b), address_of(c), address_of(d), width))
    run_chunks(address, record, height, chunk, chunker, launcher)


_RUN: dict[int, Any] = {2: _run2, 3: _run3, 4: _run4}
_entries: dict[Any, tuple[Any, int, int, int]] = {}


@functools.cache
def _native_run(*kinds: str) -> Any:
    """The compiled `_run2`, `_run3` or `_run4` for vectors of the named types."""
    vectors = [numba.types.Array(numba.from_dtype(np.dtype(kind)), 1, "C") for kind in kinds]
    integers = (numba.int64,) * 6
    return native_entry(_RUN[len(kinds)], f"run.{'.'.join(kinds)}", *integers, *vectors)


def run_rows(name: str, height: int, width: int, *arrays: Any) -> None:
    """Run a row kernel over C-contiguous arrays; the first floating one decides the dtype."""
    dtype = arrays[0].dtype
    entry = _entries.get((name, dtype))
    if entry is None:
        run = _native_run(*(array.dtype.name for array in arrays))
        entry = run, _BLOCKS[name, dtype].address, chunk_block.address, parallel_launcher.address
        _entries[name, dtype] = entry
    run, address, chunker, launcher = entry
    flat = [array.reshape(-1) for array in arrays]
    run(address, chunker, launcher, max(1, TILE // width), height, width, *flat)


@kernel
def first_outside(labels, classes):  # type: ignore[no-untyped-def]
    """Position of the first label that is not in ``range(classes)``, or -1."""
    for i in range(labels.size):
        if labels[i] < 0 or labels[i] >= classes:
            return i
    return -1
