"""Convolutions of NumPy arrays: the public face."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu._memory import borrow, give_back
from tapegrad_kernels.cpu.convolution import driver
from tapegrad_kernels.cpu.convolution import record as f
from tapegrad_kernels.cpu.convolution.geometry import Window, window_of
from tapegrad_kernels.cpu.convolution.plan import (
    Plan,
    forward_plan,
    input_grad_plan,
    kernel_grad_plan,
)
from tapegrad_kernels.cpu.gemm import gemm
from tapegrad_kernels.cpu.gemm.microkernel import BIAS, RELU

Array = np.ndarray[Any, np.dtype[Any]]

_ACTIVATIONS = (None, "linear", "relu", "tanh", "sigmoid")
_NAMES = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}


def _as_operands(operation: str, *named: tuple[str, ArrayLike]) -> list[Array]:
    """C-contiguous, aligned arrays of one floating dtype."""
    arrays = [(name, np.asarray(array)) for name, array in named]
    first_name, first = arrays[0]
    for name, array in arrays:
        if array.dtype not in _NAMES:
            raise TypeError(
                f"{operation}: {name} has the dtype {array.dtype}; it must be float32 or float64 "
                f"(convert with {name}.astype)"
            )
        if array.dtype != first.dtype:
            raise TypeError(
                f"{operation}: {name} has the dtype {array.dtype} and {first_name} "
                f"{first.dtype}; they must be the same (convert with {name}.astype)"
            )
    return [np.require(array, requirements=["C", "A"]) for _, array in arrays]


def _check_shape(operation: str, name: str, shape: tuple[int, ...], expected: Any) -> None:
    if tuple(shape) != tuple(expected):
        raise ValueError(
            f"{operation}: {name} has the shape {tuple(shape)}; expected {tuple(expected)}, which "
            "follows from the other arguments"
        )


def _run(plan: Plan, call: Any, source: Array, weights: Array, target: Array, **more: int) -> None:
    record = plan.record.copy()
    record[f.SOURCE] = source.ctypes.data
    record[f.WEIGHTS] = weights.ctypes.data
    record[f.TARGET] = target.ctypes.data
    record[f.FLAGS], record[f.BIAS] = more.get("flags", 0), more.get("bias", 0)
    loan = borrow(plan.workspace_bytes)
    place = loan[0]
    record[f.PACKED] = place if plan.tasks else 0
    record[f.WORKSPACE] = place = place + plan.packed_bytes
    record[f.WORKSPACE_BYTES] = plan.part_bytes
    record[f.PARTIALS] = place + plan.parts * plan.part_bytes
    call(record)
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
    x, w = _as_operands(operation, ("x", x), ("w", w))
    window = window_of(operation, x.shape, w.shape, strides, padding, dilation, groups)
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"{operation}: activation is {activation!r}; it must be None, 'linear', 'relu', "
            "'tanh' or 'sigmoid'"
        )
    if bias is not None:
        bias = np.asarray(bias)
        _check_shape(operation, "bias", bias.shape, (w.shape[3],))
        _, bias = _as_operands(operation, ("x", x), ("bias", bias))
    y = _target(operation, out, window.y_shape, x.dtype, x, w)
    if y.size:
        _convolve(window, x, w, y, bias, activation)
    return y if out is None else _deliver(y, out)


def _convolve(
    window: Window, x: Array, w: Array, y: Array, bias: Array | None, activation: str | None
) -> None:
    if window.is_product:
        gemm(
            x.reshape(-1, x.shape[3]), w[0, 0], y.reshape(-1, y.shape[3]),
            bias=bias, activation=activation,
        )  # fmt: skip
        return
    flags = (BIAS if bias is not None else 0) | (RELU if activation == "relu" else 0)
    plan = forward_plan(window, _NAMES[x.dtype])
    _run(
        plan,
        lambda record: driver.run_correlation(
            record, plan.tasks, plan.weights, plan.units, flip=False
        ),
        x, w, y, flags=flags, bias=0 if bias is None else bias.ctypes.data,
    )  # fmt: skip
    if activation in ("tanh", "sigmoid"):
        from tapegrad_kernels.cpu import activations, vector_math

        y[...] = vector_math.tanh(y) if activation == "tanh" else activations.sigmoid(y)


def _target(operation: str, out: Any, shape: Any, dtype: Any, *operands: Array) -> Array:
    """An array to compute into: `out` itself where that is safe."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != tuple(shape) or out.dtype != dtype:
        raise ValueError(
            f"{operation}: out must be an array of shape {tuple(shape)} and dtype {dtype}, got "
            f"{getattr(out, 'shape', type(out).__name__)} and {getattr(out, 'dtype', 'no dtype')}"
        )
    if not out.flags.writeable:
        raise ValueError(f"{operation}: out is read-only")
    free = not any(np.may_share_memory(out, operand) for operand in operands)
    return out if free and out.flags.c_contiguous and out.flags.aligned else np.empty(shape, dtype)


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
    dy, w = _as_operands(operation, ("dy", dy), ("w", w))
    shape = tuple(map(int, x_shape))
    window = window_of(operation, shape, w.shape, strides, padding, dilation, groups)
    _check_shape(operation, "dy", dy.shape, window.y_shape)
    dx = np.empty(shape, dy.dtype)
    if dx.size == 0:
        return dx
    if dy.size == 0:
        dx[...] = 0
    elif window.is_product:
        gemm(dy.reshape(-1, dy.shape[3]), w[0, 0], dx.reshape(-1, shape[3]), transpose_b=True)
    else:
        plan = input_grad_plan(window, _NAMES[dy.dtype])
        sizes = (plan.tasks, plan.weights, plan.units)
        if plan.flipped:
            _run(plan, lambda record: driver.run_correlation(record, *sizes, flip=True), dy, w, dx)
        else:
            _run(plan, lambda record: driver.run_scatter(record, *sizes), dy, w, dx)
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
    x, dy = _as_operands(operation, ("x", x), ("dy", dy))
    shape = tuple(map(int, w_shape))
    window = window_of(operation, x.shape, shape, strides, padding, dilation, groups)
    _check_shape(operation, "dy", dy.shape, window.y_shape)
    dw = np.empty(shape, x.dtype)
    if dy.size == 0 or x.size == 0:
        dw[...] = 0
    elif window.is_product:
        gemm(x.reshape(-1, shape[2]), dy.reshape(-1, shape[3]), dw[0, 0], transpose_a=True)
    else:
        plan = kernel_grad_plan(window, _NAMES[x.dtype])
        _run(plan, driver.run_kernel_grad, x, dy, dw)
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
