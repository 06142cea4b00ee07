"""The gated recurrent unit over pieces of a batch, forward and backward.

The reset gate multiplies either what the candidate's weights give (`reset_after`), with one
product a step, or the state before it goes into them, with two products one after the other.
"""

from __future__ import annotations

import tapegrad_kernels.cpu.recurrent._formulas as loops
import tapegrad_kernels.cpu.recurrent._record as f
from tapegrad_kernels._compile import block
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu._memory import clear_bytes, copy_bytes
from tapegrad_kernels.cpu.gemm.microkernel import BIAS
from tapegrad_kernels.cpu.recurrent._loops import apply
from tapegrad_kernels.cpu.recurrent._products import multiply
from tapegrad_kernels.cpu.recurrent._rows import (
    drop,
    fetch_left,
    fetch_step,
    first_valid,
    is_valid,
    left_of,
    load_gradient,
    load_state,
    mask_row,
    multiply_back,
    multiply_group,
    multiply_inputs,
    piece_of,
    previous_state,
    save_left,
    write_last,
    write_output,
)


@block("gru_forward")
def gru_forward(record, start, stop):  # type: ignore[no-untyped-def]
    r = int64_at(record)
    size = r[f.ITEM]
    steps, units, reset_after = r[f.STEPS], r[f.UNITS], r[f.OPTION] != 0
    row_bytes = units * size
    state_bytes, gate_bytes = r[f.STATE_STRIDE] * size, r[f.GATE_STRIDE] * size
    for piece in range(start, stop):
        first, rows, h_rows = piece_of(r, piece)
        resets = h_rows + rows * state_bytes
        lefts = resets + rows * state_bytes
        products = lefts + r[f.MASKS] * rows * state_bytes
        for row in range(rows):
            load_state(r, r[f.H0], h_rows + row * state_bytes, first + row)
            drop(r, h_rows, lefts, row, rows, first + row)
            clear_bytes(resets + row * state_bytes, row_bytes)
        for step in range(steps):
            t = steps - 1 - step if r[f.REVERSE] else step
            multiply_inputs(r, first, rows, step)
            gates = r[f.GATES] if r[f.W] == 0 else 0
            fetch_step(r, first, rows, step, (gates,), (r[f.OUTPUTS],))
            for group in range(r[f.GROUPS] if reset_after else 2):
                left = left_of(r, h_rows, lefts, rows, group)
                flags = BIAS if reset_after else 0
                multiply_group(r, rows, left, products, group, flags, r[f.RECURRENT_BIAS])
            if not reset_after:
                state = left_of(r, h_rows, lefts, rows, 2)
                for row in range(rows):
                    if is_valid(r, first + row, t):
                        z = r[f.GATES] + ((first + row) * steps + t) * 3 * row_bytes
                        hz, here = products + row * gate_bytes, row * state_bytes
                        places = z, z + row_bytes, hz, hz + row_bytes, state + here
                        apply(r, loops.GRU_RESET, (*places, resets + here))
                multiply_group(r, rows, resets, products, 2, 0, 0)
            for row in range(rows):
                sample = first + row
                z = r[f.GATES] + (sample * steps + t) * 3 * row_bytes
                a = z + 2 * row_bytes
                hz = products + row * gate_bytes
                ha = hz + 2 * row_bytes
                h = h_rows + row * state_bytes
                inner = r[f.INNER] + (sample * steps + t) * row_bytes
                if is_valid(r, sample, t):
                    if reset_after:
                        places = z, z + row_bytes, a, hz, hz + row_bytes, ha, h
                        apply(r, loops.GRU_STEP, places)
                        copy_bytes(inner, ha, row_bytes)
                    else:
                        apply(r, loops.GRU_UPDATE, (z, a, ha, h))
                        copy_bytes(inner, resets + row * state_bytes, row_bytes)
                    write_output(r, sample, step, h)
                    drop(r, h_rows, lefts, row, rows, sample)
                else:
                    clear_bytes(z, 3 * row_bytes)
                    clear_bytes(inner, row_bytes)
                    write_output(r, sample, step, 0)
        write_last(r, h_rows, first, rows)


@block("gru_backward")
def gru_backward(record, start, stop):  # type: ignore[no-untyped-def]
    r = int64_at(record)
    size = r[f.ITEM]
    steps, units, reset_after = r[f.STEPS], r[f.UNITS], r[f.OPTION] != 0
    row_bytes = units * size
    state_bytes, gate_bytes = r[f.STATE_STRIDE] * size, r[f.GATE_STRIDE] * size
    for piece in range(start, stop):
        first, rows, dh_rows = piece_of(r, piece)
        back = dh_rows + rows * state_bytes
        zeros = back + rows * state_bytes
        dg_rows = zeros + state_bytes
        starts = int64_at(dg_rows + rows * gate_bytes)
        clear_bytes(zeros, row_bytes)
        for row in range(rows):
            starts[row] = first_valid(r, first + row)
            load_state(r, r[f.D_LAST], dh_rows + row * state_bytes, first + row)
        for step in range(steps - 1, -1, -1):
            t = steps - 1 - step if r[f.REVERSE] else step
            for row in range(rows):
                sample = first + row
                at_t = (sample * steps + t) * row_bytes
                dh, dz = dh_rows + row * state_bytes, dg_rows + row * gate_bytes
                da = dz + 2 * row_bytes
                load_gradient(r, dh, sample, step, starts[row])
                if is_valid(r, sample, t):
                    z = r[f.GATES] + 3 * at_t
                    a = z + 2 * row_bytes
                    h = previous_state(r, sample, step, starts[row], zeros)
                    if reset_after:
                        # The candidate's two gradients: by its input, by its product.
                        outer = r[f.D_GATES] + 3 * at_t + 2 * row_bytes
                        before = z, z + row_bytes, a, r[f.INNER] + at_t, h, dh
                        after = dz, dz + row_bytes, da, outer
                        apply(r, loops.GRU_GRADIENT, (*before, *after))
                        copy_bytes(r[f.D_INNER] + at_t, da, row_bytes)
                    else:
                        apply(r, loops.GRU_UPDATE_GRADIENT, (z, a, h, dh, dz, da))
                        copy_bytes(r[f.D_GATES] + 3 * at_t + 2 * row_bytes, da, row_bytes)
                    save_left(r, sample, t, h)
                else:
                    clear_bytes(dz, 3 * row_bytes)
                    clear_bytes(r[f.D_GATES] + 3 * at_t + 2 * row_bytes, row_bytes)
                    if reset_after:
                        clear_bytes(r[f.D_INNER] + at_t, row_bytes)
                    save_left(r, sample, t, zeros)
            if not reset_after:
                multiply(
                    r[f.TABLE],
                    rows,
                    units,
                    units,
                    dg_rows + 2 * row_bytes,
                    r[f.GATE_STRIDE],
                    r[f.PACKED] + 2 * r[f.GROUP_BYTES],
                    back,
                    r[f.STATE_STRIDE],
                    0,
                    0,
                )
            for row in range(rows):
                sample = first + row
                at_t = (sample * steps + t) * row_bytes
                dz = dg_rows + row * gate_bytes
                if not reset_after and is_valid(r, sample, t):
                    reset = r[f.GATES] + 3 * at_t + row_bytes
                    h = previous_state(r, sample, step, starts[row], zeros)
                    mask = r[f.ONES]
                    if r[f.MASKS] > 0:
                        mask = mask_row(r, sample, 2 if r[f.MASKS] > 1 else 0)
                    here = row * state_bytes
                    places = reset, h, mask, back + here, dh_rows + here, dz + row_bytes
                    apply(r, loops.GRU_RESET_GRADIENT, places)
                copy_bytes(r[f.D_GATES] + 3 * at_t, dz, 2 * row_bytes)
            if step > 0:
                gates = r[f.GATES], r[f.D_GATES]
                others = r[f.OUTPUTS] - row_bytes, r[f.D_OUTPUTS]
                fetch_step(r, first, rows, step - 1, gates, others)
                fetch_left(r, first, rows, step - 1)
            last = r[f.GROUPS] if reset_after else 2
            multiply_back(r, rows, first, dg_rows, back, dh_rows, 0, last)
        write_last(r, dh_rows, first, rows)
