"""Convolutions over one axis: images of one row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels.cpu._window import window_1d
from tapegrad_kernels.cpu.convolution.interface import (
    Array,
    conv2d,
    conv2d_input_grad,
    conv2d_kernel_grad,
)


def _settings(
    operation: str,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> dict[str, Any]:
    """Check dimensions; the keywords of the convolution over an image of one row."""
    if len(x_shape) != 3 or len(w_shape) != 3:
        raise ValueError(
            f"{operation}: x has the shape {x_shape} and w {w_shape}; expected x (batch, length, "
            "channels) and w (length, channels / groups, filters)"
        )
    pads, _ = window_1d(operation, x_shape[1], w_shape[0], stride, padding, dilation)
    return {
        "strides": (1, int(stride)),
        "padding": ((0, 0), pads),
        "dilation": (1, int(dilation)),
        "groups": groups,
    }


def conv1d(
    x: ArrayLike,
    w: ArrayLike,
    *,
    stride: int = 1,
    padding: Any = "valid",
    dilation: int = 1,
    groups: int = 1,
    bias: ArrayLike | None = None,
    activation: str | None = None,
) -> Array:
    """Convolve sequences with filters.

    Parameters
    ----------
    x : array_like, shape (batch, length, channels)
        Sequences, float32 or float64.
    w : array_like, shape (kernel_length, channels / groups, filters)
        Filters, of the dtype of `x`.
    stride, dilation : int, default 1
        Steps between windows, and between the elements of a window.
    padding : {"valid", "same", "causal"}, int or (before, after)
        Zeros around a sequence; "causal" puts all of them before it.
    groups, bias, activation
        As in `conv2d`.

    Returns
    -------
    ndarray, shape (batch, out_length, filters)

    Raises
    ------
    TypeError, ValueError
        As `conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels import cpu
    >>> x = np.array([[[1.0], [2.0], [3.0]]])
    >>> cpu.conv1d(x, np.ones((2, 1, 1)), padding="causal")[0, :, 0]
    array([1., 3., 5.])
    """
    rows, filters = np.asarray(x), np.asarray(w)
    settings = _settings("conv1d", rows.shape, filters.shape, stride, padding, dilation, groups)
    y = conv2d(rows[:, None], filters[None], bias=bias, activation=activation, **settings)
    return y[:, 0]


def conv1d_input_grad(
    dy: ArrayLike,
    w: ArrayLike,
    x_shape: tuple[int, ...],
    *,
    stride: int = 1,
    padding: Any = "valid",
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """Gradient of `conv1d` by its input, of shape `x_shape`; also the transposed convolution.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels import cpu
    >>> cpu.conv1d_input_grad(np.ones((1, 2, 1)), np.ones((2, 1, 1)), (1, 3, 1))[0, :, 0]
    array([1., 2., 1.])
    """
    gradient, filters = np.asarray(dy), np.asarray(w)
    batch, *rest = x_shape
    settings = _settings(
        "conv1d_input_grad", tuple(x_shape), filters.shape, stride, padding, dilation, groups
    )
    dx = conv2d_input_grad(gradient[:, None], filters[None], (batch, 1, *rest), **settings)
    return dx[:, 0]


def conv1d_kernel_grad(
    x: ArrayLike,
    dy: ArrayLike,
    w_shape: tuple[int, ...],
    *,
    stride: int = 1,
    padding: Any = "valid",
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """Gradient of `conv1d` by its filters, of shape `w_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels import cpu
    >>> x = np.array([[[1.0], [2.0], [3.0]]])
    >>> cpu.conv1d_kernel_grad(x, np.ones((1, 2, 1)), (2, 1, 1))[:, 0, 0]
    array([3., 5.])
    """
    rows, gradient = np.asarray(x), np.asarray(dy)
    settings = _settings(
        "conv1d_kernel_grad", rows.shape, tuple(w_shape), stride, padding, dilation, groups
    )
    return conv2d_kernel_grad(rows[:, None], gradient[:, None], (1, *w_shape), **settings)[0]
