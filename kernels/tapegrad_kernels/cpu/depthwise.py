"""Depthwise convolution, channels last: each channel is filtered on its own.

As in neural networks the filter is not flipped. With a depth multiplier of m a
channel c has m filters, whose results are the output channels ``c * m … c * m + m - 1``.

The three functions are the three ways to look at one trilinear form, so that the
derivatives of each are the other two::

    sum(dy * conv(x, w)) = sum(x * input_grad(dy, w)) = sum(w * kernel_grad(x, dy))
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
from tapegrad_kernels.cpu.sliding.strips import BIAS, RELU, WEIGHT
from tapegrad_kernels.cpu.sliding.taps import run_taps
from tapegrad_kernels.cpu.sliding.terms import add_terms

Array = NDArray[Any]

_SECOND_PASS = frozenset({"tanh", "sigmoid"})


class Geometry:
    """Sizes of one convolution, checked, and the plans of its windows."""

    def __init__(
        self,
        operation: str,
        x_shape: tuple[int, ...],
        w_shape: tuple[int, ...],
        strides: Any,
        padding: Any,
        dilation: Any,
    ) -> None:
        if len(x_shape) != 4:
            raise ValueError(
                f"{operation}: the input has shape {x_shape}; expected four axes, "
                "(images, height, width, channels)"
            )
        if len(w_shape) != 4:
            raise ValueError(
                f"{operation}: the kernel has shape {w_shape}; expected four axes, "
                "(height, width, channels, multiplier)"
            )
        if x_shape[3] != w_shape[2]:
            raise ValueError(
                f"{operation}: the input has {x_shape[3]} channels (shape {x_shape}) but the "
                f"kernel is for {w_shape[2]} (shape {w_shape}); they must be equal"
            )
        images, height, width, channels = x_shape
        self.window = (w_shape[0], w_shape[1])
        self.multiplier = w_shape[3]
        pads, outputs = window_2d(
            operation, (height, width), self.window, strides, padding, dilation
        )
        self.x_shape = x_shape
        self.y_shape = (images, *outputs, channels * w_shape[3])
        strides = pair(operation, "strides", strides)
        dilation = pair(operation, "dilation", dilation)
        self._axes = [
            (size, count, taps, stride, step, before)
            for size, count, taps, stride, step, (before, _) in zip(
                (height, width), outputs, self.window, strides, dilation, pads, strict=True
            )
        ]

    def forward(self) -> tuple[Plan, Plan]:
        rows, columns = self._axes
        return forward_plan(*rows), forward_plan(*columns)

    def transposed(self) -> tuple[Plan, Plan]:
        rows, columns = self._axes
        return transposed_plan(*rows), transposed_plan(*columns)

    def weights(self, w: ArrayLike, dtype: np.dtype[Any]) -> Array:
        """The kernel with one filter a channel, for `multiplier` as many channels."""
        flat = np.asarray(w, dtype).reshape(*self.window, self.y_shape[3])
        return np.require(flat, requirements=["C", "A"])

    def repeated(self, x: Array) -> Array:
        """Each channel as often as it has filters."""
        return x if self.multiplier == 1 else np.repeat(x, self.multiplier, axis=3)


_cached_geometry = functools.lru_cache(maxsize=1024)(Geometry)


def geometry_of(*arguments: Any) -> Geometry:
    try:
        return _cached_geometry(*arguments)
    except TypeError:  # a list has no hash
        return Geometry(*arguments)


def depthwise_conv2d(
    x: ArrayLike,
    w: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    strides: int | tuple[int, int] = (1, 1),
    padding: Any = "valid",
    dilation: int | tuple[int, int] = (1, 1),
    activation: str | None = None,
) -> Array:
    """Filter each channel of images with filters of its own.

    Parameters
    ----------
    x : array_like, shape (images, height, width, channels)
        float32 or float64; integers become float64. Any strides.
    w : array_like, shape (rows, columns, channels, multiplier)
        Filters.
    bias : array_like, shape (channels * multiplier,), optional
        Added to each output channel.
    strides, dilation : int or (int, int), default 1
        Steps between windows, and between the elements of a window.
    padding : {"valid", "same"}, int or ((top, bottom), (left, right)), default "valid"
        Zeros around the images; see `_window.window_2d`.
    activation : {None, "linear", "relu", "tanh", "sigmoid"}
        Applied at the end.

    Returns
    -------
    ndarray, shape (images, out_height, out_width, channels * multiplier)
        Output channel ``c * multiplier + m`` is channel c filtered with its filter m.

    Raises
    ------
    ValueError
        If the shapes do not fit, a window is larger than the padded images, or the activation
        is unknown.
    TypeError
        If an array does not hold real numbers.

    Examples
    --------
    >>> x = np.arange(6.0).reshape(1, 1, 3, 2)
    >>> depthwise_conv2d(x, np.ones((1, 2, 2, 1)))
    array([[[[2., 4.],
             [6., 8.]]]])
    """
    name = "depthwise_conv2d"
    if activation not in (None, "linear", "relu") and activation not in _SECOND_PASS:
        raise ValueError(
            f"{name}: activation {activation!r} is none of linear, relu, tanh, sigmoid; "
            "apply others to the result"
        )
    dtype = real_dtype(name, x, w) if bias is None else real_dtype(name, x, w, bias)
    geometry = geometry_of(name, np.shape(x), np.shape(w), strides, padding, dilation)
    flags = RELU if activation == "relu" else 0
    row = None
    if bias is not None:
        expect_shape(name, "bias", bias, geometry.y_shape[3:], "the number of output channels")
        row = np.require(np.asarray(bias, dtype), requirements=["C", "A"])
        flags |= BIAS
    images = geometry.repeated(as_images(name, "the input", x, dtype))
    y = np.empty(geometry.y_shape, dtype)
    weights = geometry.weights(w, dtype)
    run_windows(
        WEIGHT, images, y, *geometry.forward(), geometry.window,
        weights=weights, bias=row, flags=flags,
    )  # fmt: skip
    if activation in _SECOND_PASS:
        from tapegrad_kernels import cpu  # the table of contents imports this module

        return cpu.tanh(y) if activation == "tanh" else cpu.sigmoid(y)
    return y


def depthwise_conv2d_input_grad(
    dy: ArrayLike,
    w: ArrayLike,
    *,
    x_shape: tuple[int, ...],
    strides: int | tuple[int, int] = (1, 1),
    padding: Any = "valid",
    dilation: int | tuple[int, int] = (1, 1),
) -> Array:
    """Gradient of `depthwise_conv2d` by its input, from that by its output.

    Parameters
    ----------
    dy : array_like, shape (images, out_height, out_width, channels * multiplier)
        Gradient by the output, before bias and activation.
    w : array_like, shape (rows, columns, channels, multiplier)
        Filters.
    x_shape : tuple of int
        Shape of the input.
    strides, padding, dilation
        As given to `depthwise_conv2d`.

    Returns
    -------
    ndarray, shape `x_shape`

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> depthwise_conv2d_input_grad(
    ...     np.ones((1, 1, 2, 1)), np.ones((1, 2, 1, 1)), x_shape=(1, 1, 3, 1)
    ... ).ravel()
    array([1., 2., 1.])
    """
    name = "depthwise_conv2d_input_grad"
    dtype = real_dtype(name, dy, w)
    geometry = geometry_of(name, tuple(x_shape), np.shape(w), strides, padding, dilation)
    expect_shape(name, "dy", dy, geometry.y_shape, "x_shape and the kernel")
    gradient = as_images(name, "dy", dy, dtype)
    images, height, width, channels = geometry.x_shape
    dx = np.empty((images, height, width, channels * geometry.multiplier), dtype)
    weights = geometry.weights(w, dtype)
    run_windows(WEIGHT, gradient, dx, *geometry.transposed(), geometry.window, weights=weights)
    if geometry.multiplier == 1:
        return dx
    total = np.empty(geometry.x_shape, dtype)
    if geometry.multiplier:
        add_terms(dx, total, geometry.multiplier, geometry.multiplier, 1)
    else:
        total.fill(0)
    return total


def depthwise_conv2d_kernel_grad(
    x: ArrayLike,
    dy: ArrayLike,
    *,
    w_shape: tuple[int, ...],
    strides: int | tuple[int, int] = (1, 1),
    padding: Any = "valid",
    dilation: int | tuple[int, int] = (1, 1),
) -> Array:
    """Gradient of `depthwise_conv2d` by its filters, from that by its output.

    Parameters
    ----------
    x : array_like, shape (images, height, width, channels)
        Input.
    dy : array_like, shape (images, out_height, out_width, channels * multiplier)
        Gradient by the output, before bias and activation.
    w_shape : tuple of int
        Shape of the filters, (rows, columns, channels, multiplier).
    strides, padding, dilation
        As given to `depthwise_conv2d`.

    Returns
    -------
    ndarray, shape `w_shape`
        Its bits do not depend on the number of threads.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> depthwise_conv2d_kernel_grad(
    ...     np.arange(3.0).reshape(1, 1, 3, 1), np.ones((1, 1, 2, 1)), w_shape=(1, 2, 1, 1)
    ... ).ravel()
    array([1., 3.])
    """
    name = "depthwise_conv2d_kernel_grad"
    dtype = real_dtype(name, x, dy)
    geometry = geometry_of(name, np.shape(x), tuple(w_shape), strides, padding, dilation)
    expect_shape(name, "dy", dy, geometry.y_shape, "the input and w_shape")
    images = geometry.repeated(as_images(name, "the input", x, dtype))
    gradient = as_images(name, "dy", dy, dtype)
    dw = run_taps(images, gradient, *geometry.forward(), geometry.window)
    return dw.reshape(w_shape)


def _warm(real: str) -> None:
    x, w = np.zeros((1, 3, 3, 1), real), np.zeros((3, 3, 1, 1), real)
    y = depthwise_conv2d(x, w)
    depthwise_conv2d_input_grad(y, w, x_shape=x.shape)
    depthwise_conv2d_kernel_grad(x, y, w_shape=w.shape)
    add_terms(x, y, 1, 1, 1)


for _real in ("float32", "float64"):
    on_warmup(f"depthwise_conv2d {_real}")(lambda real=_real: _warm(real))

__all__ = ["depthwise_conv2d", "depthwise_conv2d_input_grad", "depthwise_conv2d_kernel_grad"]
