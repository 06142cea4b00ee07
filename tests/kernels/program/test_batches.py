"""Batches for the repetitions of a program."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad_kernels.cpu.program import Builder, Layout, Operand
from tapegrad_kernels.cpu.program.batches import lower_gather_batch, lower_slice_batch
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


def test_rows_of_nothing():
    empty = np.zeros((4, 0))
    assert run_batches(empty, 2, np.arange(4), 1, 0).shape == (2, 0)
    assert run_batches(empty, 2, None, 1, 0).shape == (2, 0)
