"""Convolutions, channels last, and their transposes.

The convolution, its gradient by the input and its gradient by the filters are each
bilinear, and each is the derivative of the other two: three primitives that
differentiate any number of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.primitive import defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._activation import relu_grad, sigmoid_grad
from tapegrad.ops._reduction import sum
from tapegrad.ops._shape import as_tensor, astype, reshape
from tapegrad.ops._trigonometric import tanh_grad

_conv2d = primitive("conv2d", saves="both")
_conv2d_with_bias = primitive("conv2d_with_bias", saves="both")
_input_grad = primitive("conv2d_input_grad", saves="inputs")
_kernel_grad = primitive("conv2d_kernel_grad", saves="inputs")

ACTIVATION_GRADIENTS = {
    None: lambda g, y: g,
    "linear": lambda g, y: g,
    "relu": relu_grad,
    "tanh": tanh_grad,
    "sigmoid": sigmoid_grad,
}
"""The gradient before an activation, from the gradient after it and its output."""


def _conv2d_rule(
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
        rows = reshape(g, (-1, g.shape[-1])) if needs[2] else None
        gradients.append(None if rows is None else sum(rows, axis=0))
    return gradients


defvjp_joint(_conv2d, _conv2d_rule)
defvjp_joint(_conv2d_with_bias, _conv2d_rule)


def _input_grad_rule(
    h: Any, answer: Any, dy: Any, w: Any, *, needs: Sequence[bool], x_shape: Any, **window: Any
) -> list[Any]:
    return [
        _conv2d(h, w, activation=None, **window) if needs[0] else None,
        _kernel_grad(h, dy, w_shape=w.shape, **window) if needs[1] else None,
    ]


def _kernel_grad_rule(
    h: Any, answer: Any, x: Any, dy: Any, *, needs: Sequence[bool], w_shape: Any, **window: Any
) -> list[Any]:
    return [
        _input_grad(dy, h, x_shape=x.shape, **window) if needs[0] else None,
        _conv2d(x, h, activation=None, **window) if needs[1] else None,
    ]


defvjp_joint(_input_grad, _input_grad_rule)
defvjp_joint(_kernel_grad, _kernel_grad_rule)


def _operands(x: Any, *others: Any) -> list[Any]:
    """Tensors of one floating dtype, NumPy's promotion of all."""
    tensors = [as_tensor(a) for a in (x, *others) if a is not None]
    dtypes = {t.dtype for t in tensors}
    if len(dtypes) > 1 or next(iter(dtypes)) not in (np.float32, np.float64):
        common = np.result_type(*dtypes)
        if common not in (np.float32, np.float64):
            common = np.dtype(np.float32 if common == np.float16 else np.float64)
        tensors = [astype(t, common) for t in tensors]
    return tensors


def _pair(value: Any) -> Any:
    """Two numbers, in a form that has a hash."""
    return (value, value) if isinstance(value, int) else tuple(value)


def _pads(padding: Any) -> Any:
    if isinstance(padding, (str, int)):
        return padding.lower() if isinstance(padding, str) else padding
    return tuple(tuple(side) if isinstance(side, (tuple, list)) else side for side in padding)


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
    if activation not in ACTIVATION_GRADIENTS:
        raise ValueError(
            f"conv2d: activation {activation!r} is none of linear, relu, tanh, sigmoid; "
            "apply others to the result"
        )
    window = {
        "strides": _pair(strides),
        "padding": _pads(padding),
        "dilation": _pair(dilation),
        "groups": groups,
        "activation": activation,
    }
    operands = _operands(x, w, bias)
    return (_conv2d if bias is None else _conv2d_with_bias)(*operands, **window)


def _as_row(operation_name: str, x: Any, w: Any) -> tuple[Any, Any]:
    """Sequences as images of one row."""
    x, w = as_tensor(x), as_tensor(w)
    if x.ndim != 3 or w.ndim != 3:
        raise ValueError(
            f"{operation_name}: x has the shape {x.shape} and w {w.shape}; expected 3 axes each, "
            "x (batch, length, channels)"
        )
    return (
        reshape(x, (x.shape[0], 1, *x.shape[1:])),
        reshape(w, (1, *w.shape)),
    )


def _row_padding(padding: Any, span: int) -> Any:
    if isinstance(padding, str):
        if padding.lower() == "causal":
            return ((0, 0), (span - 1, 0))
        return padding
    return ((0, 0), (padding, padding) if isinstance(padding, int) else tuple(padding))


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
    x, w = _as_row("conv1d", x, w)
    y = conv2d(
        x,
        w,
        bias,
        strides=(1, stride),
        padding=_row_padding(padding, (w.shape[1] - 1) * dilation + 1),
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
    x, w, *rest = _operands(x, w, bias)
    if x.ndim != 4 or w.ndim != 4 or x.shape[3] != w.shape[3]:
        raise ValueError(
            f"conv2d_transpose: x has the shape {x.shape} and w {w.shape}; expected x (batch, "
            "height, width, channels) and w (height, width, filters, channels)"
        )
    if padding.lower() not in ("valid", "same"):
        raise ValueError(f"conv2d_transpose: padding is {padding!r}; expected 'valid' or 'same'")
    strides, dilation = _pair(strides), _pair(dilation)
    extra: Any = (None, None) if output_padding is None else _pair(output_padding)
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
    x, w = _as_row("conv1d_transpose", x, w)
    extra = None if output_padding is None else (0, output_padding)
    y = conv2d_transpose(x, w, bias, (1, stride), padding, (1, dilation), extra)
    return reshape(y, (y.shape[0], *y.shape[2:]))
