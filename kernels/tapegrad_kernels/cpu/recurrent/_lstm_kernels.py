"""The long short-term memory over pieces of a batch, forward and backward."""

from __future__ import annotations

import tapegrad_kernels.cpu.recurrent._formulas as loops
import tapegrad_kernels.cpu.recurrent._record as f
from tapegrad_kernels._compile import block
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu._memory import clear_bytes, copy_bytes
from tapegrad_kernels.cpu.recurrent._loops import apply
from tapegrad_kernels.cpu.recurrent._rows import (
    drop,
    fetch_left,
    fetch_step,
    first_valid,
    is_valid,
    left_of,
    load_gradient,
    load_state,
    multiply_back,
    multiply_group,
    multiply_inputs,
    multiply_to_inputs,
    piece_of,
    previous_state,
    save_gates,
    save_left,
    write_last,
    write_output,
)


@block("lstm_forward")
def lstm_forward(record, start, stop):  # type: ignore[no-untyped-def]
    r = int64_at(record)
    size = r[f.ITEM]
    steps, units = r[f.STEPS], r[f.UNITS]
    row_bytes = units * size
    state_bytes, gate_bytes = r[f.STATE_STRIDE] * size, r[f.GATE_STRIDE] * size
    for piece in range(start, stop):
        first, rows, h_rows = piece_of(r, piece)
        c_rows = h_rows + rows * state_bytes
        lefts = c_rows + rows * state_bytes
        products = lefts + r[f.MASKS] * rows * state_bytes
        for row in range(rows):
            load_state(r, r[f.H0], h_rows + row * state_bytes, first + row)
            load_state(r, r[f.C0], c_rows + row * state_bytes, first + row)
            drop(r, h_rows, lefts, row, rows, first + row)
        for step in range(steps):
            t = steps - 1 - step if r[f.REVERSE] else step
            multiply_inputs(r, first, rows, step)
            gates = r[f.GATES] if r[f.W] == 0 else 0
            fetch_step(r, first, rows, step, (gates,), (r[f.CELLS], r[f.OUTPUTS]))
            for group in range(r[f.GROUPS]):
                left = left_of(r, h_rows, lefts, rows, group)
                multiply_group(r, rows, left, products, group, 0, 0)
            for row in range(rows):
                sample = first + row
                i = r[f.GATES] + (sample * steps + t) * 4 * row_bytes
                g, o = i + 2 * row_bytes, i + 3 * row_bytes
                hi = products + row * gate_bytes
                hg, ho = hi + 2 * row_bytes, hi + 3 * row_bytes
                h, c = h_rows + row * state_bytes, c_rows + row * state_bytes
                if is_valid(r, sample, t):
                    places = i, i + row_bytes, g, o, hi, hi + row_bytes, hg, ho, c, h
                    apply(r, loops.LSTM_STEP, places)
                    write_output(r, sample, step, h)
                    drop(r, h_rows, lefts, row, rows, sample)
                else:
                    clear_bytes(i, 4 * row_bytes)
                    write_output(r, sample, step, 0)
                copy_bytes(r[f.CELLS] + (sample * steps + step) * row_bytes, c, row_bytes)
        write_last(r, h_rows, first, rows)


@block("lstm_backward")
def lstm_backward(record, start, stop):  # type: ignore[no-untyped-def]
    r = int64_at(record)
    size = r[f.ITEM]
    steps, units = r[f.STEPS], r[f.UNITS]
    row_bytes = units * size
    state_bytes, gate_bytes = r[f.STATE_STRIDE] * size, r[f.GATE_STRIDE] * size
    for piece in range(start, stop):
        first, rows, dh_rows = piece_of(r, piece)
        dc_rows = dh_rows + rows * state_bytes
        back = dc_rows + rows * state_bytes
        c_first = back + rows * state_bytes
        zeros = c_first + state_bytes
        dg_rows = zeros + state_bytes
        starts = int64_at(dg_rows + rows * gate_bytes)
        clear_bytes(zeros, row_bytes)
        for row in range(rows):
            starts[row] = first_valid(r, first + row)
            load_state(r, r[f.D_LAST], dh_rows + row * state_bytes, first + row)
            clear_bytes(dc_rows + row * state_bytes, row_bytes)
        for step in range(steps - 1, -1, -1):
            t = steps - 1 - step if r[f.REVERSE] else step
            for row in range(rows):
                sample = first + row
                here = sample * steps + step
                at_t = (sample * steps + t) * 4 * row_bytes
                dh, dc = dh_rows + row * state_bytes, dc_rows + row * state_bytes
                di = dg_rows + row * gate_bytes
                dg, do = di + 2 * row_bytes, di + 3 * row_bytes
                load_gradient(r, dh, sample, step, starts[row])
                if r[f.D_CELLS] != 0:
                    apply(r, loops.ADD, (dc, r[f.D_CELLS] + here * row_bytes))
                if is_valid(r, sample, t):
                    i = r[f.GATES] + at_t
                    g, o = i + 2 * row_bytes, i + 3 * row_bytes
                    c = r[f.CELLS] + here * row_bytes
                    c_before = c - row_bytes
                    if step == 0:
                        load_state(r, r[f.C0], c_first, sample)
                        c_before = c_first
                    before = i, i + row_bytes, g, o, c, c_before, dh, dc
                    apply(r, loops.LSTM_GRADIENT, (*before, di, di + row_bytes, dg, do))
                    clear_bytes(dh, row_bytes)
                    save_left(r, sample, t, previous_state(r, sample, step, starts[row], zeros))
                else:
                    clear_bytes(di, 4 * row_bytes)
                    save_left(r, sample, t, zeros)
            save_gates(r, first, rows, t, dg_rows)
            if step > 0:
                gates = r[f.GATES], 0 if r[f.PANEL_ROWS] else r[f.D_GATES]
                others = r[f.CELLS] - row_bytes, r[f.OUTPUTS] - row_bytes, r[f.D_OUTPUTS]
                fetch_step(r, first, rows, step - 1, gates, others)
                fetch_left(r, first, rows, step - 1)
            multiply_to_inputs(r, rows, first, t, dg_rows)
            multiply_back(r, rows, first, dg_rows, back, dh_rows, 0, r[f.GROUPS])
        write_last(r, dh_rows, first, rows)
        for row in range(rows):
            place = r[f.C_FIRST] + (first + row) * row_bytes
            copy_bytes(place, dc_rows + row * state_bytes, row_bytes)
