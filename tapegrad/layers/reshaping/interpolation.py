"""Interpolation between pixels by kernels that are wider than two of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor

__all__ = ["KERNELS", "interpolate"]


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Return Keys's cubic with a = -1/2 (1981), piecewise on [0, 1] and [1, 2]."""
    near = (1.5 * distance - 2.5) * distance**2 + 1.0
    far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    return np.where(distance < 1.0, near, np.where(distance < 2.0, far, 0.0))


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the sinc function windowed by its own wider copy, sinc(x) sinc(x / radius)."""
    return lambda distance: np.where(
        distance < radius, np.sinc(distance) * np.sinc(distance / radius), 0.0
    )


KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bicubic": _cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}
"""The weight of a pixel for its distance, in pixels, from the place between them."""


def interpolate(images: Any, factors: Sequence[int], kernel: str) -> Tensor:
    """Return images enlarged by whole factors, each pixel a weighted mean of its neighbours.

    Enlarging is linear in the pixels and goes axis by axis: two matrix products. Weights are
    divided by their sum, so that constant images stay so up to the border.

    Parameters
    ----------
    images
        Shape (samples, height, width, channels).
    factors
        For height and width.
    kernel
        A name in `KERNELS`.

    Examples
    --------
    >>> interpolate(np.ones((1, 3, 4, 2)), (2, 3), "lanczos3").shape
    (1, 6, 12, 2)
    """
    samples, height, width, channels = images.shape
    tall, wide = height * factors[0], width * factors[1]
    rows = _weights(height, factors[0], kernel).astype(images.dtype)
    columns = _weights(width, factors[1], kernel).astype(images.dtype)
    y = ops.matmul(rows, ops.reshape(images, (samples, height, width * channels)))
    y = ops.matmul(columns, ops.reshape(y, (samples * tall, width, channels)))
    return ops.reshape(y, (samples, tall, wide, channels))


@functools.lru_cache(maxsize=32)
def _weights(length: int, factor: int, kernel: str) -> np.ndarray:
    """Return the matrix that enlarges a row: shape (length * factor, length)."""
    # Centers of the new pixels, in a scale on which those of the old ones are whole numbers.
    centers = (np.arange(length * factor) + 0.5) / factor - 0.5
    weights = KERNELS[kernel](np.abs(centers[:, None] - np.arange(length)))
    return weights / weights.sum(axis=1, keepdims=True)
