"""Scaled dot-product attention as rows of a program."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block
from tapegrad_kernels.cpu.attention import layout
from tapegrad_kernels.cpu.attention.interface import (
    BACKWARD,
    FORWARD,
    chunk_of,
    forward_parts,
    part_bytes_of,
    segments_of,
)
from tapegrad_kernels.cpu.attention.operands import offsets_of, rows_are_readable
from tapegrad_kernels.cpu.gemm.microkernel import tile_for
from tapegrad_kernels.cpu.gemm.table import table_address
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import broadcast_strides
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand

Optional = Operand | None
Words = dict[int, Any]
"""Words of a record by their places; the others are 0."""


def _matrices(builder: Builder, operand: Operand, dtype: Any) -> Operand:
    """An operand, or a copy, of which the kernels can read the matrices in the last two axes."""
    if operand.dtype == dtype and rows_are_readable(operand, operand.offset % dtype.itemsize == 0):
        return operand
    return builder.contiguous(operand, dtype)


def _stack(builder: Builder, operand: Operand, leading: tuple[int, ...]) -> tuple[Any, ...]:
    """Address, elements from row to row, and address of the offsets of each head."""
    strides = broadcast_strides(operand, leading + operand.shape[-2:])[: len(leading)]
    row = operand.strides[-2] // operand.itemsize
    return operand, row, builder.constant(offsets_of(leading, strides))


def _mask_words(
    builder: Builder, mask: Operand, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Words:
    if mask.dtype.kind == "f" and mask.dtype != dtype:
        mask = builder.contiguous(mask, dtype)
    if mask.dtype.kind not in "bf" or any(step % mask.itemsize for step in mask.strides):
        raise NotNative(f"attention with a mask {mask}")
    *strides, row, column = broadcast_strides(mask, shape)
    boolean = mask.dtype.kind == "b"
    return {
        layout.MASK: mask,
        layout.MASK_KIND: layout.BOOLEAN_MASK if boolean else layout.ADDED_MASK,
        layout.MASK_ROW: row,
        layout.MASK_COLUMN: column,
        layout.MASK_OFFSETS: builder.constant(offsets_of(shape[:-2], tuple(strides))),
    }


def _common_words(
    builder: Builder,
    q: Operand,
    k: Operand,
    v: Operand,
    mask: Optional,
    leading: tuple[int, ...],
    scale: float | None,
    causal: bool,
) -> Words:
    """The part of the record that both passes need."""
    words: Words = {
        layout.QUERIES: q.shape[-2],
        layout.DEPTH: q.shape[-1],
        layout.KEYS: v.shape[-2],
        layout.VALUE_DEPTH: v.shape[-1],
        layout.HEADS: math.prod(leading),
        layout.CAUSAL: bool(causal),
        layout.SCALE: 1 / math.sqrt(q.shape[-1] or 1) if scale is None else float(scale),
    }
    for first, operand in ((layout.Q, q), (layout.K, k), (layout.V, v)):
        words |= dict(zip(range(first, first + 3), _stack(builder, operand, leading)))
    if mask is not None:
        shape = *leading, q.shape[-2], k.shape[-2]
        words |= _mask_words(builder, mask, shape, q.dtype)
    return words


def _launch(
    builder: Builder,
    block: Block,
    dtype: np.dtype[Any],
    words: Words,
    tasks: int,
    products: int,
    elements: int,
) -> None:
    chunk = chunk_of(tasks, products)
    part_bytes = part_bytes_of(elements, dtype.itemsize)
    words |= {
        layout.TABLE: table_address(dtype.name),
        layout.CHUNK: chunk,
        layout.WORKSPACE: builder.scratch(-(-tasks // chunk) * part_bytes),
        layout.WORKSPACE_BYTES: part_bytes,
    }
    record = [words.get(place, 0) for place in range(layout.RECORD_LENGTH)]
    builder.run(block, *record, count=tasks, chunk=chunk)


@lowers("attention")
def _lower_attention(
    builder: Builder,
    outs: tuple[Operand, ...],
    query: Operand,
    key: Operand,
    value: Operand,
    mask: Optional = None,
    *,
    scale: float | None = None,
    causal: bool = False,
) -> None:
    out, logsumexp = outs
    if logsumexp.size == 0:
        return
    dtype, leading = out.dtype, out.shape[:-2]
    q, k, v = (_matrices(builder, operand, dtype) for operand in (query, key, value))
    words = _common_words(builder, q, k, v, mask, leading, scale, causal)
    (queries, depth), (keys, value_depth) = q.shape[-2:], v.shape[-2:]
    parts, products = forward_parts(dtype.name, queries, keys, depth, value_depth)
    words |= {layout.PARTS: parts, layout.OUT: out, layout.LOGSUMEXP: logsumexp}
    elements = layout.forward_elements(depth, value_depth, tile_for(dtype.name).columns)
    tasks = math.prod(leading) * parts
    _launch(builder, FORWARD[dtype.name], dtype, words, tasks, products, elements)


@lowers("attention_grad")
def _lower_attention_grad(
    builder: Builder,
    outs: tuple[Operand, ...],
    g: Operand,
    g_logsumexp: Any,
    query: Operand,
    key: Operand,
    value: Operand,
    out: Operand,
    logsumexp: Operand,
    mask: Optional = None,
    *,
    scale: float | None = None,
    causal: bool = False,
) -> None:
    dtype, leading = outs[0].dtype, out.shape[:-2]
    q, k, v, g = (_matrices(builder, operand, dtype) for operand in (query, key, value, g))
    (queries, depth), (keys, value_depth) = q.shape[-2:], v.shape[-2:]
    heads = math.prod(leading)
    words = _common_words(builder, q, k, v, mask, leading, scale, causal)
    words |= dict(zip(range(layout.G, layout.G + 3), _stack(builder, g, leading)))
    words[layout.G_LOGSUMEXP] = _direct(builder, g_logsumexp, logsumexp.shape, dtype)
    segments, segment = segments_of(heads, keys)
    shapes = (*leading, queries, depth), (*leading, keys, depth), (*leading, keys, value_depth)
    dq, dk, dv = (
        target if target.shape == shape else builder.temporary(shape, dtype)
        for target, shape in zip(outs, shapes)
    )
    parts = dq if segments == 1 else builder.temporary((segments, *dq.shape), dtype)
    words |= {layout.PARTS: segments, layout.SEGMENT: segment}
    words |= {layout.OUT: builder.contiguous(out, dtype)}
    words |= {layout.LOGSUMEXP: builder.contiguous(logsumexp, dtype)}
    words |= {layout.DQ: parts, layout.DK: dk, layout.DV: dv}
    if heads:
        products = queries * min(segment, keys) * (3 * depth + 2 * value_depth)
        elements = layout.backward_elements(depth, value_depth, tile_for(dtype.name).columns)
        tasks = heads * segments
        _launch(builder, BACKWARD[dtype.name], dtype, words, tasks, products, elements)
    if parts is not dq:
        builder.lower("sum", dq, parts, axis=0)
    for target, made in zip(outs, (dq, dk, dv)):
        if made is not target:
            builder.lower("sum_to_shape", target, made, shape=target.shape)


def _direct(
    builder: Builder, g_logsumexp: Any, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Operand | int:
    """The gradient by the logarithms, in full; 0 if there is none."""
    if not isinstance(g_logsumexp, Operand):
        if isinstance(g_logsumexp, float | int) and g_logsumexp == 0:
            return 0
        g_logsumexp = builder.constant(np.asarray(g_logsumexp))
    if g_logsumexp.shape == shape:
        return builder.contiguous(g_logsumexp, dtype)
    made = builder.temporary(shape, dtype)
    builder.copy(g_logsumexp, made)
    return made
