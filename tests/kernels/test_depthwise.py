"""Depthwise convolution and its gradients against sums of shifted images in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad_kernels import cpu
from tapegrad_kernels.cpu._window import pair, window_2d

DTYPES = [np.float32, np.float64]
# (x shape, window, multiplier, strides, padding, dilation)
CASES = [
    ((2, 9, 11, 19), (3, 3), 1, 1, "same", 1),
    ((2, 9, 11, 32), (3, 3), 1, 1, "valid", 1),
    ((1, 8, 30, 5), (5, 5), 1, 1, "same", 1),
    ((3, 9, 12, 5), (2, 3), 2, 2, "same", 1),
    ((2, 12, 14, 35), (3, 2), 1, 3, ((1, 0), (0, 1)), 2),
    ((2, 1, 40, 16), (1, 5), 1, 1, ((0, 0), (4, 0)), 1),
    ((1, 10, 10, 4), (3, 3), 3, (2, 1), ((2, 2), (3, 3)), 2),
    ((1, 3, 3, 17), (5, 5), 1, 1, "same", 1),
    ((2, 5, 6, 3), (2, 2), 1, 4, "valid", 1),
    ((1, 13, 13, 2), (3, 4), 1, (2, 3), "same", (3, 2)),
    ((2, 7, 7, 1), (1, 1), 1, 1, "valid", 1),
    ((1, 4, 4, 3), (2, 2), 1, 1, 5, 1),
]


def windows(x, w, strides, padding, dilation):
    """For each tap its place in the window, and the padded source under all windows."""
    pads, (height, width) = window_2d("", x.shape[1:3], w[:2], strides, padding, dilation)
    (down, right), (tall, wide) = pair("", "", strides), pair("", "", dilation)
    padded = np.pad(x.astype(np.float64), ((0, 0), *pads, (0, 0)))
    for i in range(w[0]):
        for j in range(w[1]):
            rows = slice(i * tall, i * tall + (height - 1) * down + 1, down)
            columns = slice(j * wide, j * wide + (width - 1) * right + 1, right)
            yield (i, j), padded, (slice(None), rows, columns)


def convolve(x, w, strides, padding, dilation):
    total = 0.0
    for (i, j), padded, index in windows(x, w.shape, strides, padding, dilation):
        part = padded[index][..., None] * w[i, j].astype(np.float64)
        total = total + part.reshape(*part.shape[:3], -1)
    return total


def input_gradient(dy, w, x_shape, strides, padding, dilation):
    pads, _ = window_2d("", x_shape[1:3], w.shape[:2], strides, padding, dilation)
    dx = np.pad(np.zeros(x_shape), ((0, 0), *pads, (0, 0)))
    split = dy.astype(np.float64).reshape(*dy.shape[:3], *w.shape[2:])
    for (i, j), _, index in windows(np.zeros(x_shape), w.shape, strides, padding, dilation):
        dx[index] += (split * w[i, j]).sum(-1)
    (top, _), (left, _) = pads
    return dx[:, top : top + x_shape[1], left : left + x_shape[2]]


def kernel_gradient(x, dy, w_shape, strides, padding, dilation):
    dw = np.zeros(w_shape)
    split = dy.astype(np.float64).reshape(*dy.shape[:3], *w_shape[2:])
    for (i, j), padded, index in windows(x, w_shape, strides, padding, dilation):
        dw[i, j] = (padded[index][..., None] * split).sum((0, 1, 2))
    return dw


def near(got, expected, dtype, terms):
    assert got.dtype == dtype
    assert got.shape == expected.shape
    tolerance = 4 * np.finfo(dtype).eps * np.sqrt(terms)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=8 * tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "window", "multiplier", "strides", "padding", "dilation"), CASES)
def test_against_shifted_images(shape, window, multiplier, strides, padding, dilation, dtype):
    generator = np.random.default_rng(0)
    x = generator.normal(size=shape).astype(dtype)
    w = generator.normal(size=(*window, shape[3], multiplier)).astype(dtype)
    how = {"strides": strides, "padding": padding, "dilation": dilation}
    y = cpu.depthwise_conv2d(x, w, **how)
    near(y, convolve(x, w, **how), dtype, 30)
    dy = generator.normal(size=y.shape).astype(dtype)
    dx = cpu.depthwise_conv2d_input_grad(dy, w, x_shape=shape, **how)
    near(dx, input_gradient(dy, w, shape, **how), dtype, 30)
    dw = cpu.depthwise_conv2d_kernel_grad(x, dy, w_shape=w.shape, **how)
    near(dw, kernel_gradient(x, dy, w.shape, **how), dtype, y.size / y.shape[3])


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_images_in_several_parts(dtype):
    generator = np.random.default_rng(1)
    x = generator.normal(size=(3, 50, 100, 70)).astype(dtype)
    w = generator.normal(size=(3, 3, 70, 1)).astype(dtype)
    how = {"strides": 1, "padding": "same", "dilation": 1}
    y = cpu.depthwise_conv2d(x, w, **how)
    near(y, convolve(x, w, **how), dtype, 30)
    near(
        cpu.depthwise_conv2d_input_grad(y, w, x_shape=x.shape, **how),
        input_gradient(y, w, x.shape, **how),
        dtype,
        300,
    )
    near(
        cpu.depthwise_conv2d_kernel_grad(x, y, w_shape=w.shape, **how),
        kernel_gradient(x, y, w.shape, **how),
        dtype,
        15000 * 80,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", [None, "linear", "relu", "tanh", "sigmoid"])
def test_bias_and_activation(activation, dtype):
    generator = np.random.default_rng(2)
    x = generator.normal(size=(2, 6, 7, 10)).astype(dtype)
    w = generator.normal(size=(3, 3, 10, 2)).astype(dtype)
    bias = generator.normal(size=20).astype(dtype)
    z = convolve(x, w, 1, "same", 1) + bias.astype(np.float64)
    functions = {
        "relu": lambda z: np.maximum(z, 0),
        "tanh": np.tanh,
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    }
    expected = functions.get(activation or "", lambda z: z)(z)
    got = cpu.depthwise_conv2d(x, w, bias, padding="same", activation=activation)
    near(got, expected, dtype, 30)


def test_relu_keeps_nan():
    x = np.full((1, 2, 2, 3), np.nan, np.float32)
    y = cpu.depthwise_conv2d(x, np.ones((1, 1, 3, 1), np.float32), activation="relu")
    assert np.isnan(y).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_views_are_read_in_place_and_nothing_around_them(dtype):
    generator = np.random.default_rng(3)
    around = np.full((4, 16, 18, 50), np.nan, dtype)
    x = around[1:3, 2:13, 3:15, 5:40]
    x[...] = generator.normal(size=x.shape)
    w = generator.normal(size=(3, 3, 35, 1)).astype(dtype)
    expected = cpu.depthwise_conv2d(x.copy(), w, padding="same")
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(cpu.depthwise_conv2d(x, w, padding="same"), expected)
    flipped = x[:, ::-1, ::-1].copy()[:, ::-1, ::-1]
    np.testing.assert_array_equal(cpu.depthwise_conv2d(flipped, w, padding="same"), expected)
    channels_first = np.moveaxis(np.moveaxis(x, 3, 1).copy(), 1, 3)
    np.testing.assert_array_equal(cpu.depthwise_conv2d(channels_first, w, padding="same"), expected)
    dw = cpu.depthwise_conv2d_kernel_grad(x, x, w_shape=w.shape, padding="same")
    copied = cpu.depthwise_conv2d_kernel_grad(x.copy(), x.copy(), w_shape=w.shape, padding="same")
    np.testing.assert_array_equal(dw, copied)
    constant = np.broadcast_to(dtype(0.5), x.shape)
    np.testing.assert_array_equal(
        cpu.depthwise_conv2d_input_grad(constant, w, x_shape=x.shape, padding="same"),
        cpu.depthwise_conv2d_input_grad(constant.copy(), w, x_shape=x.shape, padding="same"),
    )


def test_other_dtypes():
    x, w = np.arange(24).reshape(1, 3, 4, 2), np.ones((2, 2, 2, 1), np.int32)
    assert cpu.depthwise_conv2d(x, w).dtype == np.float64
    assert cpu.depthwise_conv2d(x.astype(np.float16), w.astype(np.float16)).dtype == np.float32
    big_endian = cpu.depthwise_conv2d(x.astype(">f4"), w.astype(">f4"))
    assert big_endian.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(big_endian, cpu.depthwise_conv2d(x, w))
    with pytest.raises(TypeError, match="depthwise_conv2d: got an array of complex128"):
        cpu.depthwise_conv2d(x * 1j, w)


@pytest.mark.parametrize("shape", [(0, 5, 5, 3), (2, 5, 5, 0), (2, 0, 5, 3)])
def test_empty(shape):
    x, w = np.empty(shape, np.float32), np.ones((3, 3, shape[3], 1), np.float32)
    y = cpu.depthwise_conv2d(x, w, padding="same")
    assert y.shape == shape
    assert cpu.depthwise_conv2d_input_grad(y, w, x_shape=shape, padding="same").shape == shape
    dw = cpu.depthwise_conv2d_kernel_grad(x, y, w_shape=w.shape, padding="same")
    np.testing.assert_array_equal(dw, np.zeros(w.shape))


def test_errors_come_before_memory_is_touched():
    x, w = np.zeros((2, 5, 6, 3)), np.zeros((3, 3, 3, 2))
    dy = np.zeros((2, 3, 4, 6))
    with pytest.raises(ValueError, match=r"input has shape .*expected four axes"):
        cpu.depthwise_conv2d(x[0], w)
    with pytest.raises(ValueError, match=r"kernel has shape .*expected four axes"):
        cpu.depthwise_conv2d(x, w[0])
    with pytest.raises(ValueError, match=r"has 3 channels .*is for 2"):
        cpu.depthwise_conv2d(x, w[:, :, :2])
    with pytest.raises(ValueError, match=r"bias has shape \(3,\); expected \(6,\)"):
        cpu.depthwise_conv2d(x, w, np.zeros(3))
    with pytest.raises(ValueError, match="activation 'gelu' is none of"):
        cpu.depthwise_conv2d(x, w, activation="gelu")
    with pytest.raises(ValueError, match="depthwise_conv2d: size 2, window 3"):
        cpu.depthwise_conv2d(x[:, :2], w)
    with pytest.raises(ValueError, match=r"dy has shape \(2, 3, 4, 5\); expected \(2, 3, 4, 6\)"):
        cpu.depthwise_conv2d_input_grad(dy[..., :5], w, x_shape=x.shape)
    with pytest.raises(ValueError, match="x_shape and the kernel"):
        cpu.depthwise_conv2d_input_grad(dy, w, x_shape=x.shape, strides=2)
    with pytest.raises(ValueError, match=r"dy has shape .*the input and w_shape"):
        cpu.depthwise_conv2d_kernel_grad(x, dy[:1], w_shape=w.shape)
    with pytest.raises(ValueError, match="has 3 channels"):
        cpu.depthwise_conv2d_kernel_grad(x, dy, w_shape=(3, 3, 6, 1))
