"""Convolutions by each algorithm, large enough for many threads."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels import cpu

# x, w, settings: rows in place, copied between zeros, gathered; sums that are cut; scattering
SHAPES = (
    ((6, 26, 28, 8), (3, 3, 8, 40), {}),
    ((3, 24, 28, 30), (3, 3, 30, 64), {"padding": "same"}),
    ((16, 20, 20, 1), (5, 5, 1, 20), {"padding": "same"}),
    ((40, 5, 5, 32), (3, 3, 32, 64), {}),
    ((90, 4, 4, 10), (4, 3, 10, 40), {"padding": ((1, 0), (2, 2))}),
    ((5, 27, 27, 12), (3, 3, 12, 48), {"strides": 2, "padding": "same"}),
    ((4, 20, 20, 16), (3, 3, 8, 32), {"groups": 2, "dilation": 2}),
)


def results() -> dict[str, list[np.ndarray]]:
    """Return what each kernel computes, by its public name."""
    found: dict[str, list[np.ndarray]] = {
        name: [] for name in cpu.convolution.__all__ if hasattr(cpu, name)
    }
    g = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for x_shape, w_shape, settings in SHAPES:
            x, w = (
                g.standard_normal(x_shape).astype(dtype),
                g.standard_normal(w_shape).astype(dtype),
            )
            y = cpu.conv2d(x, w, **settings)
            found["conv2d"].append(y)
            found["conv2d_input_grad"].append(cpu.conv2d_input_grad(y, w, x.shape, **settings))
            found["conv2d_kernel_grad"].append(cpu.conv2d_kernel_grad(x, y, w.shape, **settings))
            found["conv2d_with_bias"].append(
                cpu.conv2d_with_bias(x, w, w[0, 0, 0], activation="relu", **settings)
            )
        x, w = g.standard_normal((1, 9000, 16)).astype(dtype), w[0, :, :8].repeat(2, axis=1)
        y = cpu.conv1d(x, w, padding="causal")
        found["conv1d"].append(y)
        found["conv1d_input_grad"].append(cpu.conv1d_input_grad(y, w, x.shape, padding="causal"))
        found["conv1d_kernel_grad"].append(cpu.conv1d_kernel_grad(x, y, w.shape, padding="causal"))
    return found
