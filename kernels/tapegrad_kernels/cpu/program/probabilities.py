"""Softmax, its logarithm, the cross-entropy fused with it, and sums of exponentials."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64
from tapegrad_kernels.cpu._softmax_kernels import TILE, block_of
from tapegrad_kernels.cpu.logsumexp import (
    PIECE,
    Axis,
    axes_of,
    matrix_of,
    pieces_of,
    plan_of,
    side_by_side,
)
from tapegrad_kernels.cpu.logsumexp import block_of as exponential_block
from tapegrad_kernels.cpu.program.axes import (
    axis_from_0,
    checked_indices,
    inverse,
    order_with_last,
    transposed,
)
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.copying import broadcast_strides
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand


def _real(out: Operand) -> np.dtype[Any]:
    if out.dtype not in (FLOAT32, FLOAT64):
        raise NotNative(f"probabilities of {out.dtype}")
    return out.dtype


def _add_rows(
    b: Builder, name: str, real: np.dtype[Any], height: int, width: int, *operands: Operand
) -> None:
    if height and width:
        chunk = max(1, TILE // width)
        b.run(block_of(name, real), *operands, width, count=height, chunk=chunk)


def _lower_along(name: str, b: Builder, out: Operand, axis: int, *inputs: Operand) -> None:
    """Rows of a kernel along any axis of operands of one shape."""
    real = _real(out)
    if any(x.shape != out.shape or x.dtype.kind not in "iubf" for x in inputs):
        raise NotNative(f"{name} of these arguments")
    axis = axis_from_0(axis, out.ndim)
    order = order_with_last(axis, out.ndim)
    rows = [b.contiguous(transposed(x, order), real) for x in inputs]
    width = out.shape[axis]
    last = axis == out.ndim - 1
    y = out if last else b.temporary(rows[0].shape, real)
    _add_rows(b, name, real, out.size // width if width else 0, width, *rows, y)
    if not last:
        b.copy(transposed(y, inverse(order)), out)


@lowers("softmax")
def _lower_softmax(b: Builder, out: Operand, x: Operand, *, axis: int = -1) -> None:
    _lower_along("softmax", b, out, axis, x)


@lowers("log_softmax")
def _lower_log_softmax(b: Builder, out: Operand, x: Operand, *, axis: int = -1) -> None:
    _lower_along("log_softmax", b, out, axis, x)


@lowers("softmax_grad")
def _lower_softmax_grad(
    b: Builder, out: Operand, g: Operand, y: Operand, *, axis: int = -1
) -> None:
    _lower_along("softmax_grad", b, out, axis, g, y)


@lowers("log_softmax_grad")
def _lower_log_softmax_grad(
    b: Builder, out: Operand, g: Operand, y: Operand, *, axis: int = -1
) -> None:
    _lower_along("log_softmax_grad", b, out, axis, g, y)


def _targets(
    b: Builder, targets: Operand, shape: tuple[int, ...], real: np.dtype[Any]
) -> tuple[Operand, str]:
    """Labels that have been checked, or probabilities; and the name of what they are."""
    if not isinstance(targets, Operand):
        targets = b.constant(np.asarray(targets))
    if targets.dtype.kind in "iu" and targets.shape == shape[:-1]:
        return checked_indices(b, targets, shape[-1]), "labels"
    if targets.shape == shape and targets.dtype.kind in "fiub":
        return b.contiguous(targets, real), "probabilities"
    raise NotNative("targets that do not fit")


@lowers("softmax_cross_entropy")
def _lower_cross_entropy(
    b: Builder, out: tuple[Operand, Operand], logits: Operand, targets: Operand
) -> None:
    losses, p = out
    real = _real(p)
    x = b.contiguous(logits, real)
    t, kind = _targets(b, targets, x.shape, real)
    if not x.size:
        b.copy(b.constant(np.zeros((), real)), losses)
    _add_rows(b, f"cross_entropy_{kind}", real, losses.size, x.shape[-1], x, t, losses, p)


@lowers("softmax_cross_entropy_grad")
def _lower_cross_entropy_grad(
    b: Builder, out: Operand, g: Any, probabilities: Operand, targets: Operand
) -> None:
    real = _real(out)
    p = b.contiguous(probabilities, real)
    t, kind = _targets(b, targets, p.shape, real)
    g = g if isinstance(g, Operand) else b.constant(np.asarray(g, real))
    scale = g
    if g.shape != p.shape[:-1]:
        scale = b.temporary(p.shape[:-1], real)
        b.copy(g, scale)
    scale = b.contiguous(scale, real)
    _add_rows(b, f"cross_entropy_{kind}_grad", real, scale.size, p.shape[-1], scale, p, t, out)


# ---- sums of exponentials --------------------------------------------------------------------


def _matrix(
    b: Builder, x: Operand, axes: tuple[int, ...], real: np.dtype[Any]
) -> tuple[Operand, int, int, bool, tuple[int, ...] | None]:
    """`x` as the matrix that `matrix_of` describes."""
    kept, reduced, leading, order = matrix_of(x.shape, axes)
    x = x if order is None else transposed(x, order)
    return b.contiguous(x, real), kept, reduced, leading, order


@lowers("logsumexp")
def _lower_logsumexp(
    b: Builder,
    out: Operand,
    x: Operand,
    *,
    axis: Axis = None,
    keepdims: bool = False,
) -> None:
    real = _real(out)
    axes = axes_of(axis, x.ndim)
    matrix, kept, reduced, leading, _ = _matrix(b, x, axes, real)
    if not reduced:
        raise NotNative("logsumexp of nothing")
    if not kept:
        return
    plan = plan_of(kept, reduced, leading)
    largest, sums = (b.temporary((kept * plan.parts,), real) for _ in range(2))
    work = [b.temporary(matrix.shape, real)] if plan.name == "short_rows" else []
    made = exponential_block(plan.name, real)
    words = (matrix, largest, sums, *work, plan.p, plan.q)
    b.run(made, *words, count=plan.tasks, chunk=plan.chunk)
    join = exponential_block("join", real)
    words = (largest, sums, out, plan.parts, plan.step, plan.between)
    b.run(join, *words, count=kept, chunk=PIECE // plan.parts)


@lowers("logsumexp_grad")
def _lower_logsumexp_grad(
    b: Builder,
    out: Operand,
    g: Any,
    x: Operand,
    y: Any,
    *,
    axis: Axis = None,
) -> None:
    real = _real(out)
    axes = axes_of(axis, x.ndim)
    matrix, kept, reduced, leading, order = _matrix(b, x, axes, real)
    if not x.size:
        return
    dx = out if order is None else b.temporary(matrix.shape, real)
    together = side_by_side(reduced, kept) if leading else 1
    few = []
    for value in (g, y):
        part = value if isinstance(value, Operand) else b.constant(np.asarray(value, real))
        expected = tuple([1 if i in axes else n for i, n in enumerate(x.shape)])
        shape = expected if order is None else tuple([expected[i] for i in order])
        spread = b.temporary((together, *shape), real)
        strides = broadcast_strides(part, expected)
        strides = strides if order is None else tuple([strides[i] for i in order])
        b.copy(part.view(shape, strides), spread)
        few.append(spread)
    if leading:
        made, width = exponential_block("grad_columns", real), kept * together
        words = (few[0], matrix, few[1], dx, width)
        b.run(made, *words, count=reduced // together, chunk=PIECE // width)
    else:
        pieces, chunk = pieces_of(reduced)
        made = exponential_block("grad_rows", real)
        words = (few[0], matrix, few[1], dx, reduced, pieces)
        b.run(made, *words, count=kept * pieces, chunk=chunk)
    if order is not None:
        b.copy(transposed(dx, inverse(order)), out)
