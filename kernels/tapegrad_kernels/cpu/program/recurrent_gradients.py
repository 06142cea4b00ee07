"""Gradients of what all steps of a recurrent network share, as rows of a program.

Those of `tapegrad_kernels.cpu.recurrent._gradients`: products over all steps at the end.
"""

from __future__ import annotations

from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.operand import Operand
from tapegrad_kernels.cpu.program.products import multiply_panels
from tapegrad_kernels.cpu.recurrent._gradients import factors_shape


def rows_of(sequence: Operand) -> Operand:
    """The steps of all samples, one below the other."""
    return sequence.view((sequence.shape[0] * sequence.shape[1], sequence.shape[2]))


def _columns(matrix: Operand, start: int, stop: int) -> Operand:
    """Some columns of a matrix."""
    offset = start * matrix.strides[1]
    return matrix.view((matrix.shape[0], stop - start), matrix.strides, offset)


def _part(array: Operand, start: int, stop: int) -> Operand:
    """Some entries of the leading axis."""
    offset = start * array.strides[0]
    return array.view((stop - start, *array.shape[1:]), array.strides, offset)


def _entries(array: Operand) -> list[Operand]:
    """The entries along the leading axis."""
    step = array.strides[0]
    return [array.view(array.shape[1:], array.strides[1:], k * step) for k in range(array.shape[0])]


def left_factors(builder: Builder, x: Operand, units: int, masks: int) -> Operand:
    """Memory for the left factors, once for each mask of recurrent dropout."""
    return builder.temporary(factors_shape(x.shape, units, masks), x.dtype)


def lower_inputs(builder: Builder, dx: Operand, d_gates: Operand, w: Operand) -> None:
    """Gradient by x."""
    builder.lower("gemm", rows_of(dx), rows_of(d_gates), w, transpose_b=True)


def lower_weights(
    builder: Builder,
    d_gates: Operand,
    left: Operand,
    dw: Operand,
    du: Operand,
    db: Operand,
    panel_rows: int,
) -> None:
    """Gradients by W, U and b, whose left factors stand side by side."""
    factors = [rows_of(part) for part in _entries(left)]
    bias = db.view((1, db.size))
    states, last = dw.shape[0] + 1, dw.shape[0] + 1 + du.shape[0]
    if len(factors) > 1:
        rows = rows_of(d_gates)
        others = builder.temporary((states, rows.shape[1]), rows.dtype)
        factor = _columns(factors[0], 0, states)
        builder.lower("gemm", others, factor, rows, transpose_a=True)
        builder.copy(_part(others, 0, 1), bias)
        builder.copy(_part(others, 1, states), dw)
        _lower_states(builder, du, rows, [_columns(each, states, last) for each in factors])
        return
    # A layer's gradients mostly stand one after another, as the rows of the product.
    adjacent = _follows(du, dw) and _follows(db, du)
    shape = (last, du.shape[1])
    product = dw.view(shape) if adjacent else builder.temporary(shape, du.dtype)
    factor = _columns(factors[0], 1, last + 1)
    if panel_rows:
        multiply_panels(builder, product, factor, d_gates)
    else:
        builder.lower("gemm", product, factor, rows_of(d_gates), transpose_a=True)
    if not adjacent:
        builder.copy(_part(product, 0, states - 1), dw)
        builder.copy(_part(product, states - 1, last - 1), du)
        builder.copy(_part(product, last - 1, last), bias)


def _follows(array: Operand, before: Operand) -> bool:
    """Whether an array begins in memory where another one ends."""
    return array.buffer == before.buffer and array.offset == before.offset + before.nbytes


def _lower_states(builder: Builder, out: Operand, rows: Operand, factors: list[Operand]) -> None:
    """Gradient by U, and by what is added to its products if the factors have one column more."""
    width = rows.shape[1] // len(factors)
    for k, factor in enumerate(factors):
        columns = k * width, (k + 1) * width
        parts = factor, _columns(rows, *columns)
        builder.lower("gemm", _columns(out, *columns), *parts, transpose_a=True)


def lower_gru_weights(
    builder: Builder,
    d_gates: Operand,
    d_inner: Operand | None,
    inner: Operand,
    left: Operand,
    dw: Operand,
    du: Operand,
    db: Operand,
) -> None:
    """Gradients by W, U and b; the candidate's part of U has factors of its own."""
    rows, factors = rows_of(d_gates), [rows_of(part) for part in _entries(left)]
    units, states = inner.shape[2], dw.shape[0] + 1
    by_inputs = builder.temporary((states, rows.shape[1]), rows.dtype)
    factor = _columns(factors[0], 0, states)
    builder.lower("gemm", by_inputs, factor, rows, transpose_a=True)
    builder.copy(_part(by_inputs, 1, states), dw)
    by_states, of_inputs = du, db
    candidate, factor = _columns(rows, 2 * units, 3 * units), rows_of(inner)
    count = units if d_inner is None else units + 1
    factors = [_columns(each, states, states + count) for each in factors]
    if d_inner is not None:
        by_states = builder.temporary((units + 1, rows.shape[1]), rows.dtype)
        candidate, factor = rows_of(d_inner), factors[-1]
        of_inputs = _part(db, 0, 1)
    builder.copy(_part(by_inputs, 0, 1), of_inputs.view((1, 3 * units)))
    gates = _columns(rows, 0, 2 * units)
    _lower_states(builder, _columns(by_states, 0, 2 * units), gates, factors[:2])
    _lower_states(builder, _columns(by_states, 2 * units, 3 * units), candidate, [factor])
    if d_inner is not None:
        builder.copy(_part(by_states, 0, units), du)
        builder.copy(_part(by_states, units, units + 1), _part(db, 1, 2))
