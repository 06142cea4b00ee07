"""What the cells share around their formulas: states, outputs, masks, products.

Places in memory are addresses. Everything here serves both dtypes.
"""

from __future__ import annotations

import tapegrad_kernels.cpu.recurrent._record as f
from tapegrad_kernels._compile import kernel
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu._memory import clear_bytes, copy_bytes
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE, BIAS
from tapegrad_kernels.cpu.gemm.table import TILE_COLUMNS
from tapegrad_kernels.cpu.recurrent._formulas import ADD, ADD_PRODUCT, MULTIPLY
from tapegrad_kernels.cpu.recurrent._loops import apply, prefetch_line
from tapegrad_kernels.cpu.recurrent._products import multiply, write_panels

LINE = 64
"""Bytes of a cache line."""
STEPS_AHEAD = 8
"""Steps whose inputs are multiplied at once: their gates wait in the second cache."""


@kernel(inline=True)
def piece_of(r, piece):  # type: ignore[no-untyped-def]
    """First sample, number of samples and scratch memory of a piece."""
    batch, pieces = r[f.BATCH], r[f.PIECES]
    start = piece * batch // pieces
    rows = (piece + 1) * batch // pieces - start
    return start, rows, r[f.SCRATCH] + piece * r[f.PIECE_BYTES]


@kernel(inline=True)
def prefetch(place, count):  # type: ignore[no-untyped-def]
    """Ask for `count` bytes that will be read soon."""
    for line in range(place, place + count, LINE):
        prefetch_line(line)


@kernel(inline=True)
def is_valid(r, sample, t):  # type: ignore[no-untyped-def]
    """Whether the mask lets a step happen."""
    return r[f.MASK] == 0 or int64_at(r[f.MASK])[sample * r[f.STEPS] + t] != 0


@kernel(inline=True)
def first_valid(r, sample):  # type: ignore[no-untyped-def]
    """Number of a sample's first step that happens, in the order of processing."""
    steps = r[f.STEPS]
    for step in range(steps):
        if is_valid(r, sample, steps - 1 - step if r[f.REVERSE] else step):
            return step
    return steps


@kernel(inline=True)
def write_output(r, sample, step, h):  # type: ignore[no-untyped-def]
    """Write the output of a step or, with 0 for `h`, that of a step that does not happen."""
    bytes_of_row = r[f.UNITS] * r[f.ITEM]
    place = r[f.OUTPUTS] + (sample * r[f.STEPS] + step) * bytes_of_row
    if h != 0:
        copy_bytes(place, h, bytes_of_row)
    elif step == 0:
        clear_bytes(place, bytes_of_row)
    else:
        copy_bytes(place, place - bytes_of_row, bytes_of_row)


@kernel(inline=True)
def load_state(r, states, place, sample):  # type: ignore[no-untyped-def]
    """Copy a row of `states`, or write zeros if that is 0."""
    bytes_of_row = r[f.UNITS] * r[f.ITEM]
    if states == 0:
        clear_bytes(place, bytes_of_row)
    else:
        copy_bytes(place, states + sample * bytes_of_row, bytes_of_row)


@kernel(inline=True)
def mask_row(r, sample, which):  # type: ignore[no-untyped-def]
    """Address of a sample's row in a mask of recurrent dropout."""
    return r[f.RECURRENT_MASK] + (which * r[f.BATCH] + sample) * r[f.UNITS] * r[f.ITEM]


@kernel(inline=True)
def drop(r, h, lefts, row, rows, sample):  # type: ignore[no-untyped-def]
    """Write the state of a row, times each mask of recurrent dropout, into `lefts`."""
    stride = r[f.STATE_STRIDE]
    for which in range(r[f.MASKS]):
        left = lefts + (which * rows + row) * stride * r[f.ITEM]
        apply(r, MULTIPLY, (h + row * stride * r[f.ITEM], mask_row(r, sample, which), left))


@kernel(inline=True)
def left_of(r, h, lefts, rows, group):  # type: ignore[no-untyped-def]
    """What a group of U is multiplied with: states, or states times a mask, from `drop`."""
    if r[f.MASKS] == 0:
        return h
    return lefts + (group if r[f.MASKS] > 1 else 0) * rows * r[f.STATE_STRIDE] * r[f.ITEM]


@kernel(inline=True)
def multiply_group(r, rows, left, products, group, flags, bias):  # type: ignore[no-untyped-def]
    """The product of `left` with a group of U, into the columns of this group."""
    columns = r[f.GATE_COUNT] * r[f.UNITS] // r[f.GROUPS]
    place = group * columns * r[f.ITEM]
    multiply(
        r[f.TABLE],
        rows,
        r[f.UNITS],
        columns,
        left,
        r[f.STATE_STRIDE],
        r[f.PACKED] + group * r[f.GROUP_BYTES],
        products + place,
        r[f.GATE_STRIDE],
        flags,
        bias + place,
    )


@kernel(inline=True)
def multiply_inputs(r, first, rows, step):  # type: ignore[no-untyped-def]
    """Write the products of x with W, plus b, into the gates of the next steps."""
    if r[f.W] == 0 or step % STEPS_AHEAD != 0:
        return
    steps, columns = r[f.STEPS], r[f.GATE_COUNT] * r[f.UNITS]
    count = min(STEPS_AHEAD, steps - step)
    t = steps - step - count if r[f.REVERSE] else step
    for sample in range(first, first + rows):
        here = sample * steps + t
        multiply(
            r[f.TABLE],
            count,
            r[f.FEATURES],
            columns,
            r[f.X] + here * r[f.FEATURES] * r[f.ITEM],
            r[f.FEATURES],
            r[f.PACKED_W],
            r[f.GATES] + here * columns * r[f.ITEM],
            columns,
            BIAS,
            r[f.B],
        )


@kernel(inline=True)
def multiply_back(r, rows, start, dg, back, dh, first, last):  # type: ignore[no-untyped-def]
    """Add to `dh` what comes back through the products with the groups of U in a range."""
    stride, units = r[f.STATE_STRIDE], r[f.UNITS]
    columns = r[f.GATE_COUNT] * units // r[f.GROUPS]
    for group in range(first, last):
        # Groups that share a mask are summed before it is applied.
        shared = r[f.MASKS] <= 1
        multiply(
            r[f.TABLE],
            rows,
            columns,
            units,
            dg + group * columns * r[f.ITEM],
            r[f.GATE_STRIDE],
            r[f.PACKED] + group * r[f.GROUP_BYTES],
            back,
            stride,
            ACCUMULATE if shared and group > first else 0,
            0,
        )
        if shared and group < last - 1:
            continue
        for row in range(rows):
            target, source = dh + row * stride * r[f.ITEM], back + row * stride * r[f.ITEM]
            if r[f.MASKS] == 0:
                apply(r, ADD, (target, source))
            else:
                mask = mask_row(r, start + row, 0 if shared else group)
                apply(r, ADD_PRODUCT, (target, source, mask))


@kernel(inline=True)
def multiply_to_inputs(r, rows, first, t, dg):  # type: ignore[no-untyped-def]
    """Write the gradient by the inputs of a step: the gates' times W transposed."""
    if r[f.D_X] == 0:
        return
    steps, features = r[f.STEPS], r[f.FEATURES]
    multiply(
        r[f.TABLE],
        rows,
        r[f.GATE_COUNT] * r[f.UNITS],
        features,
        dg,
        r[f.GATE_STRIDE],
        r[f.PACKED_W],
        r[f.D_X] + (first * steps + t) * features * r[f.ITEM],
        steps * features,
        0,
        0,
    )


@kernel(inline=True)
def previous_state(r, sample, step, first, zeros):  # type: ignore[no-untyped-def]
    """Address of the state before a step; `first` is from `first_valid`."""
    bytes_of_row = r[f.UNITS] * r[f.ITEM]
    if step > first:  # from its first step on, a sample's output is its state
        return r[f.OUTPUTS] + (sample * r[f.STEPS] + step - 1) * bytes_of_row
    return r[f.H0] + sample * bytes_of_row if r[f.H0] != 0 else zeros


@kernel(inline=True)
def save_left(r, sample, t, h):  # type: ignore[no-untyped-def]
    """Write the left factors of the gradients: a one, x, the state times a mask, a one."""
    if r[f.LEFT] == 0:
        return
    here, size = sample * r[f.STEPS] + t, r[f.ITEM]
    place = r[f.LEFT] + here * r[f.LEFT_STRIDE] * size
    count = r[f.FEATURES] * size
    for which in range(max(1, r[f.MASKS])):
        state = place + size + count
        copy_bytes(place, r[f.ONE], size)
        copy_bytes(place + size, r[f.X] + here * count, count)
        if r[f.MASKS] == 0:
            copy_bytes(state, h, r[f.UNITS] * size)
        else:
            apply(r, MULTIPLY, (h, mask_row(r, sample, which), state))
        copy_bytes(state + r[f.UNITS] * size, r[f.ONE], size)
        place += r[f.BATCH] * r[f.STEPS] * r[f.LEFT_STRIDE] * size


@kernel(inline=True)
def save_gates(r, first, rows, t, dg_rows):  # type: ignore[no-untyped-def]
    """Write the gradients by the gates of a step."""
    steps, columns, stride = r[f.STEPS], r[f.GATE_COUNT] * r[f.UNITS], r[f.GATE_STRIDE]
    here, size = first * steps + t, r[f.ITEM]
    if r[f.PANEL_ROWS] != 0:
        place = r[f.D_GATES] + here * int64_at(r[f.TABLE])[TILE_COLUMNS] * size
        height = r[f.PANEL_ROWS]
        write_panels(r[f.TABLE], dg_rows, stride, place, steps, height, columns, rows)
        return
    for row in range(rows):
        place = r[f.D_GATES] + (here + row * steps) * columns * size
        copy_bytes(place, dg_rows + row * stride * size, columns * size)


@kernel(inline=True)
def load_gradient(r, dh, sample, step, first):  # type: ignore[no-untyped-def]
    """Add the gradient by an output to that by the state."""
    # Before a sample's first step its outputs are zeros, whatever its state is.
    if r[f.D_OUTPUTS] != 0 and step >= first:
        place = (sample * r[f.STEPS] + step) * r[f.UNITS] * r[f.ITEM]
        apply(r, ADD, (dh, r[f.D_OUTPUTS] + place))


@kernel(inline=True)
def fetch_step(r, first, rows, step, gates, others):  # type: ignore[no-untyped-def]
    """Ask for the rows of a step: `gates` are in the order of x, `others` in that of steps."""
    # The rows of a step lie far apart: without being asked for, each is waited for. An
    # address may lie before its array; asking for it does nothing.
    steps, bytes_of_row = r[f.STEPS], r[f.UNITS] * r[f.ITEM]
    t = steps - 1 - step if r[f.REVERSE] else step
    for sample in range(first, first + rows):
        for array in gates:
            if array != 0:
                count = r[f.GATE_COUNT] * bytes_of_row
                prefetch(array + (sample * steps + t) * count, count)
        for array in others:
            if array != 0:
                prefetch(array + (sample * steps + step) * bytes_of_row, bytes_of_row)


@kernel(inline=True)
def fetch_left(r, first, rows, step):  # type: ignore[no-untyped-def]
    """Ask for what `save_left` writes at a step, and for the rows of x that it reads."""
    if r[f.LEFT] == 0:
        return
    t = r[f.STEPS] - 1 - step if r[f.REVERSE] else step
    for sample in range(first, first + rows):
        here, count = sample * r[f.STEPS] + t, r[f.LEFT_STRIDE] * r[f.ITEM]
        prefetch(r[f.LEFT] + here * count, count)
        count = r[f.FEATURES] * r[f.ITEM]
        prefetch(r[f.X] + here * count, count)


@kernel(inline=True)
def write_last(r, h_rows, first, rows):  # type: ignore[no-untyped-def]
    """Write the last states."""
    bytes_of_row = r[f.UNITS] * r[f.ITEM]
    for row in range(rows):
        h = h_rows + row * r[f.STATE_STRIDE] * r[f.ITEM]
        copy_bytes(r[f.LAST] + (first + row) * bytes_of_row, h, bytes_of_row)
