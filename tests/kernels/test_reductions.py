"""Sums, means and extremes against NumPy, and their accuracy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tapegrad_kernels import cpu

NAMES = ["sum", "mean", "prod", "max", "min"]
SHAPES = [(), (1,), (7,), (1025,), (3, 4), (5, 1), (2, 3, 4), (1, 1, 1), (40_000,), (600, 70)]


def all_axes(ndim: int) -> list[object]:
    subsets = [
        axes for size in range(ndim + 1) for axes in itertools.combinations(range(ndim), size)
    ]
    return [None, *range(-ndim, ndim), *subsets]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_like_numpy_in_every_layout(name, dtype):
    for shape in SHAPES:
        # Small integers (for products, signs): exact in any order.
        generator = np.random.default_rng(len(shape))
        x = generator.integers(-9, 10, shape).astype(dtype)
        if name == "prod":
            x = np.where(x < 0, -1, 1).astype(dtype)
        for axis in all_axes(len(shape)):
            for keepdims in (False, True):
                got = getattr(cpu, name)(x, axis=axis, keepdims=keepdims)
                want = np.asarray(getattr(np, name)(x, axis=axis, keepdims=keepdims))
                assert isinstance(got, np.ndarray)
                assert got.dtype == want.dtype
                assert got.shape == want.shape
                if name == "mean":
                    np.testing.assert_allclose(got, want, rtol=4 * np.finfo(dtype).eps, atol=1e-6)
                else:
                    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", NAMES)
def test_memory_orders_and_other_dtypes(name):
    x = np.arange(1.0, 25.0, dtype=np.float32).reshape(2, 3, 4)
    kernel, reference = getattr(cpu, name), getattr(np, name)
    for view in (x.T, x[:, ::-1], x[:, ::2], np.asfortranarray(x), x[..., 1:]):
        for axis in (None, 0, 1, (0, 2)):
            np.testing.assert_allclose(kernel(view, axis=axis), reference(view, axis=axis), 1e-6)
    for other in (np.arange(5), np.array([True, False]), np.ones(3, np.float16)):
        got, want = kernel(other), reference(other)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_nan_and_infinities(name, axis):
    for position in (0, 5, 699, 3 * 700 - 1):
        for value in (np.nan, np.inf, -np.inf):
            for dtype in (np.float32, np.float64):
                x = np.ones((3, 700), dtype)
                x.reshape(-1)[position] = value
                got = getattr(cpu, name)(x, axis=axis)
                np.testing.assert_array_equal(got, getattr(np, name)(x, axis=axis))
    both = np.ones((600, 600))
    both[0, 0], both[-1, -1] = np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        assert np.isnan(cpu.sum(both))
        assert np.isnan(cpu.sum(np.array([[np.inf], [-np.inf]]), axis=0)).all()


def test_nothing():
    empty = np.empty((0, 3), np.float32)
    assert cpu.sum(empty) == 0
    assert cpu.prod(empty) == 1
    np.testing.assert_array_equal(cpu.sum(empty, axis=0), np.zeros(3, np.float32))
    assert cpu.sum(empty, axis=1).shape == (0,)
    with pytest.raises(ValueError, match="zero-size"):
        cpu.max(empty)
    with pytest.warns(RuntimeWarning, match="empty"), np.errstate(invalid="ignore"):
        assert np.isnan(cpu.mean(empty))
    with pytest.raises(np.exceptions.AxisError):
        cpu.sum(empty, axis=2)
    with pytest.raises(ValueError, match="repeated axis"):
        cpu.sum(empty, axis=(0, 0))


@pytest.mark.parametrize(("dtype", "units"), [(np.float32, 2.0), (np.float64, 1.5)])
def test_accuracy_of_long_sums(dtype, units):
    """Within `units` ulp of the sum of the absolute values' rounding, however long."""
    x = np.random.default_rng(3).uniform(0.0, 1.0, 1_000_003).astype(dtype)
    exact = math.fsum(x)
    assert abs(float(cpu.sum(x)) - exact) <= units * np.spacing(dtype(exact))
    assert abs(float(cpu.mean(x)) - exact / x.size) <= units * np.spacing(dtype(exact / x.size))
    columns = x[:1_000_000].reshape(-1, 4)
    exact_columns = np.array([math.fsum(column) for column in columns.T])
    error = np.abs(cpu.sum(columns, axis=0) - exact_columns)
    assert np.all(error <= 12 * np.spacing(exact_columns.astype(dtype)))


def test_cancellation_is_compensated():
    """Neumaier's example over pieces: NumPy gives 0 or loses the small terms."""
    x = np.zeros(4 * 512)
    x[0], x[512], x[1024], x[1536] = 1.0, 1e100, 1.0, -1e100
    assert cpu.sum(x) == 2.0
