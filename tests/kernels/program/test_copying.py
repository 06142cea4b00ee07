"""Copies and conversions as rows of a program."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import assert_same_bits

X = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)


@pytest.mark.parametrize("source", ["float32", "float64", "int64", "int8", "bool", "uint8"])
@pytest.mark.parametrize("target", ["float32", "float64", "int64", "int32", "bool", "uint64"])
def test_conversions(source, target):
    assert_same_bits("astype", (X % 3).astype(source), dtype=np.dtype(target))


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T,
        lambda x: x[::-1, :, ::2],
        lambda x: x[:, 1:2, :, 3],
        lambda x: x.transpose(1, 0, 3, 2),
        lambda x: x[:, :0],
        lambda x: x[1, 2, 3, 4],
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_assign_between_strides(view, dtype):
    x = X.astype(dtype)
    assert_same_bits("assign", np.zeros(view(x).shape, dtype), np.asarray(view(x)))
    assert_same_bits("assign", np.asarray(view(np.zeros_like(x))), np.asarray(view(x)))


def test_large_copies_run_in_parallel():
    x = np.random.default_rng(0).random((301, 1003))
    assert_same_bits("assign", np.zeros((1003, 301)), x.T)
    assert_same_bits("assign", np.zeros((301, 1003)), x)
    assert_same_bits("assign", np.zeros((301, 1003), "float32"), x[:, ::-1])


def test_broadcasting():
    assert_same_bits("assign", np.zeros((4, 3)), np.array([1.0, 2.0, 3.0]))
    assert_same_bits("assign", np.zeros((4, 3)), np.array(7.0))
    assert_same_bits("assign", np.zeros((4, 3)), 7)
