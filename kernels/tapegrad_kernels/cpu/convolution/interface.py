"""Convolutions of NumPy arrays: the public face."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu import depthwise
from tapegrad_kernels.cpu._memory import borrow, give_back
from tapegrad_kernels.cpu.convolution.geometry import Window
from tapegrad_kernels.cpu.convolution.plan import (
    Plan,
    forward_plan,
    input_grad_plan,
    kernel_grad_plan,
)
from tapegrad_kernels.cpu.gemm import gemm
from tapegrad_kernels.cpu.gemm.microkernel import BIAS, RELU

Array = np.ndarray[Any, np.dtype[Any]]

_ACTIVATIONS = frozenset({None, "linear", "relu", "tanh", "sigmoid"})
_NAMES = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}

_ndarray = np.ndarray
_empty = np.empty


def _as_operands(
    operation: str, name: str, first: Any, other_name: str, other: Any
) -> tuple[Array, Array, str]:
    """Two C-contiguous, aligned arrays of one floating dtype, and its name."""
    if type(first) is _ndarray and type(other) is _ndarray and first.dtype is other.dtype:
        flags, others = first.flags, other.flags
        dtype = _NAMES.get(first.dtype)
        contiguous = flags.c_contiguous and others.c_contiguous
        if dtype is not None and contiguous and flags.aligned and others.aligned:
            return first, other, dtype
    first, other = np.asarray(first), np.asarray(other)
    for label, array in ((name, first), (other_name, other)):
        if array.dtype not in _NAMES:
            raise TypeError(
                f"{operation}: {label} has the dtype {array.dtype}; it must be float32 or float64 "
                f"(convert with {label}.astype)"
            )
    if first.dtype != other.dtype:
        raise TypeError(
            f"{operation}: {other_name} has the dtype {other.dtype} and {name} {first.dtype}; "
            f"they must be the same (convert with {other_name}.astype)"
        )
    first, other = (np.require(array, requirements=["C", "A"]) for array in (first, other))
    return first, other, _NAMES[first.dtype]


def _check_shape(operation: str, name: str, shape: tuple[int, ...], expected: Any) -> None:
    if tuple(shape) != tuple(expected):
        raise ValueError(
            f"{operation}: {name} has the shape {tuple(shape)}; expected {tuple(expected)}, which "
            "follows from the other arguments"
        )


def _run(
    plan: Plan, source: Array, weights: Array, target: Array, bias: Array | None, flags: int
) -> None:
    loan = borrow(plan.workspace_bytes)
    row = plan.no_bias if bias is None else bias
    plan.call(plan.record, source, weights, target, row, flags, loan[0])
    give_back(loan)


def conv2d(
    x: ArrayLike,
    w: ArrayLike,
    out: Array | None = None,
    *,
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
    groups: int = 1,
    bias: ArrayLike | None = None,
    activation: str | None = None,
) -> Array:
    """Convolve images with filters (a cross-correlation, as in all of deep learning).

    ``y[n, i, j, o] = sum(x[n, i*s + ki*d - pad, j*s + kj*d - pad, c] * w[ki, kj, c, o])``

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
        Images, float32 or float64; zeros lie around them.
    w : array_like, shape (kernel_height, kernel_width, channels / groups, filters)
        Filters, of the dtype of `x`.
    out : ndarray, optional
        Where the result goes.
    strides, dilation : int or (int, int), default 1
        Steps between windows, and between the elements of a window.
    padding : {"valid", "same"}, int or ((top, bottom), (left, right))
        Zeros around an image. "same" follows TensorFlow: ``ceil(size / stride)`` windows,
        the odd zero at the end.
    groups : int, default 1
        Groups of channels with filters of their own.
    bias : array_like, shape (filters,), optional
        Added at each position.
    activation : {None, "linear", "relu", "tanh", "sigmoid"}
        Function applied to each element at the end.

    Returns
    -------
    ndarray, shape (batch, out_height, out_width, filters)
        Its bits do not depend on the number of threads.

    Raises
    ------
    TypeError
        If an array is neither float32 nor float64, or the dtypes differ.
    ValueError
        If shapes do not fit, or the output would have a negative size.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels import cpu
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> cpu.conv2d(x, np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    return _conv2d("conv2d", x, w, out, strides, padding, dilation, groups, bias, activation)


def conv2d_with_bias(
    x: ArrayLike,
    w: ArrayLike,
    bias: ArrayLike,
    *,
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
    groups: int = 1,
    activation: str | None = None,
) -> Array:
    """`conv2d` whose bias is one of the arrays, as differentiable operations need it.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels import cpu
    >>> x, w = np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 2))
    >>> cpu.conv2d_with_bias(x, w, np.array([1.0, -3.0]), activation="relu").tolist()
    [[[[2.0, 0.0]]]]
    """
    return _conv2d("conv2d", x, w, None, strides, padding, dilation, groups, bias, activation)


def _conv2d(
    operation: str,
    x: ArrayLike,
    w: ArrayLike,
    out: Array | None,
    strides: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    bias: ArrayLike | None,
    activation: str | None,
) -> Array:
    images, filters, dtype = _as_operands(operation, "x", x, "w", w)
    window, plan = forward_plan(
        dtype, operation, images.shape, filters.shape, strides, padding, dilation, groups
    )
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"{operation}: activation is {activation!r}; it must be None, 'linear', 'relu', "
            "'tanh' or 'sigmoid'"
        )
    row = None
    flags = RELU if activation == "relu" else 0
    if bias is not None:
        _, row, _ = _as_operands(operation, "x", images, "bias", bias)
        _check_shape(operation, "bias", row.shape, filters.shape[3:])
        flags |= BIAS
    if out is None:
        y = _empty(window.y_shape, images.dtype)
    else:
        y = _target(operation, out, window, images, filters)
    if plan is not None:
        _run(plan, images, filters, y, row, flags)
    elif y.size and window.is_depthwise:
        y[...] = depthwise.depthwise_conv2d(
            images,
            _by_channel(filters, groups),
            strides=strides,
            padding=padding,
            dilation=dilation,
            bias=row,
            activation=activation,
        )
    elif y.size:
        rows, pixels = y.reshape(-1, y.shape[3]), images.reshape(-1, images.shape[3])
        gemm(pixels, filters[0, 0], rows, bias=row, activation=activation)
    if plan is not None and (activation == "tanh" or activation == "sigmoid"):
        from tapegrad_kernels.cpu import activations, vector_math

        y[...] = vector_math.tanh(y) if activation == "tanh" else activations.sigmoid(y)
    return y if out is None else _deliver(y, out)


def _by_channel(filters: Array, groups: int) -> Array:
    """Filters of as many groups as channels, as (height, width, channels, multiplier)."""
    return filters.reshape(*filters.shape[:2], groups, filters.shape[3] // groups)


def _target(operation: str, out: Any, window: Window, x: Array, w: Array) -> Array:
    """An array to compute into: `out` itself where that is safe."""
    shape = window.y_shape
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != x.dtype:
        raise ValueError(
            f"{operation}: out must be an array of shape {shape} and dtype {x.dtype}, got "
            f"{getattr(out, 'shape', type(out).__name__)} and {getattr(out, 'dtype', 'no dtype')}"
        )
    if not out.flags.writeable:
        raise ValueError(f"{operation}: out is read-only")
    free = not np.may_share_memory(out, x) and not np.may_share_memory(out, w)
    return out if free and out.flags.c_contiguous and out.flags.aligned else np.empty_like(out)


def _deliver(result: Array, out: Array) -> Array:
    if result is not out:
        out[...] = result
    return out


def conv2d_input_grad(
    dy: ArrayLike,
    w: ArrayLike,
    x_shape: tuple[int, ...],
    *,
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
    groups: int = 1,
) -> Array:
    """Gradient of `conv2d` by its input; also the transposed convolution.

    Parameters
    ----------
    dy : array_like, shape (batch, out_height, out_width, filters)
        Gradient of the output.
    w : array_like, shape (kernel_height, kernel_width, channels / groups, filters)
        Filters of the forward pass.
    x_shape : tuple of int
        Shape of the forward pass's input, (batch, height, width, channels).
    strides, padding, dilation, groups
        As in `conv2d`.

    Returns
    -------
    ndarray of shape `x_shape`

    Raises
    ------
    TypeError, ValueError
        As `conv2d`; also if `dy` has not the shape that the other arguments give.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels import cpu
    >>> dy, w = np.ones((1, 2, 2, 1)), np.ones((2, 2, 1, 1))
    >>> cpu.conv2d_input_grad(dy, w, (1, 3, 3, 1))[0, :, :, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    operation = "conv2d_input_grad"
    gradient, filters, dtype = _as_operands(operation, "dy", dy, "w", w)
    shape = x_shape if type(x_shape) is tuple else tuple(map(int, x_shape))
    window, plan = input_grad_plan(
        dtype, operation, shape, filters.shape, strides, padding, dilation, groups
    )
    if gradient.shape != window.y_shape:
        _check_shape(operation, "dy", gradient.shape, window.y_shape)
    dx = _empty(shape, gradient.dtype)
    if plan is not None:
        _run(plan, gradient, filters, dx, None, 0)
    elif gradient.size == 0:
        dx[...] = 0
    elif window.is_depthwise:
        return depthwise.depthwise_conv2d_input_grad(
            gradient,
            _by_channel(filters, groups),
            x_shape=shape,
            strides=strides,
            padding=padding,
            dilation=dilation,
        )
    else:
        rows = dx.reshape(-1, shape[3])
        gemm(gradient.reshape(-1, gradient.shape[3]), filters[0, 0], rows, transpose_b=True)
    return dx


def conv2d_kernel_grad(
    x: ArrayLike,
    dy: ArrayLike,
    w_shape: tuple[int, ...],
    *,
    strides: Any = (1, 1),
    padding: Any = "valid",
    dilation: Any = (1, 1),
    groups: int = 1,
) -> Array:
    """Gradient of `conv2d` by its filters.

    Parameters
    ----------
    x : array_like, shape (batch, height, width, channels)
        Input of the forward pass.
    dy : array_like, shape (batch, out_height, out_width, filters)
        Gradient of the output.
    w_shape : tuple of int
        Shape of the filters, (kernel_height, kernel_width, channels / groups, filters).
    strides, padding, dilation, groups
        As in `conv2d`.

    Returns
    -------
    ndarray of shape `w_shape`

    Raises
    ------
    TypeError, ValueError
        As `conv2d`; also if `dy` has not the shape that the other arguments give.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels import cpu
    >>> x, dy = np.arange(9.0).reshape(1, 3, 3, 1), np.ones((1, 2, 2, 1))
    >>> cpu.conv2d_kernel_grad(x, dy, (2, 2, 1, 1))[:, :, 0, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    operation = "conv2d_kernel_grad"
    images, gradient, dtype = _as_operands(operation, "x", x, "dy", dy)
    shape = w_shape if type(w_shape) is tuple else tuple(map(int, w_shape))
    window, plan = kernel_grad_plan(
        dtype, operation, images.shape, shape, strides, padding, dilation, groups
    )
    if gradient.shape != window.y_shape:
        _check_shape(operation, "dy", gradient.shape, window.y_shape)
    dw = _empty(shape, images.dtype)
    if plan is not None:
        _run(plan, images, gradient, dw, None, 0)
    elif gradient.size == 0 or images.size == 0:
        dw[...] = 0
    elif window.is_depthwise:
        by_channel = depthwise.depthwise_conv2d_kernel_grad(
            images,
            gradient,
            w_shape=_by_channel(dw, groups).shape,
            strides=strides,
            padding=padding,
            dilation=dilation,
        )
        return by_channel.reshape(shape)
    else:
        pixels = images.reshape(-1, shape[2])
        gemm(pixels, gradient.reshape(-1, shape[3]), dw[0, 0], transpose_a=True)
    return dw


def _warm(dtype: str) -> None:
    x, w = np.ones((1, 4, 4, 1), dtype), np.ones((3, 3, 1, 1), dtype)
    y = conv2d(x, w)
    conv2d_input_grad(y, w, x.shape)
    conv2d_input_grad(y[:, ::2, ::2], w, (1, 3, 3, 1), strides=2)
    conv2d_kernel_grad(x, y, w.shape)


@on_warmup("convolution float32")
def _warm_float32() -> None:
    _warm("float32")


@on_warmup("convolution float64")
def _warm_float64() -> None:
    _warm("float64")
