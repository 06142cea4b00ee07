"""Concatenation, stacking and padding as rows of a program."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import assert_same_bits

X = np.arange(2 * 3 * 4.0).reshape(2, 3, 4)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, None])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
def test_concatenate(axis, dtype):
    x = X.astype(dtype)
    assert_same_bits("concatenate", x, x[:, ::-1], x, axis=axis)
    assert_same_bits("concatenate", x, x.astype("float64"), axis=axis)


def test_concatenate_along_one_axis():
    assert_same_bits("concatenate", X[:0], X, X[:1], X[:0], axis=0)
    assert_same_bits("concatenate", X[..., 1:], X[..., :0], X.repeat(20, axis=2), axis=2)
    wide = np.random.default_rng(0).random((300, 40, 30), "float32")
    assert_same_bits("concatenate", wide, wide[..., :17], axis=2)
    assert_same_bits("concatenate", wide[:, :1], wide.astype("int64"), axis=1)


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_stack(axis):
    assert_same_bits(
        "stack", X, X.swapaxes(0, 1).copy().swapaxes(0, 1), X.astype("float32"), axis=axis
    )


@pytest.mark.parametrize(
    "pad_width",
    [1, (2, 1), ((0, 0), (1, 2), (3, 0)), [(1, 0), (0, 0), (0, 40)], ((0, 0), (0, 0), (0, 0))],
)
@pytest.mark.parametrize("value", [0, -1.5])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_pad(pad_width, value, dtype):
    x = X.astype(dtype)
    assert_same_bits("pad", x, pad_width=pad_width, constant_values=value)
    assert_same_bits("pad", x.T, pad_width=pad_width, constant_values=value)


def test_pad_of_images():
    x = np.random.default_rng(0).random((20, 30, 31, 16), "float32")
    assert_same_bits("pad", x, pad_width=((0, 0), (2, 1), (0, 3), (0, 0)), constant_values=0)
    assert_same_bits("pad", x[:0], pad_width=1)
    assert_same_bits("pad", x[:, :0], pad_width=((1, 2), (1, 1), (0, 0), (0, 0)))
