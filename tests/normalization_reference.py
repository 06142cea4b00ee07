"""Normalizations as plain NumPy, without a care for speed."""

from __future__ import annotations

from typing import Any

import numpy as np


def _normalized(x: Any, axes: tuple[int, ...], epsilon: float) -> tuple[Any, Any, Any, Any]:
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    variance = (centred * centred).mean(axes, keepdims=True)
    scale = 1 / np.sqrt(variance + epsilon)
    return centred * scale, scale, mean, variance


def _through(t: Any, h: Any, scale: Any, axes: tuple[int, ...]) -> Any:
    return scale * (t - t.mean(axes, keepdims=True) - h * (t * h).mean(axes, keepdims=True))


def _given(gamma: Any, fill: float) -> Any:
    return fill if gamma is None else gamma


def batch_norm(x: Any, gamma: Any = None, beta: Any = None, *, epsilon: float) -> Any:
    axes = tuple(range(x.ndim - 1))
    h, _, mean, variance = _normalized(x, axes, epsilon)
    y = h * _given(gamma, 1) + _given(beta, 0)
    return y, mean.reshape(-1), variance.reshape(-1)


def batch_norm_grad(
    dy: Any, x: Any, gamma: Any, mean: Any, variance: Any, *, epsilon: float
) -> Any:
    axes = tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt(variance + epsilon)
    h = (x - x.mean(axes)) * scale
    dx = _through(dy * _given(gamma, 1), h, scale, axes)
    return dx, (dy * h).sum(axes), dy.sum(axes)


def batch_norm_inference(
    x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, *, epsilon: float
) -> Any:
    return (x - mean) / np.sqrt(variance + epsilon) * _given(gamma, 1) + _given(beta, 0)


def batch_norm_inference_grad(
    dy: Any, x: Any, gamma: Any, mean: Any, variance: Any, *, epsilon: float
) -> Any:
    axes = tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt(variance + epsilon)
    factor = _given(gamma, 1) * scale
    products = (dy * (x - mean)).sum(axes)
    total = dy.sum(axes)
    return dy * factor, products * scale, total, -factor * total, -factor * scale**2 * products / 2


def _split(x: Any, groups: int) -> Any:
    return x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)


def group_norm(x: Any, gamma: Any = None, beta: Any = None, *, groups: int, epsilon: float) -> Any:
    h, _, mean, variance = _normalized(_split(x, groups), (1, 3), epsilon)
    y = h.reshape(x.shape) * _given(gamma, 1) + _given(beta, 0)
    return y, mean.reshape(x.shape[0], groups), variance.reshape(x.shape[0], groups)


def group_norm_grad(
    dy: Any, x: Any, gamma: Any, mean: Any, variance: Any, *, groups: int, epsilon: float
) -> Any:
    split = _split(x, groups)
    scale = 1 / np.sqrt(variance.reshape(len(x), 1, groups, 1) + epsilon)
    h = (split - split.mean((1, 3), keepdims=True)) * scale
    dx = _through(_split(dy * _given(gamma, 1), groups), h, scale, (1, 3))
    axes = tuple(range(x.ndim - 1))
    return dx.reshape(x.shape), (dy * h.reshape(x.shape)).sum(axes), dy.sum(axes)


def _axes(x: Any, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(range(x.ndim - ndim, x.ndim)), tuple(range(x.ndim - ndim))


def layer_norm(x: Any, gamma: Any = None, beta: Any = None, *, epsilon: float, ndim: int) -> Any:
    h = _normalized(x, _axes(x, ndim)[0], epsilon)[0]
    return h * _given(gamma, 1) + _given(beta, 0)


def layer_norm_grad(dy: Any, x: Any, gamma: Any = None, *, epsilon: float, ndim: int) -> Any:
    axes, leading = _axes(x, ndim)
    h, scale, _, _ = _normalized(x, axes, epsilon)
    return _through(dy * _given(gamma, 1), h, scale, axes), (dy * h).sum(leading), dy.sum(leading)


def rms_norm(x: Any, gamma: Any = None, *, epsilon: float, ndim: int) -> Any:
    squares = (x * x).mean(_axes(x, ndim)[0], keepdims=True)
    return x / np.sqrt(squares + epsilon) * _given(gamma, 1)


def rms_norm_grad(dy: Any, x: Any, gamma: Any = None, *, epsilon: float, ndim: int) -> Any:
    axes, leading = _axes(x, ndim)
    scale = 1 / np.sqrt((x * x).mean(axes, keepdims=True) + epsilon)
    h, t = x * scale, dy * _given(gamma, 1)
    return scale * (t - h * (t * h).mean(axes, keepdims=True)), (dy * h).sum(leading)


def unit_norm(x: Any, *, epsilon: float, ndim: int) -> Any:
    length = np.sqrt((x * x).sum(_axes(x, ndim)[0], keepdims=True))
    return x / np.maximum(length, epsilon)


def unit_norm_grad(dy: Any, x: Any, *, epsilon: float, ndim: int) -> Any:
    axes, _ = _axes(x, ndim)
    length = np.sqrt((x * x).sum(axes, keepdims=True))
    divisor = np.maximum(length, epsilon)
    h = x / divisor
    inner = np.where(length > epsilon, (dy * h).sum(axes, keepdims=True), 0)
    return (dy - h * inner) / divisor
