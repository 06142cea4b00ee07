"""Pooling, depthwise convolution and resampling as rows of a program."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref

import numpy as np
import pytest
from kernels.program.native import Native, assert_same_bits

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu import pooling
from tapegrad_kernels.cpu.sliding.plan import forward_plan

POOLS = [
    {"pool_size": 2},
    {"pool_size": (2, 3), "strides": (1, 2)},
    {"pool_size": 3, "strides": 2, "padding": "same"},
    {"pool_size": (1, 4), "strides": 1, "padding": ((0, 0), (2, 1))},
    {"pool_size": 17, "strides": 16},  # numbers of elements need more than a byte
]
IMAGES = [(2, 17, 18, 3), (5, 26, 26, 64), (0, 17, 17, 2)]


def normal(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("how", POOLS)
def test_pooling(how, shape, dtype):
    x = normal(shape, dtype)
    y, positions = cpu.max_pool2d(x, **how)
    assert_same_bits("max_pool2d", x, **how)
    assert_same_bits("max_pool2d_grad", y, positions, x_shape=shape, **how)
    assert_same_bits("max_pool2d_gather", x, positions, **how)
    assert_same_bits("avg_pool2d", x, **how)
    assert_same_bits("avg_pool2d_grad", y, x_shape=shape, **how)


def test_pooling_of_views_and_other_types():
    x = normal((6, 9, 8, 5)).swapaxes(1, 3)[::2, ::-1]
    y, positions = cpu.max_pool2d(x, pool_size=2)
    for view in (x, x.astype("float32", order="F"), np.arange(480).reshape(3, 4, 8, 5) % 7):
        assert_same_bits("max_pool2d", view, pool_size=2)
        assert_same_bits("avg_pool2d", view, pool_size=2)
    shape = x.shape
    dy, places = np.asfortranarray(y), np.asfortranarray(positions.astype("int64"))
    assert_same_bits("max_pool2d_grad", dy, places, x_shape=shape, pool_size=2)
    assert_same_bits("max_pool2d_gather", x, places, pool_size=2)
    assert_same_bits("avg_pool2d_grad", dy, x_shape=shape, pool_size=2)


DEPTHWISE = [
    ((2, 7, 8, 3), (3, 3, 3, 1), {}),
    ((4, 30, 30, 40), (3, 3, 40, 1), {"padding": "same"}),
    ((3, 20, 21, 9), (3, 2, 9, 3), {"strides": 2, "padding": "same"}),
    ((1, 1, 60, 4), (1, 5, 4, 1), {"padding": ((0, 0), (8, 0)), "dilation": (1, 2)}),
    ((0, 7, 8, 3), (3, 3, 3, 2), {}),
    ((4, 9, 9, 1), (1, 1, 1, 1), {}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("x_shape", "w_shape", "how"), DEPTHWISE)
def test_depthwise_convolution(x_shape, w_shape, how, dtype):
    x, w = normal(x_shape, dtype), normal(w_shape, dtype, 1)
    y = cpu.depthwise_conv2d(x, w, **how)
    bias = normal(y.shape[3:], dtype, 2)
    assert_same_bits("depthwise_conv2d", x, w, activation=None, **how)
    assert_same_bits("depthwise_conv2d", x, w, bias, activation="relu", **how)
    assert_same_bits("depthwise_conv2d_input_grad", y, w, x_shape=x_shape, **how)
    assert_same_bits("depthwise_conv2d_kernel_grad", x, y, w_shape=w_shape, **how)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_depthwise_activations(activation):
    x, w = normal((2, 7, 8, 3)), normal((3, 3, 3, 2))
    assert_same_bits("depthwise_conv2d", x, w, activation=activation)


def test_depthwise_views():
    x, w = normal((2, 5, 8, 14)).swapaxes(1, 3), normal((3, 3, 10, 2))[:, :, ::2]
    dy = np.asfortranarray(cpu.depthwise_conv2d(x, w))
    assert_same_bits("depthwise_conv2d", x, w, normal(20)[::2])
    assert_same_bits("depthwise_conv2d_input_grad", dy, w, x_shape=x.shape)
    assert_same_bits("depthwise_conv2d_kernel_grad", x, dy, w_shape=w.shape)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [2, (3, 1), (1, 1), (1, 2)])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 20, 20, 16), (0, 2, 2, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_resampling(shape, size, interpolation, dtype):
    how = {"size": size, "interpolation": interpolation}
    x = normal(shape, dtype)
    assert_same_bits("upsample2d", x, **how)
    assert_same_bits("upsample2d_grad", cpu.upsample2d(x, **how), **how)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_resampling_of_views_and_other_types(interpolation):
    x = normal((2, 6, 4, 8)).swapaxes(1, 3)
    for view in (x, x[:, ::2], np.arange(384).reshape(2, 8, 4, 6)):
        assert_same_bits("upsample2d", view, interpolation=interpolation)
        assert_same_bits("upsample2d_grad", view, interpolation=interpolation)


def test_tables_live_as_long_as_the_program():
    x = normal((1, 23, 4, 1))
    native = Native("avg_pool2d", (x,), {"pool_size": 2}, cpu.avg_pool2d(x, pool_size=2))
    table = weakref.ref(forward_plan(23, 11, 2, 2, 1, 0).table)
    forward_plan.cache_clear()
    pooling._cached_geometry.cache_clear()
    gc.collect()
    assert table() is not None
    del native
    gc.collect()
    assert table() is None


_BESIDE = """
import numpy as np
from tapegrad_kernels.cpu.program import Builder, Layout, Operand
from tapegrad_kernels.cpu.program.lowering import lower
for dtype in ("float32", "float64"):
    for channels in range(1, 10):
        b, layout = Builder(), Layout()
        x = Operand(0, 0, (1, 2, 2, channels), dtype)
        y = Operand(0, 4096, (1, 1, 1, channels), dtype)
        positions = Operand(0, 8192, y.shape, "uint8")
        lower(b, "max_pool2d", (y, positions), (x,), {"pool_size": 2})
        rows = layout.add(b)
        layout.finish()
        frame = layout.frame(12288, 2)
        for operand in (x, y, positions):
            frame.array(operand)[...] = 1
        whole = frame.array(Operand(0, 0, (12288,), "uint8"))
        whole[8192 + channels :] = 77
        frame.run(*rows)
        assert (whole[8192 : 8192 + channels] == 0).all(), (dtype, channels)
        assert (whole[8192 + channels :] == 77).all(), (dtype, channels)
"""


def test_nothing_beside_positions_is_touched_with_narrow_vectors():
    variables = {**os.environ, "TAPEGRAD_VECTOR_BITS": "128"}
    command = [sys.executable, "-c", _BESIDE]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
