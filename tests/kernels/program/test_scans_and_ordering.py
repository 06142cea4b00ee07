"""Running sums and sorting as rows of a program."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

from tapegrad_kernels.cpu.program.lowering import NotNative

RANDOM = np.random.default_rng(0)
REALS = pytest.mark.parametrize("dtype", ["float32", "float64"])
SHAPES = [(7,), (5, 1), (3, 4, 5), (2, 0, 3), (600, 40), (40, 600)]


def normal(*shape, dtype="float32"):
    return RANDOM.standard_normal(shape).astype(dtype)


@REALS
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"])
def test_scans(name, reverse, dtype):
    for shape in SHAPES:
        x = normal(*shape, dtype=dtype)
        for axis in (None, *range(-len(shape), len(shape))):
            assert_same_bits(name, x, axis=axis, reverse=reverse)
    x = normal(40, 600, dtype=dtype)
    for view in (x.T, x[::2, ::-1]):
        for axis in (None, 0, 1):
            assert_same_bits(name, view, axis=axis, reverse=reverse)
    x[3, 4], x[5, 5] = np.nan, np.inf
    assert_same_bits(name, x, axis=1, reverse=reverse)


@REALS
def test_long_sums(dtype):
    for reverse in (False, True):
        assert_same_bits("cumsum", normal(3, 40_000, dtype=dtype), axis=1, reverse=reverse)
        assert_same_bits("cumsum", np.full(20_000, -0.0, dtype), axis=0, reverse=reverse)


@REALS
def test_linear_scan(dtype):
    for shape in SHAPES:
        a, b = normal(*shape, dtype=dtype), normal(*shape, dtype=dtype)
        for axis in range(len(shape)):
            for reverse in (False, True):
                assert_same_bits("linear_scan", a, b, axis=axis, reverse=reverse)
    assert_same_bits("linear_scan", normal(5), normal(5, dtype="float64"))
    assert_same_bits("linear_scan", np.arange(5), normal(10)[::2])


@REALS
@pytest.mark.parametrize("descending", [False, True])
def test_argsort(descending, dtype):
    for shape in ((7,), (5, 1), (3, 4, 5), (2, 0, 3), (300, 70), (2, 5000)):
        x = RANDOM.integers(-9, 9, shape).astype(dtype)
        for axis in (None, *range(-len(shape), len(shape))):
            assert_same_bits("argsort", x, axis=axis, descending=descending)
    x[0, :4] = np.nan, -0.0, np.inf, -np.inf
    assert_same_bits("argsort", x, descending=descending)
    assert_same_bits("argsort", x.T, axis=0, descending=descending)
    assert_same_bits("sort", x, descending=descending)
    assert_same_bits("sort", x.T, axis=0, descending=descending)


@REALS
def test_top_k(dtype):
    for shape, k in (((9,), 3), ((4, 6), 6), ((3, 5), 0), ((40, 200), 5), ((40, 200), 100)):
        x = RANDOM.integers(-9, 9, shape).astype(dtype)
        assert_same_bits("top_k", x, k=k)
        assert_same_bits("top_k", x[..., ::-1], k=k, sorted=False)
    assert_same_bits("top_k", np.arange(9), k=4)


def test_what_numpy_does_is_left_to_it():
    for name, x in (("sort", normal(5)), ("argsort", np.arange(5)), ("cumsum", np.arange(5))):
        with pytest.raises(NotNative):
            Native(name, (x,), {}, x)
