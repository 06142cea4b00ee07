"""Enlarging images, channels last, and the gradients of that.

Interpolation is linear in the input, so the gradient is the transposed map, and
the derivative of the one is the other.
"""

from __future__ import annotations

import functools
import math
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels._compile import Block, block, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, int64_at
from tapegrad_kernels.cpu._window import pair
from tapegrad_kernels.cpu.sliding.driver import (
    UNIT,
    Described,
    address,
    run_units,
    run_windows,
)
from tapegrad_kernels.cpu.sliding.images import as_images, real_dtype
from tapegrad_kernels.cpu.sliding.plan import Plan, forward_plan
from tapegrad_kernels.cpu.sliding.strips import SUM

Array = NDArray[Any]
Shape = tuple[int, ...]


def _make_block(real: str) -> Block:
    at = POINTER_TO[real]

    @block(f"interpolate.{real}")
    def interpolate(record, start, stop):  # type: ignore[no-untyped-def]
        # Row o of the output is the sum of some rows of the input, each times a weight.
        packed = int64_at(record)
        x, y = packed[0], packed[1]
        outputs, width, length, item = packed[2], packed[3], packed[4], packed[5]
        starts, sources, weights = int64_at(packed[6]), int64_at(packed[7]), at(packed[8])
        for row in range(start, stop):
            image = row // outputs
            o = row - image * outputs
            target = at(y + row * width * item)
            place = x + image * length * width * item
            first, last = starts[o], starts[o + 1]
            row0, weight0 = at(place + sources[first] * width * item), weights[first]
            if last == first + 1:
                for i in range(width):
                    target[i] = weight0 * row0[i]
            else:
                row1, weight1 = at(place + sources[first + 1] * width * item), weights[first + 1]
                for i in range(width):
                    target[i] = weight0 * row0[i] + weight1 * row1[i]
            for e in range(first + 2, last):
                row1, weight1 = at(place + sources[e] * width * item), weights[e]
                for i in range(width):
                    target[i] += weight1 * row1[i]

    return interpolate


def _make_repeat_block(real: str) -> Block:
    at = POINTER_TO[real]

    @block(f"repeat.{real}")
    def repeat(record, start, stop):  # type: ignore[no-untyped-def]
        # Each row of elements once with every element repeated, then that row again.
        packed = int64_at(record)
        x, y = packed[0], packed[1]
        width, channels, rows, columns, item = packed[2], packed[3], packed[4], packed[5], packed[6]
        length = width * columns * channels
        for row in range(start, stop):
            source = at(x + row * width * channels * item)
            first = at(y + row * rows * length * item)
            for i in range(width):
                for copy in range(columns):
                    place = (i * columns + copy) * channels
                    for c in range(channels):
                        first[place + c] = source[i * channels + c]
            for copy in range(1, rows):
                again = at(y + (row * rows + copy) * length * item)
                for i in range(length):
                    again[i] = first[i]

    return repeat


_REALS = ("float32", "float64")
INTERPOLATE_BLOCKS = {np.dtype(real): _make_block(real) for real in _REALS}
REPEAT_BLOCKS = {np.dtype(real): _make_repeat_block(real) for real in _REALS}


@functools.lru_cache(maxsize=256)
def _bilinear(
    length: int, factor: int, dtype: np.dtype[Any], transposed: bool
) -> tuple[Array, ...]:
    """The sparse matrix of linear interpolation, as (starts of its rows, columns, weights).

    Elements are squares with their value at the center; beyond the outermost centers the
    value stays.
    """
    entries = []
    for o in range(length * factor):
        position = (o + 0.5) / factor - 0.5
        low = math.floor(position)
        share = position - low
        for source, weight in ((low, 1 - share), (low + 1, share)):
            if weight:
                entries.append((o, min(max(source, 0), length - 1), weight))
    if transposed:
        entries = sorted((source, o, weight) for o, source, weight in entries)
    rows = length if transposed else length * factor
    starts = np.searchsorted([entry[0] for entry in entries], np.arange(rows + 1))
    sources = np.array([entry[1] for entry in entries], np.int64)
    return starts.astype(np.int64), sources, np.array([entry[2] for entry in entries], dtype)


def interpolation_words(
    x: Described,
    y: Described,
    axis: int,
    factor: int,
    transposed: bool,
    place: Callable[[Any], Any] = address,
    keep: Callable[[Array], Any] = address,
) -> tuple[tuple[Any, ...], int, int]:
    """What `_interpolate` does, in numbers.

    Parameters
    ----------
    x, y : array
        Source and result, C-contiguous and not empty.
    axis, factor, transposed
        Where, how far, and whether by the transpose.
    place, keep : callable
        Make words of the record from these two, and from arrays that must live as long as it.

    Returns
    -------
    words : tuple
        The record of the block in `INTERPOLATE_BLOCKS`.
    count, chunk : int
        Rows of the result, and how many a thread takes at a time.
    """
    length = y.shape[axis] if transposed else x.shape[axis]
    matrix = _bilinear(length, factor, x.dtype, transposed)
    width = math.prod(x.shape[axis + 1 :])
    sizes = (y.shape[axis], width, x.shape[axis], x.itemsize)
    words = (place(x), place(y), *sizes, *map(keep, matrix))
    return words, math.prod(y.shape[: axis + 1]), max(1, UNIT // width)


def _interpolate(x: Array, axis: int, factor: int, transposed: bool) -> Array:
    """Apply the matrix, or its transpose, along an axis of a C-contiguous array."""
    if factor == 1:
        return x
    outputs = x.shape[axis] // factor if transposed else x.shape[axis] * factor
    y = np.empty((*x.shape[:axis], outputs, *x.shape[axis + 1 :]), x.dtype)
    if y.size:
        words, count, chunk = interpolation_words(x, y, axis, factor, transposed)
        run_units(INTERPOLATE_BLOCKS[x.dtype], array("q", words), count, chunk)
    return y


def repetition_words(
    x: Described, y: Described, rows: int, columns: int, place: Callable[[Any], Any] = address
) -> tuple[tuple[Any, ...], int, int]:
    """What `upsample2d` does for the nearest element; see `interpolation_words`."""
    count, height, width, channels = x.shape
    words = (place(x), place(y), width, channels, rows, columns, y.itemsize)
    return words, count * height, max(1, UNIT // (rows * width * columns * channels))


def factors(operation: str, size: Any, interpolation: str) -> tuple[int, int]:
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(
            f"{operation}: interpolation is {interpolation!r}; expected 'nearest' or 'bilinear'"
        )
    return pair(operation, "size", size)


def upsample2d(x: ArrayLike, *, size: Any = (2, 2), interpolation: str = "nearest") -> Array:
    """Images enlarged by whole factors.

    Parameters
    ----------
    x : array_like, shape (images, height, width, channels)
        float32 or float64; integers become float64. Any strides.
    size : int or (int, int), default 2
        Factors for height and width.
    interpolation : {"nearest", "bilinear"}
        Repeat each element, or interpolate between the centers of elements; beyond the
        outermost centers the value stays.

    Returns
    -------
    ndarray, shape (images, height * size[0], width * size[1], channels)

    Raises
    ------
    ValueError
        If there are not four axes, or an argument is none of these.

    Examples
    --------
    >>> x = np.array([0.0, 4.0]).reshape(1, 1, 2, 1)
    >>> upsample2d(x, size=(1, 2)).ravel()
    array([0., 0., 4., 4.])
    >>> upsample2d(x, size=(1, 2), interpolation="bilinear").ravel()
    array([0., 1., 3., 4.])
    """
    name = "upsample2d"
    rows, columns = factors(name, size, interpolation)
    images = as_images(name, "the input", x, real_dtype(name, x))
    images = np.require(images, None, "C")
    if interpolation == "bilinear":
        # Columns first, while there are few; rows are combined in long runs.
        wide = _interpolate(images, 2, columns, False)
        enlarged = _interpolate(wide, 1, rows, False)
        return enlarged.copy() if enlarged is x else enlarged
    count, height, width, channels = images.shape
    y = np.empty((count, height * rows, width * columns, channels), images.dtype)
    if y.size:
        words, units, chunk = repetition_words(images, y, rows, columns)
        run_units(REPEAT_BLOCKS[y.dtype], array("q", words), units, chunk)
    return y


def upsample2d_grad(dy: ArrayLike, *, size: Any = (2, 2), interpolation: str = "nearest") -> Array:
    """Gradient of `upsample2d` by its input, from that by its output.

    Parameters
    ----------
    dy : array_like, shape (images, height * size[0], width * size[1], channels)
        Gradient by the output.
    size, interpolation
        As given to `upsample2d`.

    Returns
    -------
    ndarray, shape (images, height, width, channels)

    Raises
    ------
    ValueError
        If the shape of `dy` is no multiple of `size`.

    Examples
    --------
    >>> upsample2d_grad(np.array([0.0, 0.0, 4.0, 4.0]).reshape(1, 1, 4, 1), size=(1, 2)).ravel()
    array([0., 8.])
    """
    name = "upsample2d_grad"
    rows, columns = factors(name, size, interpolation)
    gradient = as_images(name, "dy", dy, real_dtype(name, dy))
    height, width = gradient.shape[1:3]
    if height % rows or width % columns:
        raise ValueError(
            f"{name}: dy has shape {gradient.shape}, whose height and width are no multiples of "
            f"size {(rows, columns)}"
        )
    if interpolation == "bilinear":
        flat = _interpolate(np.require(gradient, None, "C"), 1, rows, True)
        reduced = _interpolate(flat, 2, columns, True)
        return reduced.copy() if reduced is dy else reduced
    outputs = height // rows, width // columns
    dx = np.empty((gradient.shape[0], *outputs, gradient.shape[3]), gradient.dtype)
    run_windows(SUM, gradient, dx, *squares(dx.shape, rows, columns), (rows, columns))
    return dx


def squares(shape: Shape, rows: int, columns: int) -> tuple[Plan, Plan]:
    """Plans of the windows that each element of images of a shape was repeated to."""
    _, height, width, _ = shape
    return (
        forward_plan(height * rows, height, rows, rows, 1, 0),
        forward_plan(width * columns, width, columns, columns, 1, 0),
    )


def _warm(real: str) -> None:
    for interpolation in ("nearest", "bilinear"):
        upsample2d(np.zeros((1, 2, 2, 1), real), interpolation=interpolation)


for _real in _REALS:
    on_warmup(f"upsample2d {_real}")(lambda real=_real: _warm(real))

__all__ = ["upsample2d", "upsample2d_grad"]
