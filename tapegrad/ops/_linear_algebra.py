"""Products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.operators import Axis, Operators
from tapegrad._core.primitive import defvjp, defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._activation import relu, relu_bias_grad, relu_grad, sigmoid, sigmoid_grad
from tapegrad.ops._arithmetic import sqrt, square
from tapegrad.ops._reduction import _sum, normalize_axes, sum
from tapegrad.ops._shape import as_tensor, reshape, transpose
from tapegrad.ops._trigonometric import tanh, tanh_grad

_matmul = primitive("matmul", saves="inputs", doc="Product of matrices, in batches.")


def _matmul_rule_a(
    g: Any, answer: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool
) -> Any:
    if transpose_a:
        return _matmul(b, g, transpose_a=transpose_b, transpose_b=True)
    return _matmul(g, b, transpose_a=False, transpose_b=not transpose_b)


def _matmul_rule_b(
    g: Any, answer: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool
) -> Any:
    if transpose_b:
        return _matmul(g, a, transpose_a=True, transpose_b=transpose_a)
    return _matmul(a, g, transpose_a=not transpose_a, transpose_b=False)


defvjp(_matmul, _matmul_rule_a, _matmul_rule_b)


@operation(np.matmul)
def matmul(a: Any, b: Any, *, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """Matrix product, as ``a @ b``.

    Parameters
    ----------
    a, b : array_like
        Matrices in the last two axes; the leading axes are batches, with
        broadcasting. A vector counts as a row on the left and as a column on the
        right, and its axis is gone from the result.
    transpose_a, transpose_b : bool, default False
        Whether the last two axes of an operand are exchanged first (not for
        vectors), which costs nothing.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the inner lengths or the batches do not fit.

    Examples
    --------
    >>> import tapegrad as tg
    >>> a = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.ops.matmul(a, tg.tensor([1.0, 1.0]))
    Tensor([3., 7.], dtype=float64)
    """
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(
            f"matmul: expected arrays with axes, got shapes {a.shape} and {b.shape}; "
            "multiply by a scalar with *"
        )
    row, column = a.ndim == 1, b.ndim == 1
    inner_a = a.shape[-2] if transpose_a and not row else a.shape[-1]
    inner_b = b.shape[0] if column else b.shape[-1 if transpose_b else -2]
    if inner_a != inner_b:
        raise ValueError(
            f"matmul: the inner lengths differ, {inner_a} and {inner_b}: "
            f"a has shape {a.shape}{' (transposed)' if transpose_a else ''}, "
            f"b has shape {b.shape}{' (transposed)' if transpose_b else ''}"
        )
    if row:
        a = reshape(a, (1, -1))
    if column:
        b = reshape(b, (-1, 1))
    product = _matmul(
        a, b, transpose_a=transpose_a and not row, transpose_b=transpose_b and not column
    )
    if row or column:
        shape = product.shape
        if column:
            shape = shape[:-1]
        if row:
            shape = (*shape[:-2], shape[-1]) if not column else shape[:-1]
        product = reshape(product, shape)
    return product


_dense = primitive("dense", saves="both", doc="``activation(x @ kernel + bias)`` in one call.")

_ARRAYS = (Operators, np.ndarray)
ACTIVATION_GRADIENTS = {
    None: lambda g, y: g,
    "linear": lambda g, y: g,
    "relu": relu_grad,
    "tanh": tanh_grad,
    "sigmoid": sigmoid_grad,
}
"""The gradient before a fused activation, from the gradient after it and its output."""


def through_activation(
    g: Any, answer: Any, activation: str | None, bias_wanted: bool
) -> tuple[Any, Any]:
    """The gradient before a fused activation, and that by a bias added there, or None.

    Parameters
    ----------
    g, answer
        The gradient by the output, and the output, of shape (..., n).
    activation
        A key of `ACTIVATION_GRADIENTS`.
    bias_wanted
        Whether the gradient by the bias, of shape (n,), is asked for.
    """
    if bias_wanted and activation == "relu":
        return relu_bias_grad(g, answer)
    g = ACTIVATION_GRADIENTS[activation](g, answer)
    if not bias_wanted:
        return g, None
    rows = g if g.ndim == 2 else reshape(g, (-1, g.shape[-1]))
    return g, _sum(rows, axis=0, keepdims=False)


def _dense_rule(
    g: Any,
    answer: Any,
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    needs: Sequence[bool],
    activation: str | None,
) -> list[Any]:
    g, by_bias = through_activation(g, answer, activation, len(needs) > 2 and needs[2])
    by_kernel = None
    if needs[1]:
        rows = g if g.ndim == 2 else reshape(g, (-1, g.shape[-1]))
        inputs = x if x.ndim == 2 else reshape(x, (-1, x.shape[-1]))
        by_kernel = _matmul(inputs, rows, transpose_a=True, transpose_b=False)
    return [_dense_backward_x(g, kernel) if needs[0] else None, by_kernel, by_bias]


def _dense_backward_x(g: Any, kernel: Any) -> Any:
    if g.ndim == 2:
        return _matmul(g, kernel, transpose_a=False, transpose_b=True)
    rows = _matmul(reshape(g, (-1, g.shape[-1])), kernel, transpose_a=False, transpose_b=True)
    return reshape(rows, (*g.shape[:-1], kernel.shape[0]))


defvjp_joint(_dense, _dense_rule)


@operation()
def dense(x: Any, kernel: Any, bias: Any = None, activation: str | None = None) -> Tensor:
    """``activation(x @ kernel + bias)``: a fully connected layer in one call.

    Parameters
    ----------
    x : array_like, shape (..., n)
    kernel : array_like, shape (n, units)
    bias : array_like, shape (units,), optional
    activation : {None, "linear", "relu", "tanh", "sigmoid"}
        Applied while the product is still in registers.

    Returns
    -------
    Tensor, shape (..., units)

    Raises
    ------
    ValueError
        If shapes do not fit or the activation is none of these.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x, w = tg.tensor([[1.0, -2.0]]), tg.tensor([[1.0], [1.0]])
    >>> tg.ops.dense(x, w, tg.tensor([0.5]), activation="relu")
    Tensor([[0.]], dtype=float64)
    """
    if activation not in ACTIVATION_GRADIENTS:
        raise ValueError(
            f"dense: activation {activation!r} is none of linear, relu, tanh, sigmoid; "
            "apply others to the result"
        )
    x = x if isinstance(x, _ARRAYS) else as_tensor(x)
    kernel = kernel if isinstance(kernel, _ARRAYS) else as_tensor(kernel)
    dtype = x.dtype
    if dtype.kind != "f" or (kernel.dtype is not dtype and kernel.dtype != dtype):
        return _mixed_dense(x, kernel, bias, activation)
    if bias is None:
        return _dense(x, kernel, activation=activation)
    return _dense(x, kernel, bias, activation=activation)


def _mixed_dense(x: Any, kernel: Any, bias: Any, activation: str | None) -> Tensor:
    """The same by single operations, with NumPy's promotion; the kernel takes one dtype."""
    z = matmul(x, kernel)
    if bias is not None:
        z = z + bias
    if activation is None or activation == "linear":
        return z
    return {"relu": relu, "tanh": tanh, "sigmoid": sigmoid}[activation](z)


@operation(np.dot)
def dot(a: Any, b: Any) -> Tensor:
    """Dot product: over the last axis of `a` and the last but one of `b`, as in NumPy."""
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim <= 2 and b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, ([-1], [max(b.ndim - 2, 0)]))


@operation(np.inner)
def inner(a: Any, b: Any) -> Tensor:
    """Inner product over the last axes."""
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return tensordot(a, b, ([-1], [-1]))


@operation(np.vdot)
def vdot(a: Any, b: Any) -> Tensor:
    """Dot product of the flattened arrays."""
    return matmul(reshape(a, (-1,)), reshape(b, (-1,)))


@operation(np.outer)
def outer(a: Any, b: Any) -> Tensor:
    """Products of every element of `a` with every element of `b`, both flattened."""
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))


@operation(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """Sum of products over axes.

    Parameters
    ----------
    a, b : array_like
    axes : int, or (axes of a, axes of b)
        A number counts the last axes of `a` and the first of `b`.

    Returns
    -------
    Tensor
        The remaining axes of `a`, then those of `b`.

    Raises
    ------
    ValueError
        If the lengths of the summed axes differ.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.tensordot(tg.tensor([[1.0, 2.0]]), tg.tensor([[3.0], [4.0]]), 1)
    Tensor([[11.]], dtype=float64)
    """
    a, b = as_tensor(a), as_tensor(b)
    if isinstance(axes, int):
        axes = (list(range(a.ndim - axes, a.ndim)), list(range(axes)))
    first = normalize_axes(axes[0], a.ndim, "tensordot")
    second = normalize_axes(axes[1], b.ndim, "tensordot")
    if [a.shape[i] for i in first] != [b.shape[i] for i in second]:
        raise ValueError(
            f"tensordot: axes {first} of shape {a.shape} do not fit axes {second} of {b.shape}"
        )
    rest_a = tuple(i for i in range(a.ndim) if i not in first)
    rest_b = tuple(i for i in range(b.ndim) if i not in second)
    length = int(np.prod([a.shape[i] for i in first], dtype=np.int64))
    shape_a = tuple(a.shape[i] for i in rest_a)
    shape_b = tuple(b.shape[i] for i in rest_b)
    rows = reshape(transpose(a, rest_a + first), (int(np.prod(shape_a, dtype=np.int64)), length))
    columns = reshape(
        transpose(b, second + rest_b), (length, int(np.prod(shape_b, dtype=np.int64)))
    )
    return reshape(matmul(rows, columns), shape_a + shape_b)


@operation(np.trace)
def trace(x: Any, offset: int = 0) -> Tensor:
    """Sum of the diagonal of the first two axes."""
    from tapegrad.ops._indexing import diagonal

    return sum(diagonal(x, offset), axis=-1)


def _triangle(x: Any, k: int, *, lower: bool) -> Tensor:
    from tapegrad.ops._selection import where

    x = as_tensor(x)
    mask = np.tri(*x.shape[-2:], k=k if lower else k - 1, dtype=bool)
    return where(mask if lower else ~mask, x, 0)


@operation(np.tril)
def tril(x: Any, k: int = 0) -> Tensor:
    """`x` with zeros above the `k`-th diagonal of its last two axes."""
    return _triangle(x, k, lower=True)


@operation(np.triu)
def triu(x: Any, k: int = 0) -> Tensor:
    """`x` with zeros below the `k`-th diagonal of its last two axes."""
    return _triangle(x, k, lower=False)


@operation(np.linalg.norm)
def norm(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Euclidean norm over axes.

    Notes
    -----
    At the zero vector, where the derivative does not exist, it is taken as 0.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.norm(tg.tensor([3.0, 4.0]))
    Tensor(5., dtype=float64)
    """
    from tapegrad.ops._selection import equal, where

    squares = sum(square(x), axis=axis, keepdims=keepdims)
    is_zero = equal(squares, 0)
    # The square root is masked on both sides, or its derivative at 0 would be inf * 0.
    return where(is_zero, 0, sqrt(where(is_zero, 1, squares)))
