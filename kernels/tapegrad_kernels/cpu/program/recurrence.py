"""Recurrent networks over whole sequences as rows of a program."""

from __future__ import annotations

from typing import Any

import numpy as np

import tapegrad_kernels.cpu.recurrent._record as f
from tapegrad_kernels._compile import Block
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import lowers
from tapegrad_kernels.cpu.program.operand import Operand
from tapegrad_kernels.cpu.program.recurrent_gradients import (
    left_factors,
    lower_gru_weights,
    lower_inputs,
    lower_weights,
    rows_of,
)
from tapegrad_kernels.cpu.recurrent import (
    _gru_kernels,
    _lstm_kernels,
    _simple_rnn_kernels,
)
from tapegrad_kernels.cpu.recurrent._call import (
    forward_by_step,
    given_by,
    inputs_by_step,
    masks_in,
    plan,
    sizes_of,
    tables_of,
)
from tapegrad_kernels.cpu.recurrent._gradients import gates_shape
from tapegrad_kernels.cpu.recurrent._products import pack_block

Optional = Operand | None


def _in_order(builder: Builder, dtype: Any, *operands: Optional) -> list[Any]:
    """Operands as the kernels read them: contiguous and of one dtype; None stays None."""
    return [None if o is None else builder.contiguous(o, dtype) for o in operands]


def _mask(builder: Builder, mask: Optional) -> Optional:
    return None if mask is None else builder.contiguous(mask, np.int64)


def _run(
    builder: Builder,
    block: Block,
    operands: dict[int, Optional],
    gate_count: int,
    **options: Any,
) -> None:
    """Rows that pack the weights and run a kernel, as `recurrent._call.run` does it."""
    outputs = operands[f.OUTPUTS]
    assert outputs is not None
    batch, steps, units = outputs.shape
    if batch == 0:
        return
    call = plan(
        *sizes_of(outputs.dtype), batch, steps, units, gate_count, **given_by(operands), **options
    )
    packed = builder.scratch(call.nbytes)
    memory = packed, packed.view(offset=call.packed_w), packed.view(offset=call.scratch)
    given = [operands.get(place) for place in range(f.ARRAYS)]
    addresses = [operand if operand is not None and operand.size else 0 for operand in given]
    words = *addresses, *tables_of(outputs.dtype), *call.sizes, *memory
    builder.run(pack_block, *words, count=call.panels, chunk=call.pack_chunk)
    builder.run(block, *words, count=call.sizes[f.PIECES - f.ITEM], chunk=1)


def _split(out: tuple[Operand, ...], inputs: bool, weights: bool) -> tuple[list[Any], list[Any]]:
    """The results of a backward kernel: by x, w, u and b (None if not wanted), and by states."""
    rest = list(out)
    shared = [rest.pop(0) if inputs else None]
    shared += [rest.pop(0) if weights else None for _ in range(3)]
    return shared, rest


# ---- long short-term memory --------------------------------------------------------------


@lowers("lstm_forward")
def _lower_lstm_forward(
    builder: Builder,
    out: tuple[Operand, ...],
    x: Operand,
    w: Operand,
    u: Operand,
    b: Operand,
    h0: Optional = None,
    c0: Optional = None,
    mask: Optional = None,
    recurrent_mask: Optional = None,
    *,
    reverse: bool = False,
) -> None:
    outputs, last, cells, gates = out
    x, w, u, b, h0, c0, dropped = _in_order(
        builder, outputs.dtype, x, w, u, b, h0, c0, recurrent_mask
    )
    by_step = forward_by_step(x, w, u)
    if not by_step:
        builder.lower("gemm", rows_of(gates), rows_of(x), w, bias=b)
    masks = masks_in(dropped)
    operands = {f.U: u, f.W: w if by_step else None, f.B: b, f.X: x, f.MASK: _mask(builder, mask)}
    operands |= {f.RECURRENT_MASK: dropped, f.H0: h0, f.C0: c0, f.OUTPUTS: outputs}
    operands |= {f.CELLS: cells, f.GATES: gates, f.LAST: last}
    groups = max(1, masks)
    _run(
        builder, _lstm_kernels.lstm_forward, operands, 4,
        masks=masks, groups=groups, reverse=reverse,
    )  # fmt: skip


@lowers("lstm_backward")
def _lower_lstm_backward(
    builder: Builder,
    out: tuple[Operand, ...],
    x: Operand,
    w: Operand,
    u: Operand,
    b: Operand,
    h0: Optional,
    c0: Optional,
    mask: Optional,
    recurrent_mask: Optional,
    outputs: Operand,
    cells: Operand,
    gates: Operand,
    d_outputs: Optional = None,
    d_last: Optional = None,
    d_cells: Optional = None,
    *,
    reverse: bool = False,
    inputs: bool = True,
    weights: bool = True,
) -> None:
    dtype = out[-1].dtype
    (dx, dw, du, db), (dh0, dc0) = _split(out, inputs, weights)
    x, w, u, h0, c0, dropped = _in_order(builder, dtype, x, w, u, h0, c0, recurrent_mask)
    outputs, cells, gates = _in_order(builder, dtype, outputs, cells, gates)
    d_outputs, d_last, d_cells = _in_order(builder, dtype, d_outputs, d_last, d_cells)
    masks = masks_in(dropped)
    left = left_factors(builder, x, outputs.shape[2], masks) if weights else None
    by_step = dx is not None and inputs_by_step(x, w, u)
    in_panels = weights and masks <= 1 and (dx is None or by_step)
    shape, panel_rows = gates_shape(x, u, in_panels)
    d_gates = builder.temporary(shape, dtype)
    operands = {f.U: u, f.MASK: _mask(builder, mask), f.RECURRENT_MASK: dropped, f.H0: h0}
    operands |= {f.C0: c0, f.OUTPUTS: outputs, f.CELLS: cells, f.GATES: gates}
    operands |= {f.LAST: dh0, f.D_LAST: d_last, f.D_OUTPUTS: d_outputs, f.D_CELLS: d_cells}
    operands |= {f.D_GATES: d_gates, f.LEFT: left, f.X: x, f.C_FIRST: dc0}
    operands |= {f.W: w if by_step else None, f.D_X: dx if by_step else None}
    operands[f.ONE] = builder.constant(np.ones(1, dtype))
    groups = max(1, masks)
    _run(
        builder, _lstm_kernels.lstm_backward, operands, 4, masks=masks, groups=groups,
        reverse=reverse, transposed=True, panel_rows=panel_rows,
    )  # fmt: skip
    if dx is not None and not by_step:
        lower_inputs(builder, dx, d_gates, w)
    if left is not None:
        lower_weights(builder, d_gates, left, dw, du, db, panel_rows)


# ---- gated recurrent unit ----------------------------------------------------------------


@lowers("gru_forward")
def _lower_gru_forward(
    builder: Builder,
    out: tuple[Operand, ...],
    x: Operand,
    w: Operand,
    u: Operand,
    b: Operand,
    h0: Optional = None,
    mask: Optional = None,
    recurrent_mask: Optional = None,
    *,
    reset_after: bool = True,
    reverse: bool = False,
) -> None:
    outputs, last, gates, inner = out
    x, w, u, b, h0, dropped = _in_order(builder, outputs.dtype, x, w, u, b, h0, recurrent_mask)
    bias = b.view(b.shape[1:]) if reset_after else b
    recurrent_bias = b.view(b.shape[1:], offset=b.strides[0]) if reset_after else None
    by_step = forward_by_step(x, w, u)
    if not by_step:
        builder.lower("gemm", rows_of(gates), rows_of(x), w, bias=bias)
    masks = masks_in(dropped)
    operands = {f.U: u, f.W: w if by_step else None, f.B: bias, f.X: x, f.H0: h0}
    operands |= {f.MASK: _mask(builder, mask), f.RECURRENT_MASK: dropped}
    operands |= {f.OUTPUTS: outputs, f.GATES: gates, f.INNER: inner, f.LAST: last}
    operands[f.RECURRENT_BIAS] = recurrent_bias
    groups = max(1, masks) if reset_after else 3
    _run(
        builder, _gru_kernels.gru_forward, operands, 3,
        masks=masks, groups=groups, reverse=reverse, option=reset_after,
    )  # fmt: skip


@lowers("gru_backward")
def _lower_gru_backward(
    builder: Builder,
    out: tuple[Operand, ...],
    x: Operand,
    w: Operand,
    u: Operand,
    b: Operand,
    h0: Optional,
    mask: Optional,
    recurrent_mask: Optional,
    outputs: Operand,
    gates: Operand,
    inner: Operand,
    d_outputs: Optional = None,
    d_last: Optional = None,
    *,
    reset_after: bool = True,
    reverse: bool = False,
    inputs: bool = True,
    weights: bool = True,
) -> None:
    dtype = out[-1].dtype
    (dx, dw, du, db), (dh0,) = _split(out, inputs, weights)
    x, w, u, h0, dropped = _in_order(builder, dtype, x, w, u, h0, recurrent_mask)
    outputs, gates, inner = _in_order(builder, dtype, outputs, gates, inner)
    d_outputs, d_last = _in_order(builder, dtype, d_outputs, d_last)
    masks = masks_in(dropped)
    units = outputs.shape[2]
    d_gates = builder.temporary(gates.shape, dtype)
    d_inner = builder.temporary(outputs.shape, dtype) if reset_after else None
    left = left_factors(builder, x, units, masks) if weights else None
    operands = {f.U: u, f.MASK: _mask(builder, mask), f.RECURRENT_MASK: dropped, f.H0: h0}
    operands |= {f.OUTPUTS: outputs, f.GATES: gates, f.INNER: inner}
    operands |= {f.LAST: dh0, f.D_LAST: d_last, f.D_OUTPUTS: d_outputs}
    operands |= {f.D_GATES: d_gates, f.D_INNER: d_inner, f.LEFT: left, f.X: x}
    operands[f.ONE] = builder.constant(np.ones(1, dtype))
    if not reset_after:
        operands[f.ONES] = builder.constant(np.ones(units, dtype))
    groups = max(1, masks) if reset_after else 3
    _run(
        builder, _gru_kernels.gru_backward, operands, 3,
        masks=masks, groups=groups, reverse=reverse, option=reset_after, transposed=True,
    )  # fmt: skip
    if dx is not None:
        lower_inputs(builder, dx, d_gates, w)
    if left is not None:
        lower_gru_weights(builder, d_gates, d_inner, inner, left, dw, du, db)


# ---- simple recurrent network ------------------------------------------------------------


@lowers("simple_rnn_forward")
def _lower_simple_rnn_forward(
    builder: Builder,
    out: tuple[Operand, ...],
    x: Operand,
    w: Operand,
    u: Operand,
    b: Operand,
    h0: Optional = None,
    mask: Optional = None,
    recurrent_mask: Optional = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
) -> None:
    outputs, last = out
    x, w, u, b, h0, dropped = _in_order(builder, outputs.dtype, x, w, u, b, h0, recurrent_mask)
    products = builder.temporary(outputs.shape, outputs.dtype)
    builder.lower("gemm", rows_of(products), rows_of(x), w, bias=b)
    operands = {f.U: u, f.MASK: _mask(builder, mask), f.RECURRENT_MASK: dropped, f.H0: h0}
    operands |= {f.OUTPUTS: outputs, f.LAST: last, f.INPUTS: products}
    _run(
        builder, _simple_rnn_kernels.simple_rnn_forward, operands, 1,
        masks=masks_in(dropped), groups=1, reverse=reverse, option=_number_of(activation),
    )  # fmt: skip


@lowers("simple_rnn_backward")
def _lower_simple_rnn_backward(
    builder: Builder,
    out: tuple[Operand, ...],
    x: Operand,
    w: Operand,
    u: Operand,
    b: Operand,
    h0: Optional,
    mask: Optional,
    recurrent_mask: Optional,
    outputs: Operand,
    d_outputs: Optional = None,
    d_last: Optional = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
    inputs: bool = True,
    weights: bool = True,
) -> None:
    dtype = out[-1].dtype
    (dx, dw, du, db), (dh0,) = _split(out, inputs, weights)
    x, w, u, h0, dropped = _in_order(builder, dtype, x, w, u, h0, recurrent_mask)
    outputs, d_outputs, d_last = _in_order(builder, dtype, outputs, d_outputs, d_last)
    masks = masks_in(dropped)
    shape, panel_rows = gates_shape(x, u, weights and dx is None)
    d_gates = builder.temporary(shape, dtype)
    left = left_factors(builder, x, outputs.shape[2], masks) if weights else None
    operands = {f.U: u, f.MASK: _mask(builder, mask), f.RECURRENT_MASK: dropped, f.H0: h0}
    operands |= {f.OUTPUTS: outputs, f.LAST: dh0, f.D_LAST: d_last, f.D_OUTPUTS: d_outputs}
    operands |= {f.D_GATES: d_gates, f.LEFT: left, f.X: x}
    operands[f.ONE] = builder.constant(np.ones(1, dtype))
    _run(
        builder, _simple_rnn_kernels.simple_rnn_backward, operands, 1,
        masks=masks, groups=1, reverse=reverse, option=_number_of(activation),
        transposed=True, panel_rows=panel_rows,
    )  # fmt: skip
    if dx is not None:
        lower_inputs(builder, dx, d_gates, w)
    if left is not None:
        lower_weights(builder, d_gates, left, dw, du, db, panel_rows)


def _number_of(activation: str) -> int:
    return _simple_rnn_kernels.ACTIVATIONS.index(activation)
