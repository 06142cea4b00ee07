"""Normalizations and moving averages as rows of a program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernels.program.native import assert_same_bits

from tapegrad_kernels import cpu

G = np.random.default_rng(0)
# Few channels, whose rows are folded; many; more elements than one thread takes.
COLUMNS = [(5, 3), (2, 7, 5, 6), (3, 4, 200), (8, 31, 33, 7), (4, 30, 30, 16), (0, 3), (2, 0)]
# (shape, axes that are normalized)
ROWS = [((5, 7), 1), ((2, 3, 4), 2), ((700, 100), 1), ((3, 20_000), 1), ((0, 3), 1), ((2, 0), 1)]


def draw(*shape: int, dtype: str = "float32", shift: float = 1.0) -> np.ndarray:
    return (G.normal(size=shape) + shift).astype(dtype)


def factors(channels: int, dtype: str, given: bool) -> tuple[Any, Any]:
    if not given:
        return None, None
    return draw(channels, dtype=dtype), draw(channels, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", COLUMNS)
@pytest.mark.parametrize("given", [False, True])
def test_batch_norm(shape, given, dtype):
    x, dy = draw(*shape, dtype=dtype), draw(*shape, dtype=dtype, shift=0.0)
    gamma, beta = factors(shape[-1], dtype, given)
    assert_same_bits("batch_norm", x, gamma, beta, epsilon=0.01)
    _, mean, variance = cpu.batch_norm(x, gamma, beta)
    assert_same_bits("batch_norm_grad", dy, x, gamma, mean, variance, epsilon=0.01)
    assert_same_bits("batch_norm_inference", x, gamma, beta, mean, variance)
    assert_same_bits("batch_norm_inference_grad", dy, x, gamma, mean, variance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("groups", [1, 3, 6])
@pytest.mark.parametrize("shape", [(2, 6), (3, 5, 5, 6), (4, 50, 50, 12), (0, 6), (3, 0, 6)])
def test_group_norm(shape, groups, dtype):
    x, dy = draw(*shape, dtype=dtype), draw(*shape, dtype=dtype, shift=0.0)
    for given in (False, True):
        gamma, beta = factors(shape[-1], dtype, given)
        assert_same_bits("group_norm", x, gamma, beta, groups=groups)
        _, mean, variance = cpu.group_norm(x, gamma, beta, groups=groups)
        assert_same_bits("group_norm_grad", dy, x, gamma, mean, variance, groups=groups)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "ndim"), ROWS)
@pytest.mark.parametrize("given", [False, True])
def test_rows(shape, ndim, given, dtype):
    x, dy = draw(*shape, dtype=dtype), draw(*shape, dtype=dtype, shift=0.0)
    row = shape[len(shape) - ndim :]
    gamma = draw(*row, dtype=dtype) if given else None
    beta = draw(*row, dtype=dtype) if given else None
    assert_same_bits("layer_norm", x, gamma, beta, ndim=ndim, epsilon=0.01)
    assert_same_bits("layer_norm_grad", dy, x, gamma, ndim=ndim, epsilon=0.01)
    assert_same_bits("rms_norm", x, gamma, ndim=ndim)
    assert_same_bits("rms_norm_grad", dy, x, gamma, ndim=ndim)
    assert_same_bits("unit_norm", x, ndim=ndim)
    assert_same_bits("unit_norm_grad", dy, x, ndim=ndim)


def test_views_and_several_dtypes():
    x, dy = draw(9, 8, 6)[::-1, :, ::2], draw(8, 9, 3).transpose(1, 0, 2)
    gamma, beta = draw(3, dtype="float64"), draw(6, dtype="float64")[::2]
    _, mean, variance = assert_same_bits("batch_norm", x, gamma, beta).results
    assert_same_bits("batch_norm_grad", dy, x, gamma, mean, variance)
    assert_same_bits("batch_norm_inference", x, gamma, beta, mean, variance)
    assert_same_bits("group_norm", x, gamma, beta, groups=3)
    assert_same_bits("layer_norm", x, gamma, beta)
    assert_same_bits("layer_norm_grad", dy, x, gamma)
    assert_same_bits("rms_norm_grad", dy, x, gamma)
    assert_same_bits("layer_norm", G.integers(0, 9, (4, 5)))


def test_infinities_reach_only_what_they_should():
    x, dy = draw(40, 3), draw(40, 3)
    x[3, 1] = np.inf
    mean, variance = draw(3), abs(draw(3))
    dx = assert_same_bits("batch_norm_inference_grad", dy, x, None, mean, variance).results[0]
    assert np.isfinite(dx).all()
    assert_same_bits("batch_norm_inference", x, None, None, mean, variance)
    with np.errstate(invalid="ignore"):
        assert_same_bits("layer_norm", x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (7,), (0,), (3, 50)])
def test_moving_averages(shape, dtype):
    average, value = np.array(draw(*shape), dtype), np.array(draw(*shape), dtype)
    for momentum in (0.99, 0, 1.0):
        assert_same_bits("moving_average_update", average, value, momentum)
    if len(shape) == 2:
        value = np.asfortranarray(value)
        assert_same_bits("moving_average_update", average, value, 0.9)
