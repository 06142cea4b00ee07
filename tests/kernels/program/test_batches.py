"""Batches for the repetitions of a program."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad_kernels.cpu.program import Builder, Layout, Operand
from tapegrad_kernels.cpu.program.batches import (
    lower_gather_batch,
    lower_slice_batch,
    lower_store_batch,
)
from tapegrad_kernels.cpu.program.operand import FIRST_FREE


def run_batches(source, batch, order, repetitions, first):
    """The batch that stands there after so many repetitions."""
    out = np.zeros((batch, *source.shape[1:]), source.dtype)
    arrays = [out, source] if order is None else [out, source, order]
    operands = [Operand(FIRST_FREE + i, 0, a.shape, a.dtype) for i, a in enumerate(arrays)]
    builder, layout = Builder(), Layout()
    if order is None:
        lower_slice_batch(builder, *operands)
    else:
        lower_gather_batch(builder, *operands)
    rows = layout.add(builder)
    layout.finish()
    frame = layout.frame(0, FIRST_FREE + len(arrays))
    for number, array in enumerate(arrays, FIRST_FREE):
        frame.bases[number] = id(array)
    frame.step = first
    assert frame.run(*rows, repetitions) == repetitions
    assert frame.step == first + repetitions
    return out


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(40,), (40, 3), (40, 2, 5), (40, 30_000)])
def test_batches(dtype, shape):
    generator = np.random.default_rng(0)
    source = generator.integers(0, 200, shape).astype(dtype)
    order = generator.permutation(40)
    for repetitions, first in ((1, 0), (3, 0), (2, 3)):
        rows = slice(8 * (first + repetitions - 1), 8 * (first + repetitions))
        found = run_batches(source, 8, order, repetitions, first)
        np.testing.assert_array_equal(found, source[order[rows]])
        found = run_batches(source, 8, None, repetitions, first)
        np.testing.assert_array_equal(found, source[rows])


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("shape", [(8,), (8, 3), (8, 0), (8, 30_000)])
def test_batches_that_are_stored(dtype, shape):
    """Each repetition writes its own rows and no others."""
    batch = np.random.default_rng(0).integers(1, 200, shape).astype(dtype)
    target = np.zeros((40, *shape[1:]), dtype)
    operands = [Operand(FIRST_FREE + i, 0, a.shape, a.dtype) for i, a in enumerate((batch, target))]
    builder, layout = Builder(), Layout()
    lower_store_batch(builder, *operands)
    rows = layout.add(builder)
    layout.finish()
    frame = layout.frame(0, FIRST_FREE + 2)
    frame.bases[FIRST_FREE:] = id(batch), id(target)
    frame.step = 1
    assert frame.run(*rows, 3) == 3
    expected = np.concatenate([np.zeros_like(batch), batch, batch, batch, np.zeros_like(batch)])
    np.testing.assert_array_equal(target, expected)


def test_two_programs_take_turns():
    """So many repetitions of one, then of the other, until all turns are over or one fails."""
    batch, other = np.full((2, 3), 1.0), np.full((1, 3), 2.0)
    frames, rows = [], []
    results = [np.zeros((8, 3)), np.zeros((8, 3))]
    for stored, target in zip((batch, other), results):
        builder, layout = Builder(), Layout()
        lower_store_batch(
            builder,
            *[Operand(FIRST_FREE + i, 0, a.shape, a.dtype) for i, a in enumerate((stored, target))],
        )
        rows.append(layout.add(builder))
        layout.finish()
        frame = layout.frame(0, FIRST_FREE + 2)
        frame.bases[FIRST_FREE:] = id(stored), id(target)
        frames.append(frame)
    assert frames[0].take_turns((*rows[0], 1), frames[1], (*rows[1], 2), 3) == 6
    assert [frame.step for frame in frames] == [3, 6]
    assert results[0][:, 0].tolist() == [1.0] * 6 + [0.0] * 2
    assert results[1][:, 0].tolist() == [2.0] * 6 + [0.0] * 2


def test_rows_of_nothing():
    empty = np.zeros((4, 0))
    assert run_batches(empty, 2, np.arange(4), 1, 0).shape == (2, 0)
    assert run_batches(empty, 2, None, 1, 0).shape == (2, 0)
