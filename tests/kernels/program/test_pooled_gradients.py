"""The gradient through max-pooling, relu and bias in one visit."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.program.native import Native

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu.program import NotNative
from tapegrad_kernels.cpu.program.pooled_gradients import windows_are_apart

POOLS = [
    {"pool_size": 2},
    {"pool_size": (1, 2), "padding": "same"},
    {"pool_size": (3, 2)},
    {"pool_size": 3, "strides": 3},
    {"pool_size": (2, 1)},
    {"pool_size": (15, 17)},  # as many elements as a byte numbers
]
IMAGES = [(2, 26, 26, 32), (1, 17, 19, 3), (5, 23, 18, 40), (3, 31, 17, 1), (0, 17, 17, 2)]


def fused(dy, positions, largest, y, **how):
    """What the rows leave."""
    by_bias = np.empty(y.shape[3:], y.dtype)
    how = {"x_shape": y.shape, **how}
    native = Native("max_pool2d_relu_bias_grad", (dy, positions, largest), how, (y, by_bias))
    native.run()
    return native.results


def same_bits(x, y):
    return x.dtype == y.dtype and x.tobytes() == y.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("how", POOLS)
def test_same_bits_as_one_after_the_other(how, shape, dtype):
    g = np.random.default_rng(0)
    y = np.maximum(g.standard_normal(shape), 0).astype(dtype)
    if y.size:
        y.flat[:: y.size // 7] = np.nan
    largest, positions = cpu.max_pool2d(y, **how)
    dy = g.standard_normal(largest.shape).astype(dtype)
    dy[dy > 2] = np.nan
    dy[dy < -2] = -0.0
    assert windows_are_apart(
        shape, how["pool_size"], how.get("strides"), how.get("padding", "valid")
    )
    routed = cpu.max_pool2d_grad(dy, positions, x_shape=shape, **how)
    by_x, by_bias = cpu.relu_bias_grad(routed, y)
    for arrays in ((dy, positions), (np.asfortranarray(dy), positions.astype("int64"))):
        got_x, got_bias = fused(*arrays, largest, y, **how)
        np.testing.assert_array_equal(got_x, by_x)
        assert same_bits(np.nan_to_num(got_x), np.nan_to_num(by_x))
        np.testing.assert_array_equal(got_bias, by_bias)
        assert same_bits(np.nan_to_num(got_bias), np.nan_to_num(by_bias))


@pytest.mark.parametrize(
    "how",
    [
        {"pool_size": 3, "strides": 2},
        {"pool_size": 2, "strides": 3},
        {"pool_size": 2, "padding": 1},
        {"pool_size": 16},
    ],
)
def test_other_windows_are_refused(how):
    y = np.ones((1, 16, 16, 1))
    largest, positions = cpu.max_pool2d(y, **how)
    with pytest.raises(NotNative):
        fused(largest, positions, largest, y, **how)
