"""Sums of metrics as rows of a program."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import assert_same_bits
from kernels.test_metrics import GENERATOR, KINDS, SHAPES, case, weights_for

STATE = np.array([3.25, 7.5])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
@pytest.mark.parametrize("shape", SHAPES)
def test_means(shape, dtype):
    values = (3 * GENERATOR.random(shape)).astype(dtype)
    for weights in weights_for(shape):
        if shape == () and weights is not None and weights.ndim:
            continue
        assert_same_bits("accumulate_mean", STATE.copy(), values, weights)
    assert_same_bits("accumulate_mean", STATE.copy(), values.T)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [(0,), (40,), (40, 1), (40, 3), (20_000, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_matches(kind, shape, dtype):
    true, pred = case(kind, shape, dtype)
    for weights in weights_for(shape):
        assert_same_bits("count_matches", STATE.copy(), true, pred, weights, kind=kind)
    other = true.astype(np.float32)
    assert_same_bits("count_matches", STATE.copy(), other[::-1], pred[::-1], kind=kind)


def test_thresholds():
    true, pred = case("binary", (40,), "float32")
    for threshold in (0.0, 0.3, 1.0):
        params = {"kind": "binary", "threshold": threshold}
        assert_same_bits("count_matches", STATE.copy(), true, pred, **params)


@pytest.mark.parametrize("loss", [0.1, np.array(0.1), np.array(0.1, np.float32), np.array(2)])
def test_losses(loss):
    assert_same_bits("accumulate_loss", STATE.copy(), loss, samples=33)
