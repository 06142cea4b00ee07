"""Random draws as rows of a program: the streams of the ordinary calls."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

from tapegrad_kernels import cpu

SHAPES = [(), (0,), (1,), (3,), (4,), (2, 3, 5), (64, 32), (301, 103)]
SEED, STREAM = np.array(2**64 - 3, np.uint64), np.array(11, np.uint64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_draws(shape, dtype):
    for name in ("random_uniform", "random_normal"):
        assert_same_bits(name, SEED, STREAM, shape=shape, dtype=dtype)
    for probability in (0.0, 0.3, 1.0, np.array(0.7), np.array(0.7, np.float32)):
        settings = {"shape": shape, "dtype": dtype, "probability": probability}
        assert_same_bits("random_bernoulli", SEED, STREAM, **settings)


def test_other_seeds_and_types():
    for seed in (5, -1, 2**64 - 1, np.array(-7), np.array(7, np.int32), np.array(-7, np.int8)):
        assert_same_bits("random_uniform", seed, STREAM, shape=10)
        assert_same_bits("random_normal", SEED, seed, shape=10)
    for dtype in ("int64", "bool", "uint8"):
        params = {"shape": 37, "probability": 0.5, "dtype": dtype}
        assert_same_bits("random_bernoulli", 1, STREAM, **params)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000, 70_000])
def test_permutations(n):
    assert_same_bits("random_permutation", SEED, STREAM, n=n)
    assert_same_bits("random_permutation", 3, 4, n=n)


def test_streams_are_read_when_the_rows_run():
    native = Native("random_normal", (SEED, STREAM), {"shape": (3,)}, np.zeros(3, "float32"))
    for stream in (11, 12, 2**64 - 1):
        native.arguments[1][...] = stream
        assert native.run() == 0
        np.testing.assert_array_equal(
            native.results[0], cpu.random_normal(SEED, stream, shape=(3,))
        )


def test_probabilities_out_of_range_set_the_status():
    for chance in (-0.1, 1.1, np.nan):
        params = {"shape": (5,), "probability": np.array(chance)}
        native = Native("random_bernoulli", (SEED, STREAM), params, np.zeros(5, "float32"))
        assert native.run() != 0
