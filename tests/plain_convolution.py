"""Convolution as a textbook has it: windows side by side (im2col), then one product.

Slow and plain on purpose: what the kernels are compared with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels.cpu._window import window_2d

Settings = dict[str, Any]


def _settings(strides=(1, 1), padding="valid", dilation=(1, 1), groups=1):  # type: ignore[no-untyped-def]
    return strides, padding, dilation, groups


def im2col(x: np.ndarray, kernel: tuple[int, int], **settings: Any) -> np.ndarray:
    """All windows: shape (batch, out_height, out_width, kernel_height, kernel_width, channels)."""
    strides, padding, dilation, _ = _settings(**settings)
    pads, out = window_2d("im2col", x.shape[1:3], kernel, strides, padding, dilation)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    windows = np.empty((x.shape[0], *out, *kernel, x.shape[3]), x.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = i * dilation[0] + strides[0] * np.arange(out[0])
            columns = j * dilation[1] + strides[1] * np.arange(out[1])
            windows[:, :, :, i, j] = padded[:, rows[:, None], columns]
    return windows


def col2im(windows: np.ndarray, x_shape: tuple[int, ...], **settings: Any) -> np.ndarray:
    """The adjoint of `im2col`: each window added where it was taken from."""
    strides, padding, dilation, _ = _settings(**settings)
    kernel, out = windows.shape[3:5], windows.shape[1:3]
    pads, _ = window_2d("col2im", x_shape[1:3], kernel, strides, padding, dilation)
    (top, bottom), (left, right) = pads
    height, width = x_shape[1] + top + bottom, x_shape[2] + left + right
    padded = np.zeros((x_shape[0], height, width, x_shape[3]), windows.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = i * dilation[0] + strides[0] * np.arange(out[0])
            columns = j * dilation[1] + strides[1] * np.arange(out[1])
            padded[:, rows[:, None], columns] += windows[:, :, :, i, j]
    return padded[:, top : height - bottom, left : width - right]


def _per_group(groups: int, *arrays: np.ndarray) -> Any:
    """Each array's parts along its last axis, group by group."""
    return zip(*(np.split(array, groups, axis=-1) for array in arrays), strict=True)


def conv2d(x: np.ndarray, w: np.ndarray, **settings: Any) -> np.ndarray:
    """The windows' matrix times the filters', group by group."""
    windows = im2col(x, w.shape[:2], **settings)
    groups = settings.get("groups", 1)
    depth = w.shape[0] * w.shape[1] * w.shape[2]
    parts = [
        part.reshape(-1, depth) @ filters.reshape(depth, -1)
        for part, filters in _per_group(groups, windows, w)
    ]
    return np.concatenate(parts, axis=1).reshape(*windows.shape[:3], w.shape[3])


def conv2d_input_grad(
    dy: np.ndarray, w: np.ndarray, x_shape: tuple[int, ...], **settings: Any
) -> np.ndarray:
    """The gradient's matrix times the transposed filters', added into an image."""
    parts = [
        (g.reshape(-1, g.shape[3]) @ filters.reshape(-1, filters.shape[3]).T).reshape(
            *dy.shape[:3], *w.shape[:3]
        )
        for g, filters in _per_group(settings.get("groups", 1), dy, w)
    ]
    return col2im(np.concatenate(parts, axis=-1), x_shape, **settings)


def conv2d_kernel_grad(
    x: np.ndarray, dy: np.ndarray, w_shape: tuple[int, ...], **settings: Any
) -> np.ndarray:
    """The transposed windows' matrix times the gradient's."""
    windows = im2col(x, w_shape[:2], **settings)
    depth = w_shape[0] * w_shape[1] * w_shape[2]
    parts = [
        part.reshape(-1, depth).T @ g.reshape(-1, g.shape[3])
        for part, g in _per_group(settings.get("groups", 1), windows, dy)
    ]
    return np.concatenate(parts, axis=1).reshape(w_shape)
