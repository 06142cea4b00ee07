"""Reductions as rows of a program."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

from tapegrad_kernels.cpu.program.lowering import NotNative

RANDOM = np.random.default_rng(0)
SHAPES = [(), (1,), (7,), (5, 1), (3, 4), (2, 3, 4), (1, 1, 1), (3, 1, 5), (2, 3, 4, 5), (300, 7)]


def normal(*shape, dtype="float32"):
    x = RANDOM.standard_normal(shape).astype(dtype)
    return np.asarray(x)


def subsets(ndim):
    for size in range(1, ndim + 1):
        yield from itertools.combinations(range(ndim), size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod"])
def test_all_axes(name, dtype):
    for shape in SHAPES:
        x = normal(*shape, dtype=dtype)
        if shape:
            assert_same_bits(name, x)
        for axes in subsets(len(shape)):
            assert_same_bits(name, x, axis=axes)
            assert_same_bits(name, x, axis=axes, keepdims=True)
    assert_same_bits(name, normal(300, 7, dtype=dtype), axis=-1)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "any"])
def test_any_strides(name):
    x = normal(4, 6, 8)
    views = (
        x.T, x[::-1, :, ::2], x.transpose(1, 0, 2), x.transpose(2, 0, 1), x[:, 2:3],
        np.broadcast_to(x[:1], (3, 6, 8)), np.asfortranarray(x[:, 0]),
    )  # fmt: skip
    for view in views:
        for axes in subsets(view.ndim):
            assert_same_bits(name, view, axis=axes)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_large_arrays(name, dtype):
    """In parallel, and with partial results to join."""
    for shape in ((40_001,), (20_000, 3), (3, 20_000), (600, 1500), (2, 9000, 3), (40, 30, 40)):
        x = normal(*shape, dtype=dtype)
        for axes in subsets(len(shape)):
            assert_same_bits(name, x, axis=axes)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "uint32", "int64"])
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "any", "all", "mean"])
def test_integers(name, dtype):
    if name == "mean" and dtype == "int64":
        pytest.skip("left to NumPy")
    for shape in ((7,), (2, 3, 4), (30, 1000)):
        x = RANDOM.integers(0, 200, shape).astype(dtype)
        for axes in subsets(len(shape)):
            assert_same_bits(name, x, axis=axes)


def test_unsigned_sums_wrap_like_numpys():
    x = RANDOM.integers(0, 2**64 - 1, (5, 6), dtype=np.uint64)
    for name in ("sum", "prod", "any"):
        assert_same_bits(name, x, axis=0)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_positions(name, dtype):
    x = RANDOM.integers(0, 5, (6, 7, 8)).astype(dtype)
    for axis in (None, 0, 1, -1):
        assert_same_bits(name, x, axis=axis)
        assert_same_bits(name, x.T, axis=axis, keepdims=True)
    assert_same_bits(name, RANDOM.random((900, 300)).astype(dtype), axis=1)
    lowest = np.array([np.iinfo(np.int64).min, 0, np.iinfo(np.int64).max])
    assert_same_bits(name, lowest)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "argmax", "argmin", "any"])
def test_not_finite(name):
    x = normal(40, 30)
    x[3, 4], x[5, 4], x[7, 7], x[8, 8], x[9, 9] = np.nan, np.nan, np.inf, -np.inf, -0.0
    for axis in (None, 0, 1):
        with np.errstate(invalid="ignore"):
            assert_same_bits(name, x, axis=axis)
            assert_same_bits(name, np.full((2, 3), -0.0), axis=axis)


def test_nothing():
    for name in ("sum", "prod", "any", "all"):
        for shape, axis in (((0,), None), ((0, 3), 0), ((3, 0), 0), ((3, 0), 1)):
            assert_same_bits(name, np.zeros(shape), axis=axis)
    for name in ("mean", "max", "argmax"):
        with pytest.raises(NotNative):
            Native(name, (np.zeros((0, 3)),), {"axis": 0}, np.zeros(3))


@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 1), (), (2, 3, 4), (1, 3, 1)])
def test_sum_to_shape(shape):
    for dtype in ("float32", "int64"):
        x = np.asarray(normal(2, 3, 4) * 9).astype(dtype)
        assert_same_bits("sum_to_shape", x, shape=shape)
        assert_same_bits("sum_to_shape", x.transpose(0, 2, 1).copy().swapaxes(1, 2), shape=shape)
    assert_same_bits("sum_to_shape", normal(3, 4), shape=(1, 3, 4)[1:])
    assert_same_bits("sum_to_shape", normal(1, 3, 4), shape=(3, 4))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relu_bias_grad(dtype):
    for shape in ((32, 64), (5,), (2, 3, 4), (1000, 10), (257, 3), (3000, 300)):
        g, y = normal(*shape, dtype=dtype), normal(*shape, dtype=dtype)
        assert_same_bits("relu_bias_grad", g, y)
    assert_same_bits("relu_bias_grad", normal(4, 6, dtype=dtype)[:, ::2], y[:4, :3])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_column(dtype):
    for rows in (1, 4, 33, 5000):
        x = np.random.default_rng(rows).normal(size=(rows, 1)).astype(dtype)
        assert_same_bits("sum", x, axis=0)
        assert_same_bits("mean", x, axis=0)
