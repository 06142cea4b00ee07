"""Depthwise convolutions, channels last.

As with dense convolutions the operation and its two gradients are derivatives of
one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad._core.primitive import defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._convolution import (
    ACTIVATION_GRADIENTS,
    _as_row,
    _operands,
    _pads,
    _pair,
    _row_padding,
)
from tapegrad.ops._reduction import sum
from tapegrad.ops._shape import reshape

_depthwise = primitive(
    "depthwise_conv2d", saves="both", doc="Filter each channel with filters of its own."
)
_input_grad = primitive(
    "depthwise_conv2d_input_grad", saves="inputs", doc="Gradient by the images."
)
_kernel_grad = primitive(
    "depthwise_conv2d_kernel_grad", saves="inputs", doc="Gradient by the filters."
)


def _depthwise_rule(
    g: Any,
    answer: Any,
    x: Any,
    w: Any,
    bias: Any = None,
    *,
    needs: Sequence[bool],
    activation: str | None,
    **window: Any,
) -> list[Any]:
    g = ACTIVATION_GRADIENTS[activation](g, answer)
    gradients: list[Any] = [
        _input_grad(g, w, x_shape=x.shape, **window) if needs[0] else None,
        _kernel_grad(x, g, w_shape=w.shape, **window) if needs[1] else None,
    ]
    if len(needs) > 2:
        gradients.append(sum(reshape(g, (-1, g.shape[-1])), axis=0) if needs[2] else None)
    return gradients


def _input_grad_rule(
    h: Any, answer: Any, dy: Any, w: Any, *, needs: Sequence[bool], x_shape: Any, **window: Any
) -> list[Any]:
    return [
        _depthwise(h, w, activation=None, **window) if needs[0] else None,
        _kernel_grad(h, dy, w_shape=w.shape, **window) if needs[1] else None,
    ]


def _kernel_grad_rule(
    h: Any, answer: Any, x: Any, dy: Any, *, needs: Sequence[bool], w_shape: Any, **window: Any
) -> list[Any]:
    return [
        _input_grad(dy, h, x_shape=x.shape, **window) if needs[0] else None,
        _depthwise(x, h, activation=None, **window) if needs[1] else None,
    ]


defvjp_joint(_depthwise, _depthwise_rule)
defvjp_joint(_input_grad, _input_grad_rule)
defvjp_joint(_kernel_grad, _kernel_grad_rule)


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
    if activation not in ACTIVATION_GRADIENTS:
        raise ValueError(
            f"depthwise_conv2d: activation {activation!r} is none of linear, relu, tanh, "
            "sigmoid; apply others to the result"
        )
    return _depthwise(
        *_operands(x, w, bias),
        strides=_pair(strides),
        padding=_pads(padding),
        dilation=_pair(dilation),
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
    x, w = _as_row("depthwise_conv1d", x, w)
    y = depthwise_conv2d(
        x,
        w,
        bias,
        strides=(1, stride),
        padding=_row_padding(padding, (w.shape[1] - 1) * dilation + 1),
        dilation=(1, dilation),
        activation=activation,
    )
    return reshape(y, (y.shape[0], *y.shape[2:]))
