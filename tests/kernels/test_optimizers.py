"""Optimizer updates against their formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad_kernels import cpu

SIZES = [0, 1, 37, 40_000]


def vectors(count: int, size: int, dtype: type) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.normal(size=size).astype(dtype) for _ in range(count)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
def test_sgd(size, dtype):
    tolerance = 8 * np.finfo(dtype).eps
    p, g, v = vectors(3, size, dtype)
    expected = p.astype(np.float64) - 0.1 * g
    cpu.sgd_update(p, g, None, np.array(0.1, dtype))
    np.testing.assert_allclose(p, expected, tolerance, tolerance)
    for nesterov in (False, True):
        p, g, v = vectors(3, size, dtype)
        velocity = 0.9 * v.astype(np.float64) - 0.1 * g
        step = 0.9 * velocity - 0.1 * g if nesterov else velocity
        expected = p + step
        cpu.sgd_update(p, g, v, 0.1, 0.9, nesterov)
        np.testing.assert_allclose(v, velocity, tolerance, tolerance)
        np.testing.assert_allclose(p, expected, tolerance, tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
def test_adam(size, dtype):
    tolerance = 20 * np.finfo(dtype).eps
    p, g = vectors(2, size, dtype)
    m, v = np.zeros_like(p), np.zeros_like(p)
    wide, first, second = p.astype(np.float64), np.zeros(size), np.zeros(size)
    for step in range(1, 4):
        cpu.adam_update(p, g, m, v, 0.01, 0.9, 0.999, 1e-7, np.array(step))
        first = 0.9 * first + 0.1 * g
        second = 0.999 * second + 0.001 * g.astype(np.float64) ** 2
        rate = 0.01 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        wide = wide - rate * first / (np.sqrt(second) + 1e-7)
        np.testing.assert_allclose(p, wide, tolerance, tolerance)
        g = -g / 2
    np.testing.assert_allclose(m, first, tolerance, tolerance)
    np.testing.assert_allclose(v, second, tolerance, tolerance)


def test_zero_gradients_leave_parameters():
    p = np.ones(3, np.float32)
    zero = np.zeros(3, np.float32)
    cpu.adam_update(p, zero, zero.copy(), zero.copy(), 0.1, 0.9, 0.999, 1e-7, 1)
    np.testing.assert_array_equal(p, np.ones(3, np.float32))


def test_wrong_arguments():
    p = np.ones(4, np.float32)
    with pytest.raises(ValueError, match="gradients has shape"):
        cpu.sgd_update(p, np.ones(3, np.float32), None, 0.1)
    with pytest.raises(ValueError, match="gradients has shape"):
        cpu.sgd_update(p, np.ones(4), None, 0.1)
    with pytest.raises(TypeError, match="parameters is int64"):
        cpu.sgd_update(np.ones(4, np.int64), p, None, 0.1)
    with pytest.raises(ValueError, match="contiguous"):
        cpu.sgd_update(np.ones((8,), np.float32)[::2], p, None, 0.1)
    read_only = np.ones(4, np.float32)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        cpu.sgd_update(read_only, p, None, 0.1)
    cpu.sgd_update(p, read_only, None, 0.1)
    with pytest.raises(ValueError, match="needs a velocity"):
        cpu.sgd_update(p, p, None, 0.1, 0.9)
    with pytest.raises(ValueError, match="step is 0"):
        cpu.adam_update(p, p, p.copy(), p.copy(), 0.1, 0.9, 0.999, 1e-7, 0)
