"""Convolutions and their gradients as rows of a program."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

from tapegrad_kernels import cpu

# x, w, settings: by each algorithm, small and large enough for several threads.
SHAPES = [
    ((2, 5, 6, 3), (3, 3, 3, 4), {}),
    ((6, 26, 28, 8), (3, 3, 8, 40), {}),
    ((3, 24, 28, 30), (3, 3, 30, 64), {"padding": "same"}),
    ((16, 20, 20, 1), (5, 5, 1, 20), {"padding": "same"}),
    ((40, 5, 5, 32), (3, 3, 32, 64), {}),
    ((90, 4, 4, 10), (4, 3, 10, 40), {"padding": ((1, 0), (2, 2))}),
    ((5, 27, 27, 12), (3, 3, 12, 48), {"strides": (2, 2), "padding": "same"}),
    ((4, 20, 20, 16), (3, 3, 8, 32), {"groups": 2, "dilation": 2}),
    ((2, 1, 900, 4), (1, 5, 4, 8), {"padding": ((0, 0), (4, 0))}),
    ((3, 7, 9, 5), (1, 1, 5, 6), {}),
    ((3, 7, 9, 5), (3, 2, 1, 10), {"groups": 5, "strides": 2}),
]


def normal(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("x_shape", "w_shape", "how"), SHAPES)
def test_convolutions_and_gradients(x_shape, w_shape, how, dtype):
    x, w = normal(x_shape, dtype), normal(w_shape, dtype, 1)
    y = cpu.conv2d(x, w, **how)
    assert_same_bits("conv2d", x, w, activation=None, **how)
    assert_same_bits("conv2d_input_grad", y, w, x_shape=x_shape, **how)
    assert_same_bits("conv2d_kernel_grad", x, y, w_shape=w_shape, **how)


@pytest.mark.parametrize("activation", [None, "linear", "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize(("x_shape", "w_shape", "how"), [SHAPES[0], SHAPES[2], *SHAPES[-2:]])
def test_bias_and_activation(x_shape, w_shape, how, activation):
    x, w, bias = normal(x_shape), normal(w_shape, seed=1), normal(w_shape[3:], seed=2)
    assert_same_bits("conv2d_with_bias", x, w, bias, activation=activation, **how)
    assert_same_bits("conv2d", x, w, activation=activation, **how)


def test_views():
    x, w = normal((3, 8, 7, 12)).swapaxes(1, 3)[:, ::-1, :, 4:], normal((3, 3, 8, 6))[:, :, ::2]
    bias = normal(12)[::2]
    dy = np.asfortranarray(cpu.conv2d(x, w))
    assert_same_bits("conv2d_with_bias", x, w, bias)
    assert_same_bits("conv2d_input_grad", dy, w, x_shape=x.shape)
    assert_same_bits("conv2d_kernel_grad", x, dy, w_shape=w.shape)


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "how"),
    [
        ((0, 5, 5, 2), (3, 3, 2, 4), {}),
        ((2, 3, 0, 2), (1, 1, 2, 4), {"padding": "same"}),
        ((0, 5, 5, 2), (3, 3, 1, 2), {"groups": 2}),
    ],
)
def test_without_elements(x_shape, w_shape, how):
    x, w = normal(x_shape), normal(w_shape)
    y = cpu.conv2d(x, w, **how)
    assert_same_bits("conv2d", x, w, **how)
    assert_same_bits("conv2d_input_grad", y, w, x_shape=x_shape, **how)
    assert_same_bits("conv2d_kernel_grad", x, y, w_shape=w_shape, **how)


def test_runs_again_with_other_numbers():
    """What a run leaves in its record and its workspace is nothing to the next."""
    x, w = normal((8, 20, 20, 16)), normal((3, 3, 16, 32), seed=1)
    native = Native("conv2d_kernel_grad", (x, cpu.conv2d(x, w)), {"w_shape": w.shape}, w)
    native.run()
    native.arguments[0][...] = 2 * x
    native.run()
    np.testing.assert_array_equal(
        native.results[0], cpu.conv2d_kernel_grad(2 * x, cpu.conv2d(x, w), w.shape)
    )
