"""What metrics add up over batches, as rows of a program."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad_kernels._compile import block, on_warmup
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher
from tapegrad_kernels._compile.pointers import float64_at, int64_at, pack
from tapegrad_kernels.cpu import metrics
from tapegrad_kernels.cpu.metrics import Plan, finish_block, matched_shape, plan
from tapegrad_kernels.cpu.optimizers._settings import read_settings
from tapegrad_kernels.cpu.program.builder import Builder
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand
from tapegrad_kernels.cpu.program.updates import setting_words

REALS = (np.dtype(np.float32), np.dtype(np.float64))


@block("accumulate_loss")
def loss_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Add a loss times the number of samples to a total, and that number to a count.

    The record holds the address of both, the kinds of two settings, and these: the loss and the
    number (see `optimizers._settings`).
    """
    packed = int64_at(record)
    values = pack((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    read_settings(packed[1], record + 16, values)
    counted, loss, samples = float64_at(packed[0]), float64_at(values)[0], float64_at(values)[1]
    counted[0] += loss * samples
    counted[1] += samples


def _checked_counted(counted: Operand) -> None:
    if counted.dtype != np.float64 or counted.shape != (2,) or not counted.is_contiguous:
        raise NotNative("what was counted is no vector of 2 float64")


def _operand(b: Builder, x: Any) -> Operand:
    return x if isinstance(x, Operand) else b.constant(np.asarray(x))


def _real(b: Builder, x: Any) -> Operand:
    operand = _operand(b, x)
    return b.contiguous(operand, operand.dtype if operand.dtype in REALS else np.float64)


def _plan(shape: tuple[int, ...], weights: Operand | None, classes: int = 1) -> Plan:
    try:
        return plan(shape, None if weights is None else weights.shape, classes)
    except ValueError as error:
        raise NotNative(str(error)) from None


def _broadcast(b: Builder, weights: Operand, how: Plan) -> Operand:
    """Weights of the plan's shape in float64."""
    if weights.ndim > len(how.shape):
        weights = weights.view(weights.shape[:-1], weights.strides[:-1])
    if weights.shape == how.shape:
        return b.contiguous(weights, np.float64)
    target = b.temporary(how.shape, np.float64)
    b.copy(weights, target)
    return target


def _accumulate(
    b: Builder,
    kind: int,
    counted: Operand,
    x: Operand,
    labels: Operand,
    weights: Operand | None,
    how: Plan,
    threshold: float = 0.0,
) -> None:
    if how.rows * how.inner == 0:
        return
    given: Any = 0 if weights is None else _broadcast(b, weights, how)
    sums = b.temporary((how.parts,), np.float64)
    block, words = metrics.ROW_BLOCKS[x.dtype], (kind, x, labels, given, sums)
    words = (*words, how.inner, how.classes, how.chunk, threshold)
    if how.parts == 1:
        b.call(block, *words, start=0, stop=how.rows)
    else:  # not `run`, which cuts in its own way: each task has its partial sum
        tasks = b.record(block.address, b.record(*words), how.rows, how.chunk)
        b.call(parallel_launcher, chunk_block.address, tasks, how.parts)
    count = math.prod(how.shape)
    b.call(
        finish_block,
        counted, sums, how.parts, float(how.divisor), float(how.samples),
        given, count, float(how.weight_divisor),
    )  # fmt: skip


@lowers("accumulate_loss")
def _lower_loss(b: Builder, out: None, counted: Operand, loss: Any, *, samples: Any) -> None:
    _checked_counted(counted)
    kinds, words = setting_words(b, (loss, samples))
    b.call(loss_block, counted, kinds, *words)


@lowers("accumulate_mean")
def _lower_mean(b: Builder, out: None, counted: Operand, values: Any, weights: Any = None) -> None:
    _checked_counted(counted)
    x = _real(b, values)
    if weights is not None:
        weights = _operand(b, weights)
        if x.ndim == 0 and weights.ndim != 0:
            raise NotNative("several weights of one value")
    _accumulate(b, metrics.MEAN, counted, x, x, weights, _plan(x.shape, weights))


@lowers("count_matches")
def _lower_matches(
    b: Builder,
    out: None,
    counted: Operand,
    y_true: Any,
    y_pred: Any,
    weights: Any = None,
    *,
    kind: str,
    threshold: float = 0.5,
) -> None:
    _checked_counted(counted)
    number = metrics.KINDS[kind]
    x, labels = _real(b, y_pred), _operand(b, y_true)
    try:
        shape, classes = matched_shape(number, labels.shape, x.shape)
    except ValueError as error:
        raise NotNative(str(error)) from None
    if number == metrics.CATEGORICAL and labels.dtype == x.dtype:
        labels = b.contiguous(labels)
    else:
        labels = b.contiguous(labels, np.float64)
        if number == metrics.CATEGORICAL:
            x = b.contiguous(x, np.float64)
    if weights is not None:
        weights = _operand(b, weights)
    how = _plan(shape, weights, classes)
    _accumulate(b, number, counted, x, labels, weights, how, float(threshold))


@on_warmup("program metrics")
def _warm() -> None:
    loss_block.address  # noqa: B018
