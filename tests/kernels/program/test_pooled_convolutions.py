"""Convolution and pooling of its result, as one operation of a program."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import Native

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu.program import NotNative
from tapegrad_kernels.cpu.program.pooled_convolutions import can_be_pooled

# x, w, settings: by each algorithm, of one image to many, small and large enough for threads.
SHAPES = [
    ((32, 28, 28, 1), (3, 3, 1, 32), {"activation": "relu"}),
    ((33, 13, 13, 32), (3, 3, 32, 64), {"activation": "relu"}),
    ((2, 7, 6, 3), (3, 3, 3, 5), {"padding": "same"}),
    ((3, 24, 28, 30), (3, 3, 30, 64), {"padding": "same", "strides": 2}),
    ((1, 40, 40, 16), (3, 3, 8, 32), {"groups": 2, "dilation": 2}),
    ((7, 1, 600, 8), (1, 5, 8, 16), {"padding": ((0, 0), (4, 0)), "activation": "linear"}),
]
POOLS = [(2, None, "valid"), ((1, 3), 2, "same")]


def normal(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("pool_size", "strides", "padding"), POOLS)
@pytest.mark.parametrize(("x_shape", "w_shape", "how"), SHAPES)
def test_same_bits_as_one_after_the_other(
    x_shape, w_shape, how, pool_size, strides, padding, dtype
):
    if x_shape[1] == 1:
        pool_size = (1, 2)
    pool = {"pool_size": pool_size, "strides": strides, "padding": padding}
    named = {"pool_size": pool_size, "pool_strides": strides, "pool_padding": padding}
    x, w = normal(x_shape, dtype), normal(w_shape, dtype, 1)
    assert can_be_pooled(x.dtype, x_shape, w_shape, **how)
    for bias in (None, normal(w_shape[3:], dtype, 2)):
        operands = (x, w) if bias is None else (x, w, bias)
        y = cpu.conv2d(x, w, bias=bias, **how)
        largest, positions = cpu.max_pool2d(y, **pool)
        native = Native("conv2d_max_pool2d", operands, how | named, (largest, positions))
        native.run()
        native.run()
        np.testing.assert_array_equal(native.results[0], largest)
        np.testing.assert_array_equal(native.results[1], positions)
        mean = cpu.avg_pool2d(y, **pool)
        native = Native("conv2d_avg_pool2d", operands, how | named, mean)
        native.run()
        np.testing.assert_array_equal(native.results[0], mean)


def test_views():
    x, w, bias = normal((3, 1, 9, 8)).swapaxes(1, 3), normal((3, 3, 1, 8))[..., ::2], normal(8)[::2]
    y = cpu.conv2d(x, w, bias=bias)
    results = cpu.max_pool2d(y, pool_size=2)
    native = Native("conv2d_max_pool2d", (x, w, bias), {"pool_size": 2}, results)
    native.run()
    np.testing.assert_array_equal(native.results[0], results[0])
    np.testing.assert_array_equal(native.results[1], results[1])


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "how"),
    [
        ((2, 4, 4, 3), (1, 1, 3, 4), {}),
        ((2, 4, 4, 3), (3, 3, 1, 3), {"groups": 3}),
        ((2, 4, 4, 3), (3, 3, 3, 4), {"activation": "tanh"}),
        ((0, 4, 4, 3), (3, 3, 3, 4), {}),
    ],
)
def test_others_are_refused(x_shape, w_shape, how):
    x, w = normal(x_shape), normal(w_shape)
    results = cpu.max_pool2d(cpu.conv2d(x, w, **how), pool_size=2)
    assert not can_be_pooled(x.dtype, x_shape, w_shape, **how)
    with pytest.raises(NotNative):
        Native("conv2d_max_pool2d", (x, w), {"pool_size": 2, **how}, results)
