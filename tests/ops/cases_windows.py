"""Depthwise convolution, pooling and upsampling over strides, padding and dilation."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from case import Structured
from numpy.lib.stride_tricks import sliding_window_view


def _normal(*shapes: tuple[int, ...]) -> Any:
    return lambda g: tuple(g.standard_normal(shape) for shape in shapes)


def _pads(shape: Any, size: Any, strides: Any, padding: Any, dilation: Any = (1, 1)) -> Any:
    if padding == "valid":
        return ((0, 0), (0, 0))
    if padding != "same":
        return padding
    pads = []
    for n, k, s, d in zip(shape[1:3], size, strides, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        pads.append((total // 2, total - total // 2))
    return tuple(pads)


def _under(x: Any, size: Any, strides: Any, padding: Any, dilation: Any = (1, 1), fill: Any = 0.0):
    """What each window covers: (images, height, width, channels, window height, window width)."""
    pads = _pads(x.shape, size, strides, padding, dilation)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=fill)
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    views = sliding_window_view(padded, spans, (1, 2))[:, :: strides[0], :: strides[1]]
    return views[..., :: dilation[0], :: dilation[1]]


def _depthwise(x: Any, w: Any, bias: Any = 0.0, *, activation: Any = None, **how: Any) -> Any:
    under = _under(x, w.shape[:2], **how)
    z = np.einsum("nhwcij,ijcm->nhwcm", under, w)
    z = z.reshape(*z.shape[:3], -1) + bias
    return np.tanh(z) if activation == "tanh" else np.maximum(z, 0) if activation else z


def _transposed(linear: Any, shape: Any, g: Any) -> Any:
    """The transpose of a linear function of an array of `shape`, applied to `g`."""
    result = np.zeros(shape)
    for place in np.ndindex(*shape):
        unit = np.zeros(shape)
        unit[place] = 1.0
        result[place] = np.vdot(linear(unit), g)
    return result


def _max_pool(x: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
    under = _under(x, pool_size, strides, padding, fill=-np.inf)
    flat = under.reshape(*under.shape[:4], -1)
    return flat.max(-1), flat.argmax(-1).astype(np.uint8)


def _gather(x: Any, positions: Any, **how: Any) -> Any:
    under = _under(x, how["pool_size"], how["strides"], how["padding"])
    flat = under.reshape(*under.shape[:4], -1)
    return np.take_along_axis(flat, positions[..., None].astype(int), -1)[..., 0]


def _avg_pool(x: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
    def total(a: Any) -> Any:
        return _under(a, pool_size, strides, padding).sum((-1, -2))

    return total(x) / total(np.ones(x.shape))


def _upsample(x: Any, size: Any, interpolation: str) -> Any:
    for axis, factor in zip((1, 2), size, strict=True):
        if interpolation == "nearest":
            x = np.repeat(x, factor, axis)
            continue
        places = (np.arange(x.shape[axis] * factor) + 0.5) / factor - 0.5
        centers = np.arange(x.shape[axis])
        x = np.apply_along_axis(lambda row, p=places, c=centers: np.interp(p, c, row), axis, x)
    return x


_FILTERS: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("valid", (2, 4, 5, 3), (3, 2, 3, 1), {}),
    ("same", (1, 5, 5, 2), (3, 3, 2, 1), {"padding": "same"}),
    ("stride 2, two filters", (1, 5, 4, 2), (3, 3, 2, 2), {"strides": (2, 2), "padding": "same"}),
    ("dilation", (1, 5, 6, 2), (2, 2, 2, 1), {"dilation": (2, 3), "padding": ((1, 0), (0, 2))}),
]
_PLAIN: dict[str, Any] = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1)}

_POOLS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("halves", (2, 4, 6, 3), {"pool_size": (2, 2), "strides": (2, 2), "padding": "valid"}),
    ("overlapping", (1, 5, 5, 2), {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"}),
    ("gaps", (1, 5, 4, 2), {"pool_size": (1, 2), "strides": (3, 3), "padding": ((0, 0), (1, 0))}),
]
_SIZES: list[dict[str, Any]] = [
    {"size": (2, 3), "interpolation": "nearest"},
    {"size": (2, 1), "interpolation": "bilinear"},
    {"size": (3, 2), "interpolation": "bilinear"},
]


def _depthwise_cases() -> dict[str, list[Structured]]:
    forward, input_grad, kernel_grad = [], [], []
    for label, x, w, window in _FILTERS:
        how = {**_PLAIN, **window}
        y = _depthwise(np.zeros(x), np.zeros(w), **how).shape
        for activation in (None, "tanh", "relu"):
            operands = (x, w) if activation == "relu" else (x, w, y[3:])
            forward.append(
                Structured(
                    f"{label} {activation}",
                    _normal(*operands),
                    _depthwise,
                    {**how, "activation": activation},
                    tuple(range(len(operands))),
                )
            )
        input_grad.append(
            Structured(
                label,
                _normal(y, w),
                lambda dy, w, x_shape, **how: _transposed(
                    functools.partial(_depthwise, w=w, **how), x_shape, dy
                ),
                {**how, "x_shape": x},
                (0, 1),
            )
        )
        kernel_grad.append(
            Structured(
                label,
                _normal(x, y),
                lambda x, dy, w_shape, **how: _transposed(
                    functools.partial(_depthwise, x, **how), w_shape, dy
                ),
                {**how, "w_shape": w},
                (0, 1),
            )
        )
    return {
        "depthwise_conv2d": forward,
        "depthwise_conv2d_input_grad": input_grad,
        "depthwise_conv2d_kernel_grad": kernel_grad,
    }


def _pool_cases() -> dict[str, list[Structured]]:
    found: dict[str, list[Structured]] = {}

    def add(name: str, label: str, make: Any, reference: Any, params: dict[str, Any]) -> None:
        found.setdefault(name, []).append(Structured(label, make, reference, params))

    for label, shape, how in _POOLS:
        y, _ = _max_pool(np.zeros(shape), **how)

        def places(g: Any, shape: Any = shape, how: Any = how) -> Any:
            return _max_pool(g.standard_normal(shape), **how)[1]

        add("max_pool2d", label, _normal(shape), _max_pool, how)
        add(
            "max_pool2d_gather",
            label,
            lambda g, shape=shape, places=places: (g.standard_normal(shape), places(g)),
            _gather,
            how,
        )
        add(
            "max_pool2d_grad",
            label,
            lambda g, y=y, places=places: (g.standard_normal(y.shape), places(g)),
            lambda dy, positions, x_shape, **how: _transposed(
                lambda x: _gather(x, positions, **how), x_shape, dy
            ),
            {**how, "x_shape": shape},
        )
        add("avg_pool2d", label, _normal(shape), _avg_pool, how)
        add(
            "avg_pool2d_grad",
            label,
            _normal(y.shape),
            lambda dy, x_shape, **how: _transposed(lambda x: _avg_pool(x, **how), x_shape, dy),
            {**how, "x_shape": shape},
        )
    for how in _SIZES:
        shape = (2, 3, 2, 2)
        enlarged = _upsample(np.zeros(shape), **how).shape
        add("upsample2d", f"{how}", _normal(shape), _upsample, how)
        add(
            "upsample2d_grad",
            f"{how}",
            _normal(enlarged),
            lambda dy, shape=shape, **how: _transposed(lambda x: _upsample(x, **how), shape, dy),
            how,
        )
    return found


STRUCTURED = {**_depthwise_cases(), **_pool_cases()}
