"""Separable convolutions: each channel on its own, then all channels at each position."""

from __future__ import annotations

from typing import Any

from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._convolution import conv1d, conv2d
from tapegrad.ops._depthwise import depthwise_conv1d, depthwise_conv2d


@operation()
def separable_conv2d(
    x: Any,
    depthwise: Any,
    pointwise: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation: Any = 1,
    activation: str | None = None,
) -> Tensor:
    """Depthwise convolution of images followed by a 1×1 convolution.

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
    depthwise : array_like, shape (kernel_height, kernel_width, channels, multiplier)
        Filters of each channel.
    pointwise : array_like, shape (1, 1, channels * multiplier, filters)
        Weights at each position.
    bias : array_like, shape (filters,), optional
    strides, padding, dilation
        Of the depthwise part, as in `conv2d`.
    activation : {None, "linear", "relu", "tanh", "sigmoid"}
        Applied at the end.

    Returns
    -------
    Tensor, shape (batch, out_height, out_width, filters)

    Raises
    ------
    ValueError
        If shapes do not fit.

    References
    ----------
    Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> x, depthwise, pointwise = (
    ...     np.ones((1, 3, 3, 2)),
    ...     np.ones((3, 3, 2, 1)),
    ...     np.ones((1, 1, 2, 1)),
    ... )
    >>> tg.ops.separable_conv2d(x, depthwise, pointwise).numpy().item()
    18.0
    """
    hidden = depthwise_conv2d(x, depthwise, None, strides, padding, dilation)
    return conv2d(hidden, pointwise, bias, activation=activation)


@operation()
def separable_conv1d(
    x: Any,
    depthwise: Any,
    pointwise: Any,
    bias: Any = None,
    stride: int = 1,
    padding: Any = "valid",
    dilation: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Depthwise convolution of sequences followed by a product at each step.

    Parameters
    ----------
    x : array_like, shape (batch, length, channels)
    depthwise : array_like, shape (kernel_length, channels, multiplier)
    pointwise : array_like, shape (1, channels * multiplier, filters)
    bias : array_like, shape (filters,), optional
    stride, padding, dilation
        Of the depthwise part, as in `conv1d`.
    activation : {None, "linear", "relu", "tanh", "sigmoid"}

    Returns
    -------
    Tensor, shape (batch, out_length, filters)

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> x, depthwise, pointwise = np.ones((1, 3, 2)), np.ones((3, 2, 1)), np.ones((1, 2, 1))
    >>> tg.ops.separable_conv1d(x, depthwise, pointwise).numpy().item()
    6.0
    """
    hidden = depthwise_conv1d(x, depthwise, None, stride, padding, dilation)
    return conv1d(hidden, pointwise, bias, activation=activation)
