"""Convolutions: all three primitives over strides, dilation, groups and padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import plain_convolution as plain
from case import Structured

_WINDOWS: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("valid", (2, 4, 5, 2), (3, 2, 2, 3), {}),
    ("same, stride 2", (1, 5, 4, 2), (3, 3, 2, 2), {"strides": (2, 2), "padding": "same"}),
    ("dilation", (1, 5, 6, 2), (2, 2, 2, 2), {"dilation": (2, 3)}),
    ("groups", (1, 4, 4, 4), (2, 2, 2, 6), {"groups": 2, "padding": ((1, 0), (0, 2))}),
    ("1×1", (2, 3, 2, 3), (1, 1, 3, 2), {}),
]
_PLAIN: dict[str, Any] = {
    "strides": (1, 1),
    "padding": "valid",
    "dilation": (1, 1),
    "groups": 1,
}


def _normal(*shapes: tuple[int, ...]) -> Any:
    return lambda g: tuple(g.standard_normal(shape) for shape in shapes)


def _y_shape(x: tuple[int, ...], w: tuple[int, ...], window: dict[str, Any]) -> tuple[int, ...]:
    return plain.conv2d(np.zeros(x), np.zeros(w), **window).shape


def _forward(x: Any, w: Any, bias: Any = 0.0, *, activation: str | None, **window: Any) -> Any:
    z = plain.conv2d(x, w, **window) + bias
    return np.tanh(z) if activation == "tanh" else np.maximum(z, 0) if activation else z


STRUCTURED = {
    "conv2d": [
        Structured(
            f"{label} {activation}",
            _normal(x, w),
            _forward,
            {**_PLAIN, **window, "activation": activation},
            (0, 1),
        )
        for label, x, w, window in _WINDOWS
        for activation in (None, "tanh", "relu")
    ],
    "conv2d_with_bias": [
        Structured(
            f"{label} {activation}",
            _normal(x, w, w[3:]),
            _forward,
            {**_PLAIN, **window, "activation": activation},
            (0, 1, 2),
        )
        for label, x, w, window in _WINDOWS
        for activation in (None, "tanh")
    ],
    "conv2d_input_grad": [
        Structured(
            label,
            _normal(_y_shape(x, w, window), w),
            plain.conv2d_input_grad,
            {**_PLAIN, **window, "x_shape": x},
            (0, 1),
        )
        for label, x, w, window in _WINDOWS
    ],
    "conv2d_kernel_grad": [
        Structured(
            label,
            _normal(x, _y_shape(x, w, window)),
            plain.conv2d_kernel_grad,
            {**_PLAIN, **window, "w_shape": w},
            (0, 1),
        )
        for label, x, w, window in _WINDOWS
    ],
}
