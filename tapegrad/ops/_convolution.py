"""Convolutions, channels last, and their transposes.

The convolution, its gradient by the input and its gradient by the filters are each
bilinear, and each is the derivative of the other two: three primitives that
differentiate any number of times.
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

_conv2d = primitive("conv2d", saves="both")
_conv2d_with_bias = primitive("conv2d_with_bias", saves="both")
_input_grad = primitive("conv2d_input_grad", saves="inputs")
_kernel_grad = primitive("conv2d_kernel_grad", saves="inputs")
define_rules((_conv2d, _conv2d_with_bias), _input_grad, _kernel_grad)


@operation()
def conv2d(
    x: Any,
    w: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation: Any = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Convolve images with filters (a cross-correlation, as in all of deep learning).

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
    w : array_like, shape (kernel_height, kernel_width, channels / groups, filters)
    bias : array_like, shape (filters,), optional
    strides, dilation : int or (int, int), default 1
        Steps between windows, and between the elements of a window.
    padding : {"valid", "same"}, int or ((top, bottom), (left, right))
        Zeros around an image; "same" gives ``ceil(size / stride)`` windows.
    groups : int, default 1
        Groups of channels with filters of their own.
    activation : {None, "linear", "relu", "tanh", "sigmoid"}
        Applied at the end, in the same call.

    Returns
    -------
    Tensor, shape (batch, out_height, out_width, filters)

    Raises
    ------
    ValueError
        If shapes do not fit, or the output would have a negative size.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.tensor([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> tg.ops.conv2d(x, tg.ops.ones_like(x).reshape(2, 2, 1, 1)).numpy().item()
    10.0
    """
    check_activation("conv2d", activation)
    window = {
        "strides": pair(strides),
        "padding": pads(padding),
        "dilation": pair(dilation),
        "groups": groups,
        "activation": activation,
    }
    operands = operands_of(x, w, bias)
    return (_conv2d if bias is None else _conv2d_with_bias)(*operands, **window)


@operation()
def conv1d(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: int = 1,
    padding: Any = "valid",
    dilation: int = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Convolve sequences with filters.

    Parameters
    ----------
    x : array_like, shape (batch, length, channels)
    w : array_like, shape (kernel_length, channels / groups, filters)
    bias : array_like, shape (filters,), optional
    stride, dilation : int, default 1
    padding : {"valid", "same", "causal"}, int or (before, after)
        Zeros around a sequence; "causal" puts all of them before it.
    groups, activation
        As in `conv2d`.

    Returns
    -------
    Tensor, shape (batch, out_length, filters)

    Raises
    ------
    ValueError
        If shapes do not fit, or the output would have a negative size.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x, w = tg.tensor([[[1.0], [2.0], [3.0]]]), tg.tensor([[[1.0]], [[1.0]]])
    >>> tg.ops.conv1d(x, w, padding="causal").reshape(-1)
    Tensor([1., 3., 5.], dtype=float64)
    """
    x, w = as_row("conv1d", x, w)
    y = conv2d(
        x,
        w,
        bias,
        strides=(1, stride),
        padding=row_padding(padding, (w.shape[1] - 1) * dilation + 1),
        dilation=(1, dilation),
        groups=groups,
        activation=activation,
    )
    return reshape(y, (y.shape[0], *y.shape[2:]))


def transposed_size(
    size: int, kernel: int, stride: int, padding: str, dilation: int, output_padding: int | None
) -> tuple[int, tuple[int, int]]:
    """Length of a transposed convolution's output, and the padding of what it transposes.

    Keras 3's rule: without `output_padding`, ``size * stride`` for "same" and what the
    windows cover for "valid".

    Examples
    --------
    >>> transposed_size(4, 3, 2, "same", 1, None)
    (8, (0, 1))
    """
    span = (kernel - 1) * dilation + 1
    covered = (size - 1) * stride + span
    if output_padding is None:
        length = size * stride + (max(span - stride, 0) if padding == "valid" else 0)
    else:
        length = covered + output_padding - (2 * (span // 2) if padding == "same" else 0)
    total = max(covered - length, 0)
    return length, (total // 2, total - total // 2)


@operation()
def conv2d_transpose(
    x: Any,
    w: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: str = "valid",
    dilation: Any = 1,
    output_padding: Any = None,
) -> Tensor:
    """Transposed convolution: spread each pixel over a window, as gradients of `conv2d` do.

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
    w : array_like, shape (kernel_height, kernel_width, filters, channels)
        Filters; the output's channels come third, as in Keras.
    bias : array_like, shape (filters,), optional
    strides, dilation : int or (int, int), default 1
    padding : {"valid", "same"}
        "same" gives an output of ``size * stride``.
    output_padding : int or (int, int), optional
        Rows and columns added at the end, for sizes that the stride leaves open.

    Returns
    -------
    Tensor, shape (batch, out_height, out_width, filters)

    Raises
    ------
    ValueError
        If shapes do not fit or `padding` is neither word.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.tensor([[[[1.0], [2.0]]]])
    >>> w = tg.tensor([[[[1.0]], [[1.0]]]])
    >>> tg.ops.conv2d_transpose(x, w, strides=(1, 2)).reshape(-1)
    Tensor([1., 1., 2., 2.], dtype=float64)
    """
    x, w, *rest = operands_of(x, w, bias)
    if x.ndim != 4 or w.ndim != 4 or x.shape[3] != w.shape[3]:
        raise ValueError(
            f"conv2d_transpose: x has the shape {x.shape} and w {w.shape}; expected x (batch, "
            "height, width, channels) and w (height, width, filters, channels)"
        )
    if padding.lower() not in ("valid", "same"):
        raise ValueError(f"conv2d_transpose: padding is {padding!r}; expected 'valid' or 'same'")
    strides, dilation = pair(strides), pair(dilation)
    extra: Any = (None, None) if output_padding is None else pair(output_padding)
    for step, more in zip(strides, extra, strict=True):
        if more is not None and not 0 <= more < step:
            raise ValueError(
                f"conv2d_transpose: output_padding is {output_padding!r}; it must be at least 0 "
                f"and less than the strides {strides}"
            )
    sizes = [
        transposed_size(
            x.shape[1 + axis],
            w.shape[axis],
            strides[axis],
            padding.lower(),
            dilation[axis],
            extra[axis],
        )
        for axis in range(2)
    ]
    y = _input_grad(
        x,
        w,
        x_shape=(x.shape[0], sizes[0][0], sizes[1][0], w.shape[2]),
        strides=strides,
        padding=(sizes[0][1], sizes[1][1]),
        dilation=dilation,
        groups=1,
    )
    return y + rest[0] if rest else y


@operation()
def conv1d_transpose(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: int = 1,
    padding: str = "valid",
    dilation: int = 1,
    output_padding: int | None = None,
) -> Tensor:
    """Transposed convolution of sequences; `conv2d_transpose` over one axis.

    Parameters
    ----------
    x : array_like, shape (batch, length, channels)
    w : array_like, shape (kernel_length, filters, channels)
    bias : array_like, shape (filters,), optional
    stride, dilation : int, default 1
    padding : {"valid", "same"}
    output_padding : int, optional

    Returns
    -------
    Tensor, shape (batch, out_length, filters)

    Examples
    --------
    >>> import tapegrad as tg
    >>> x, w = tg.tensor([[[1.0], [2.0]]]), tg.tensor([[[1.0]], [[1.0]]])
    >>> tg.ops.conv1d_transpose(x, w, stride=2).reshape(-1)
    Tensor([1., 1., 2., 2.], dtype=float64)
    """
    x, w = as_row("conv1d_transpose", x, w)
    extra = None if output_padding is None else (0, output_padding)
    y = conv2d_transpose(x, w, bias, (1, stride), padding, (1, dilation), extra)
    return reshape(y, (y.shape[0], *y.shape[2:]))
