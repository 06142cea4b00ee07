"""Depthwise convolutions, channels last.

As with dense convolutions the operation and its two gradients are derivatives of
one another.
"""

from __future__ import annotations

from typing import Any

from tapegrad._core.primitive import primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._shape import reshape
from tapegrad.ops._window import (
    as_row,
    check_activation,
    define_rules,
    operands_of,
    pads,
    pair,
    row_padding,
)

_depthwise = primitive(
    "depthwise_conv2d", saves="both", doc="Filter each channel with filters of its own."
)
_input_grad = primitive(
    "depthwise_conv2d_input_grad", saves="inputs", doc="Gradient by the images."
)
_kernel_grad = primitive(
    "depthwise_conv2d_kernel_grad", saves="inputs", doc="Gradient by the filters."
)


define_rules((_depthwise,), _input_grad, _kernel_grad)


@operation()
def depthwise_conv2d(
    x: Any,
    w: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation: Any = 1,
    activation: str | None = None,
) -> Tensor:
    """Filter each channel of images with filters of its own.

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
    w : array_like, shape (kernel_height, kernel_width, channels, multiplier)
        `multiplier` filters for each channel.
    bias : array_like, shape (channels * multiplier,), optional
    strides, dilation : int or (int, int), default 1
        Steps between windows, and between the elements of a window.
    padding : {"valid", "same"}, int or ((top, bottom), (left, right))
        Zeros around an image; "same" gives ``ceil(size / stride)`` windows.
    activation : {None, "linear", "relu", "tanh", "sigmoid"}
        Applied at the end, in the same call.

    Returns
    -------
    Tensor, shape (batch, out_height, out_width, channels * multiplier)
        Output channel ``c * multiplier + m`` is channel c filtered with its filter m.

    Raises
    ------
    ValueError
        If shapes do not fit, a window is larger than the padded images, or the activation is
        none of these.

    References
    ----------
    Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2017,
    arXiv:1610.02357.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.tensor([[[[1.0, 10.0], [2.0, 20.0]]]])
    >>> tg.ops.depthwise_conv2d(x, tg.ops.ones_like(x).reshape(1, 2, 2, 1)).reshape(-1)
    Tensor([ 3., 30.], dtype=float64)
    """
    check_activation("depthwise_conv2d", activation)
    return _depthwise(
        *operands_of(x, w, bias),
        strides=pair(strides),
        padding=pads(padding),
        dilation=pair(dilation),
        activation=activation,
    )


@operation()
def depthwise_conv1d(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: int = 1,
    padding: Any = "valid",
    dilation: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Filter each channel of sequences with filters of its own.

    Parameters
    ----------
    x : array_like, shape (batch, length, channels)
    w : array_like, shape (kernel_length, channels, multiplier)
    bias : array_like, shape (channels * multiplier,), optional
    stride, dilation : int, default 1
    padding : {"valid", "same", "causal"}, int or (before, after)
        Zeros around a sequence; "causal" puts all of them before it.
    activation
        As in `depthwise_conv2d`.

    Returns
    -------
    Tensor, shape (batch, out_length, channels * multiplier)

    Raises
    ------
    ValueError
        As `depthwise_conv2d`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x, w = tg.tensor([[[1.0], [2.0], [3.0]]]), tg.tensor([[[1.0]], [[1.0]]])
    >>> tg.ops.depthwise_conv1d(x, w, padding="causal").reshape(-1)
    Tensor([1., 3., 5.], dtype=float64)
    """
    x, w = as_row("depthwise_conv1d", x, w)
    y = depthwise_conv2d(
        x,
        w,
        bias,
        strides=(1, stride),
        padding=row_padding(padding, (w.shape[1] - 1) * dilation + 1),
        dilation=(1, dilation),
        activation=activation,
    )
    return reshape(y, (y.shape[0], *y.shape[2:]))
