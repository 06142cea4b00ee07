"""Softmax, cross-entropy and sums of exponentials as rows of a program."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

from tapegrad_kernels import cpu

RANDOM = np.random.default_rng(0)
REALS = pytest.mark.parametrize("dtype", ["float32", "float64"])


def normal(*shape, dtype="float32"):
    return RANDOM.standard_normal(shape).astype(dtype)


@REALS
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_along_any_axis(name, dtype):
    for shape in ((32, 10), (5,), (2, 3, 4), (3, 200), (0, 4), (3, 0), (2000, 30)):
        x, g = normal(*shape, dtype=dtype), normal(*shape, dtype=dtype)
        for axis in range(-len(shape), len(shape)):
            assert_same_bits(name, x, axis=axis)
            assert_same_bits(f"{name}_grad", g, x, axis=axis)
    x = normal(6, 8, dtype=dtype)
    for view in (x.T, x[::2], x[:, ::-1]):
        assert_same_bits(name, view)
        assert_same_bits(f"{name}_grad", view, view, axis=0)
    x[1, 2], x[2, 2], x[3] = np.nan, np.inf, -np.inf
    assert_same_bits(name, x)


def test_softmax_of_other_types():
    assert_same_bits("softmax", np.arange(6).reshape(2, 3))
    assert_same_bits("softmax_grad", normal(2, 3), normal(2, 3, dtype="float64"))


@REALS
@pytest.mark.parametrize("labels", ["int64", "int32", "uint8", "uint64"])
def test_cross_entropy_with_labels(dtype, labels):
    for shape in ((32, 10), (4, 3, 5), (7,), (0, 5), (3000, 20)):
        x = normal(*shape, dtype=dtype)
        t = np.asarray(RANDOM.integers(0, shape[-1], shape[:-1])).astype(labels)
        assert_same_bits("softmax_cross_entropy", x, t)
        for g in (normal(*shape[:-1], dtype=dtype), np.ones((), dtype)):
            assert_same_bits("softmax_cross_entropy_grad", np.asarray(g), x, t)
    assert_same_bits(
        "softmax_cross_entropy", normal(6, 4).T, np.array([0, 9, 5, 9, 3, 9, 1, 9], labels)[::2]
    )


@REALS
def test_cross_entropy_with_probabilities(dtype):
    for shape in ((32, 10), (4, 3, 5), (7,), (0, 5), (3, 0)):
        x, g = normal(*shape, dtype=dtype), normal(*shape[:-1], dtype=dtype)
        for t in (RANDOM.random(shape), RANDOM.integers(0, 2, shape)):
            assert_same_bits("softmax_cross_entropy", x, t)
            assert_same_bits("softmax_cross_entropy_grad", np.asarray(g), x, t)


@pytest.mark.parametrize("wrong", [-1, 5, 2**40])
def test_labels_out_of_range_set_the_status(wrong):
    x, t = normal(4, 5), np.array([0, 4, wrong, 1])
    fine = np.zeros_like(t)
    losses = np.zeros(4, "float32")
    for name, arguments, out in (
        ("softmax_cross_entropy", (x, t), (losses, x)),
        ("softmax_cross_entropy_grad", (losses, x, t), x),
    ):
        native = Native(name, arguments, {}, out)
        assert native.run() != 0
        native.arguments[-1][...] = fine
        assert native.run() == 0


@REALS
def test_logsumexp(dtype):
    shapes = ((7,), (5, 1), (32, 10), (2, 3, 4), (1, 6), (3, 700), (2, 9000), (9000, 2), (20, 6000))
    for shape in shapes:
        x = normal(*shape, dtype=dtype)
        for axis in (None, *range(len(shape)), *([(0, 2), (0, 1)] if len(shape) == 3 else [])):
            y = cpu.logsumexp(x, axis=axis, keepdims=True)
            assert_same_bits("logsumexp", x, axis=axis)
            assert_same_bits("logsumexp", x, axis=axis, keepdims=True)
            g = np.asarray(normal(*y.shape, dtype=dtype))
            assert_same_bits("logsumexp_grad", g, x, y, axis=axis)
            assert_same_bits("logsumexp_grad", np.ones((), dtype), x, y, axis=axis)
    x = normal(6, 8, dtype=dtype)
    assert_same_bits("logsumexp", x.T, axis=0)
    x[1, 2], x[2, 2], x[3] = np.nan, np.inf, -np.inf
    for axis in (None, 0, 1):
        assert_same_bits("logsumexp", x, axis=axis)
    assert_same_bits("logsumexp", np.arange(6).reshape(2, 3), axis=0)
    assert_same_bits("logsumexp", np.zeros((0, 3), dtype), axis=1)
    few = np.zeros((0, 1), dtype)
    assert_same_bits("logsumexp_grad", few, np.zeros((0, 3), dtype), few, axis=1)
