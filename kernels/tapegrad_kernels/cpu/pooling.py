"""Pooling, channels last: the largest or the mean of what is under a window.

Padding holds no elements here: it is never the largest, and means are over the
elements that there are.

The largest of equal elements is the first, row by row. A NaN is larger than any
number, as in NumPy.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu._window import pair, window_2d
from tapegrad_kernels.cpu.sliding.driver import run_windows
from tapegrad_kernels.cpu.sliding.images import as_images, expect_shape, real_dtype
from tapegrad_kernels.cpu.sliding.plan import Plan, forward_plan, transposed_plan
from tapegrad_kernels.cpu.sliding.strips import LARGEST, MEAN, PICK, ROUTE, SUM

Array = NDArray[Any]
Shape = tuple[int, ...]


class Geometry:
    """Sizes of one pooling, checked, and the plans of its windows."""

    def __init__(
        self, operation: str, x_shape: Shape, pool_size: Any, strides: Any, padding: Any
    ) -> None:
        if len(x_shape) != 4:
            raise ValueError(
                f"{operation}: the input has shape {x_shape}; expected four axes, "
                "(images, height, width, channels)"
            )
        images, height, width, channels = x_shape
        self.x_shape = x_shape
        self.window = pair(operation, "pool_size", pool_size)
        strides = pair(operation, "strides", self.window if strides is None else strides)
        pads, outputs = window_2d(operation, (height, width), self.window, strides, padding)
        for pad, size in zip(pads, self.window, strict=True):
            if max(pad) >= size and padding != "same":
                raise ValueError(
                    f"{operation}: padding {padding!r} with pool_size {self.window} makes windows "
                    "that hold no element; each number must be less than the size of the window"
                )
        self.y_shape = (images, *outputs, channels)
        self._axes = [
            (size, count, taps, stride, 1, before)
            for size, count, taps, stride, (before, _) in zip(
                (height, width), outputs, self.window, strides, pads, strict=True
            )
        ]

    @functools.cached_property
    def position_dtype(self) -> np.dtype[Any]:
        """Of the numbers of a window's elements."""
        return np.dtype(np.uint8 if self.window[0] * self.window[1] <= 256 else np.int32)

    @property
    def is_apart(self) -> bool:
        """Whether windows follow one another without overlap or gap, from the first element on."""
        return all(taps == stride and not before for *_, taps, stride, _, before in self._axes)

    def forward(self) -> tuple[Plan, Plan]:
        rows, columns = self._axes
        return forward_plan(*rows), forward_plan(*columns)

    def transposed(self) -> tuple[Plan, Plan]:
        rows, columns = self._axes
        return transposed_plan(*rows), transposed_plan(*columns)

    def counts(self, dtype: np.dtype[Any]) -> Any:
        """Number of elements in each window: shape (out_height, out_width, 1), or one for all."""
        rows, columns = (_counts(axis) for axis in self._axes)
        counts = (rows[:, None, None] * columns[:, None]).astype(dtype)
        # Usually they are equal, and dividing by one number is faster than by an array.
        return counts[0, 0, 0] if counts.size and (counts == counts[0, 0, 0]).all() else counts


_cached_geometry = functools.lru_cache(maxsize=1024)(Geometry)


def geometry_of(*arguments: Any) -> Geometry:
    try:
        return _cached_geometry(*arguments)
    except TypeError:  # a list has no hash
        return Geometry(*arguments)


@functools.lru_cache(maxsize=1024)
def _counts(axis: tuple[int, ...]) -> Array:
    size, outputs, taps, stride, _, before = axis
    starts = np.arange(outputs) * stride - before
    return np.minimum(starts + taps, size) - np.maximum(starts, 0)


def max_pool2d(
    x: ArrayLike, *, pool_size: Any, strides: Any = None, padding: Any = "valid"
) -> tuple[Array, Array]:
    """The largest element under each window, and where in the window it is.

    Parameters
    ----------
    x : array_like, shape (images, height, width, channels)
        float32 or float64; integers become float64. Any strides.
    pool_size : int or (int, int)
        Size of the window.
    strides : int or (int, int), optional
        Steps between windows; `pool_size` if not given.
    padding : {"valid", "same"}, int or ((top, bottom), (left, right)), default "valid"
        See `_window.window_2d`. Padding is never the largest.

    Returns
    -------
    y : ndarray, shape (images, out_height, out_width, channels)
        The largest elements; NaN if one is NaN.
    positions : ndarray of uint8 or int32, of the shape of `y`
        Where in the window they are: ``row * width + column``, of equal ones the first.
        int32 for windows of more than 256 elements.

    Raises
    ------
    ValueError
        If a window does not fit the padded images, or could lie in the padding alone.
    TypeError
        If `x` does not hold real numbers.

    Examples
    --------
    >>> x = np.array([1.0, 3.0, 3.0, 2.0]).reshape(1, 2, 2, 1)
    >>> y, positions = max_pool2d(x, pool_size=2)
    >>> y.item(), positions.item()
    (3.0, 1)
    """
    name = "max_pool2d"
    dtype = real_dtype(name, x)
    geometry = geometry_of(name, np.shape(x), pool_size, strides, padding)
    images = as_images(name, "the input", x, dtype)
    y = np.empty(geometry.y_shape, dtype)
    positions = np.empty(geometry.y_shape, geometry.position_dtype)
    run_windows(LARGEST, images, y, *geometry.forward(), geometry.window, positions=positions)
    return y, positions


def _positions(geometry: Geometry, operation: str, positions: ArrayLike) -> Array:
    expect_shape(operation, "positions", positions, geometry.y_shape, "the images and the windows")
    numbers = np.asarray(positions)
    if numbers.dtype.kind not in "iu":
        raise TypeError(
            f"{operation}: positions are of {numbers.dtype}; expected the integers that "
            "max_pool2d returned"
        )
    return np.require(numbers.astype(geometry.position_dtype, copy=False), None, ["C", "A"])


def max_pool2d_grad(
    dy: ArrayLike,
    positions: ArrayLike,
    *,
    x_shape: Shape,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
) -> Array:
    """Gradient of `max_pool2d` by its input: each number goes to where the largest came from.

    Parameters
    ----------
    dy : array_like, shape (images, out_height, out_width, channels)
        Gradient by the largest elements.
    positions : array_like of int
        The second result of `max_pool2d`.
    x_shape : tuple of int
        Shape of the input.
    pool_size, strides, padding
        As given to `max_pool2d`.

    Returns
    -------
    ndarray, shape `x_shape`

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> positions = np.array(1, np.uint8).reshape(1, 1, 1, 1)
    >>> max_pool2d_grad(np.ones((1, 1, 1, 1)), positions, x_shape=(1, 2, 2, 1), pool_size=2).ravel()
    array([0., 1., 0., 0.])
    """
    name = "max_pool2d_grad"
    dtype = real_dtype(name, dy)
    geometry = geometry_of(name, tuple(x_shape), pool_size, strides, padding)
    expect_shape(name, "dy", dy, geometry.y_shape, "x_shape and the windows")
    numbers = _positions(geometry, name, positions)
    gradient = np.require(as_images(name, "dy", dy, dtype), requirements="C")
    dx = np.empty(geometry.x_shape, dtype)
    run_windows(ROUTE, gradient, dx, *geometry.transposed(), geometry.window, positions=numbers)
    return dx


def max_pool2d_gather(
    x: ArrayLike,
    positions: ArrayLike,
    *,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
) -> Array:
    """The elements of `x` at the positions that `max_pool2d` found in other images.

    The derivative of `max_pool2d_grad` by `dy`.

    Parameters
    ----------
    x : array_like, shape (images, height, width, channels)
        Of the shape of what was pooled.
    positions : array_like of int, shape (images, out_height, out_width, channels)
        The second result of `max_pool2d`.
    pool_size, strides, padding
        As given to `max_pool2d`.

    Returns
    -------
    ndarray, of the shape of `positions`

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> x = np.array([1.0, 3.0, 3.0, 2.0]).reshape(1, 2, 2, 1)
    >>> max_pool2d_gather(x, np.array(3, np.uint8).reshape(1, 1, 1, 1), pool_size=2).item()
    2.0
    """
    name = "max_pool2d_gather"
    dtype = real_dtype(name, x)
    geometry = geometry_of(name, np.shape(x), pool_size, strides, padding)
    numbers = _positions(geometry, name, positions)
    images = as_images(name, "the input", x, dtype)
    y = np.empty(geometry.y_shape, dtype)
    run_windows(PICK, images, y, *geometry.forward(), geometry.window, positions=numbers)
    return y


def avg_pool2d(
    x: ArrayLike, *, pool_size: Any, strides: Any = None, padding: Any = "valid"
) -> Array:
    """The mean of the elements under each window.

    Parameters
    ----------
    x, pool_size, strides, padding
        As for `max_pool2d`. Padding is not counted.

    Returns
    -------
    ndarray, shape (images, out_height, out_width, channels)

    Raises
    ------
    ValueError
        If a window does not fit the padded images, or could lie in the padding alone.
    TypeError
        If `x` does not hold real numbers.

    Examples
    --------
    >>> x = np.array([1.0, 3.0, 3.0]).reshape(1, 1, 3, 1)
    >>> avg_pool2d(x, pool_size=(1, 2), padding="same").ravel()
    array([2., 3.])
    """
    name = "avg_pool2d"
    dtype = real_dtype(name, x)
    geometry = geometry_of(name, np.shape(x), pool_size, strides, padding)
    images = as_images(name, "the input", x, dtype)
    y = np.empty(geometry.y_shape, dtype)
    run_windows(SUM, images, y, *geometry.forward(), geometry.window, flags=MEAN)
    return y


def avg_pool2d_grad(
    dy: ArrayLike, *, x_shape: Shape, pool_size: Any, strides: Any = None, padding: Any = "valid"
) -> Array:
    """Gradient of `avg_pool2d` by its input.

    Parameters
    ----------
    dy : array_like, shape (images, out_height, out_width, channels)
        Gradient by the means.
    x_shape : tuple of int
        Shape of the input.
    pool_size, strides, padding
        As given to `avg_pool2d`.

    Returns
    -------
    ndarray, shape `x_shape`

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> avg_pool2d_grad(np.ones((1, 1, 1, 1)), x_shape=(1, 2, 2, 1), pool_size=2).ravel()
    array([0.25, 0.25, 0.25, 0.25])
    """
    name = "avg_pool2d_grad"
    dtype = real_dtype(name, dy)
    geometry = geometry_of(name, tuple(x_shape), pool_size, strides, padding)
    expect_shape(name, "dy", dy, geometry.y_shape, "x_shape and the windows")
    shares = as_images(name, "dy", dy, dtype) / geometry.counts(dtype)
    dx = np.empty(geometry.x_shape, dtype)
    run_windows(SUM, shares, dx, *geometry.transposed(), geometry.window)
    return dx


def _warm(real: str) -> None:
    x = np.zeros((1, 2, 2, 1), real)
    avg_pool2d_grad(avg_pool2d(x, pool_size=2), x_shape=x.shape, pool_size=2)


for _real in ("float32", "float64"):
    on_warmup(f"pooling {_real}")(lambda real=_real: _warm(real))

__all__ = ["avg_pool2d", "avg_pool2d_grad", "max_pool2d", "max_pool2d_gather", "max_pool2d_grad"]
