"""Depthwise convolution, pooling and resampling, large enough for many threads."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels import cpu

Results = dict[str, list[np.ndarray]]


def results() -> Results:
    """Return what each kernel computes, by its public name."""
    found: Results = {}
    for dtype in (np.float32, np.float64):
        for name, array in _all(dtype).items():
            found.setdefault(name, []).append(array)
    for name, array in _large().items():
        found[name].append(array)
    return found


def _large() -> dict[str, np.ndarray]:
    """Images that are touched ahead, row by row."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(2, 64, 90, 100)).astype(np.float32)
    w = generator.normal(size=(3, 3, 100, 1)).astype(np.float32)
    y = cpu.depthwise_conv2d(x, w)
    return {
        "depthwise_conv2d": y,
        "depthwise_conv2d_input_grad": cpu.depthwise_conv2d_input_grad(y, w, x_shape=x.shape),
        "depthwise_conv2d_kernel_grad": cpu.depthwise_conv2d_kernel_grad(x, y, w_shape=w.shape),
    }


def _all(dtype: type) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(3, 33, 41, 37)).astype(dtype)
    w = generator.normal(size=(3, 3, 37, 1)).astype(dtype)
    y = cpu.depthwise_conv2d(x, w, padding="same")
    pool = {"pool_size": 3, "strides": 2, "padding": "same"}
    largest, positions = cpu.max_pool2d(x, **pool)
    enlarged = cpu.upsample2d(x, interpolation="bilinear")
    return {
        "depthwise_conv2d": y,
        "depthwise_conv2d_input_grad": cpu.depthwise_conv2d_input_grad(
            y, w, x_shape=x.shape, padding="same"
        ),
        "depthwise_conv2d_kernel_grad": cpu.depthwise_conv2d_kernel_grad(
            x, y, w_shape=w.shape, padding="same"
        ),
        "max_pool2d": largest,
        "max_pool2d_grad": cpu.max_pool2d_grad(largest, positions, x_shape=x.shape, **pool),
        "max_pool2d_gather": cpu.max_pool2d_gather(x, positions, **pool),
        "avg_pool2d": cpu.avg_pool2d(x, **pool),
        "avg_pool2d_grad": cpu.avg_pool2d_grad(largest, x_shape=x.shape, **pool),
        "upsample2d": enlarged,
        "upsample2d_grad": cpu.upsample2d_grad(enlarged, interpolation="bilinear"),
    }
