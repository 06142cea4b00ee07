"""The record of a call: what every kernel of this family is told, and in what order.

A kernel handles pieces of the batch. It reads addresses, sizes and options from one record of
64-bit integers, and works in scratch memory of its own, so that pieces run at the same time
without ever waiting for one another.

Kernels import this module by its full name, ``import tapegrad_kernels.cpu.recurrent._record as f``:
after ``from ... import _record as f`` the kernel cache would count all that the package imports
among their sources, and an edit anywhere would compile them again.
"""

from __future__ import annotations

ARRAYS = 20
"""Addresses at the head of the record; 0 stands for an array that is not given."""

# Arrays of all kernels. LAST is written: the last state or, going back, the gradient by the first.
(U, MASK, RECURRENT_MASK, H0, C0, OUTPUTS, CELLS, GATES, INNER, LAST) = range(10)
# Forward only.
(INPUTS, RECURRENT_BIAS, B) = range(10, 13)
# Backward only.
(D_OUTPUTS, D_GATES, D_INNER, LEFT, C_FIRST, ONE, D_X) = range(10, 17)
# Of both. W is given where a kernel itself multiplies with it.
(X, W) = range(17, 19)
D_LAST = 19  # backward only: the gradient by the last state
D_CELLS = INNER  # an LSTM has no inner product, and other cells have no c
ONES = C_FIRST  # a row for the products that no mask of recurrent dropout changes

(
    TABLE,  # of the micro-kernels
    LOOPS,  # table of the cells' arithmetic
    ITEM,  # bytes of a number
    BATCH,
    STEPS,
    UNITS,
    GATE_COUNT,  # blocks of columns of U
    GROUPS,  # products that U is cut into: one, or one for each gate
    MASKS,  # recurrent dropout: none, one for all gates, or one for each
    REVERSE,
    OPTION,  # of the cell: reset_after of a GRU, relu of a simple RNN
    TRANSPOSED,  # whether U is packed for the backward pass
    PIECES,
    STATE_STRIDE,  # elements between rows of a state in scratch memory
    GATE_STRIDE,  # elements between rows of gates in scratch memory
    FEATURES,
    LEFT_STRIDE,  # elements of a row of LEFT: a one, those of x and of a state, a one
    PANEL_ROWS,  # rows of a panel of D_GATES; 0 if a row of it has all columns
    PIECE_BYTES,
    GROUP_BYTES,
    PACKED,
    PACKED_W,
    SCRATCH,
    RECORD_LENGTH,
) = range(ARRAYS, ARRAYS + 24)
