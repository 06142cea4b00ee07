"""Enlarging images against np.repeat and np.interp."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad_kernels import cpu

DTYPES = [np.float32, np.float64]
SHAPES = [(2, 3, 4, 5), (1, 1, 1, 1), (1, 5, 1, 33), (2, 20, 30, 16)]


def interpolated(x, axis, factor):
    centers = np.arange(x.shape[axis])
    places = (np.arange(x.shape[axis] * factor) + 0.5) / factor - 0.5
    return np.apply_along_axis(lambda row: np.interp(places, centers, row), axis, x)


def reference(x, size, interpolation):
    wide = x.astype(np.float64)
    if interpolation == "nearest":
        return wide.repeat(size[0], 1).repeat(size[1], 2)
    return interpolated(interpolated(wide, 1, size[0]), 2, size[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [(2, 2), (1, 3), (5, 1), (1, 1), (4, 3)])
@pytest.mark.parametrize("shape", SHAPES)
def test_upsample(shape, size, interpolation, dtype):
    generator = np.random.default_rng(0)
    x = generator.normal(size=shape).astype(dtype)
    how = {"size": size, "interpolation": interpolation}
    y = cpu.upsample2d(x, **how)
    assert y.dtype == dtype
    eps = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(y, reference(x, **how), rtol=eps, atol=eps)
    dy = generator.normal(size=y.shape).astype(dtype)
    dx = cpu.upsample2d_grad(dy, **how)
    assert dx.shape == shape
    assert dx.dtype == dtype
    h = generator.normal(size=shape)
    left = np.vdot(dx.astype(np.float64), h)
    right = np.vdot(dy.astype(np.float64), reference(h, **how))
    size_of_terms = np.sqrt(dy.size)
    np.testing.assert_allclose(left, right, rtol=0, atol=20 * eps * size_of_terms)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_views_other_dtypes_and_empty(interpolation):
    around = np.full((4, 9, 9, 20), np.nan, np.float32)
    x = around[1:3, 2:7, 1:8, 2:19]
    x[...] = np.random.default_rng(1).normal(size=x.shape)
    y = cpu.upsample2d(x, size=2, interpolation=interpolation)
    np.testing.assert_array_equal(y, cpu.upsample2d(x.copy(), size=2, interpolation=interpolation))
    dx = cpu.upsample2d_grad(y[:, ::-1], size=2, interpolation=interpolation)
    copied = cpu.upsample2d_grad(y[:, ::-1].copy(), size=2, interpolation=interpolation)
    np.testing.assert_array_equal(dx, copied)
    assert cpu.upsample2d(np.ones((1, 2, 2, 1), int), interpolation=interpolation).dtype == float
    empty = np.empty((0, 2, 3, 4), np.float32)
    assert cpu.upsample2d(empty, interpolation=interpolation).shape == (0, 4, 6, 4)
    assert cpu.upsample2d_grad(empty, size=(2, 3), interpolation=interpolation).shape == (
        0,
        1,
        1,
        4,
    )


def test_errors():
    x = np.zeros((1, 4, 4, 1))
    with pytest.raises(ValueError, match="interpolation is 'cubic'; expected 'nearest'"):
        cpu.upsample2d(x, interpolation="cubic")
    with pytest.raises(ValueError, match="upsample2d: size is 0"):
        cpu.upsample2d(x, size=0)
    with pytest.raises(ValueError, match=r"upsample2d: the input has shape .*four axes"):
        cpu.upsample2d(x[0])
    with pytest.raises(ValueError, match="are no multiples of size"):
        cpu.upsample2d_grad(x, size=3)
    with pytest.raises(TypeError, match="complex"):
        cpu.upsample2d(x * 1j)
