"""The simple recurrent network over pieces of a batch, forward and backward."""

from __future__ import annotations

import tapegrad_kernels.cpu.recurrent._formulas as loops
import tapegrad_kernels.cpu.recurrent._record as f
from tapegrad_kernels._compile import block
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels.cpu._memory import clear_bytes
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
    piece_of,
    previous_state,
    save_gates,
    save_left,
    write_last,
    write_output,
)

ACTIVATIONS = ("tanh", "relu")
"""Functions of the cell, by their number in the record."""


@block("simple_rnn_forward")
def simple_rnn_forward(record, start, stop):  # type: ignore[no-untyped-def]
    r = int64_at(record)
    size = r[f.ITEM]
    steps, units = r[f.STEPS], r[f.UNITS]
    row_bytes = units * size
    state_bytes, gate_bytes = r[f.STATE_STRIDE] * size, r[f.GATE_STRIDE] * size
    for piece in range(start, stop):
        first, rows, h_rows = piece_of(r, piece)
        lefts = h_rows + rows * state_bytes
        products = lefts + r[f.MASKS] * rows * state_bytes
        for row in range(rows):
            load_state(r, r[f.H0], h_rows + row * state_bytes, first + row)
            drop(r, h_rows, lefts, row, rows, first + row)
        for step in range(steps):
            t = steps - 1 - step if r[f.REVERSE] else step
            fetch_step(r, first, rows, step, (r[f.INPUTS],), (r[f.OUTPUTS],))
            left = left_of(r, h_rows, lefts, rows, 0)
            multiply_group(r, rows, left, products, 0, 0, 0)
            for row in range(rows):
                sample = first + row
                if not is_valid(r, sample, t):
                    write_output(r, sample, step, 0)
                    continue
                h = h_rows + row * state_bytes
                x = r[f.INPUTS] + (sample * steps + t) * row_bytes
                places = x, products + row * gate_bytes, h
                if r[f.OPTION]:
                    apply(r, loops.RELU_STEP, places)
                else:
                    apply(r, loops.TANH_STEP, places)
                write_output(r, sample, step, h)
                drop(r, h_rows, lefts, row, rows, sample)
        write_last(r, h_rows, first, rows)


@block("simple_rnn_backward")
def simple_rnn_backward(record, start, stop):  # type: ignore[no-untyped-def]
    r = int64_at(record)
    size = r[f.ITEM]
    steps, units = r[f.STEPS], r[f.UNITS]
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
                dh, dg = dh_rows + row * state_bytes, dg_rows + row * gate_bytes
                load_gradient(r, dh, sample, step, starts[row])
                if is_valid(r, sample, t):
                    places = r[f.OUTPUTS] + (sample * steps + step) * row_bytes, dh, dg
                    if r[f.OPTION]:
                        apply(r, loops.RELU_GRADIENT, places)
                    else:
                        apply(r, loops.TANH_GRADIENT, places)
                    save_left(r, sample, t, previous_state(r, sample, step, starts[row], zeros))
                else:
                    clear_bytes(dg, row_bytes)
                    save_left(r, sample, t, zeros)
            save_gates(r, first, rows, t, dg_rows)
            if step > 0:
                others = r[f.OUTPUTS] - row_bytes, r[f.D_OUTPUTS]
                gates = 0 if r[f.PANEL_ROWS] else r[f.D_GATES]
                fetch_step(r, first, rows, step - 1, (gates,), others)
                fetch_left(r, first, rows, step - 1)
            multiply_back(r, rows, first, dg_rows, back, dh_rows, 0, 1)
        write_last(r, dh_rows, first, rows)
