"""Products in the manner of layers and of `numpy.matmul`: stacks, vectors, broadcasting."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu.gemm.entry import Entry
from tapegrad_kernels.cpu.gemm.interface import (
    Array,
    borrow,
    describe,
    entry_of,
    gemm,
    give_back,
    usual_product,
)

_ndarray = np.ndarray


def dense(
    x: ArrayLike,
    w: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    activation: str | None = None,
) -> Array:
    """Fully connected layer ``activation(x @ w + bias)``.

    Parameters
    ----------
    x : array_like of shape (..., k)
        Inputs, float32 or float64.
    w : array_like of shape (k, n)
        Weights, of the dtype of `x`.
    bias : array_like of shape (n,), optional
        Added to each row.
    activation : {None, "linear", "relu", "tanh", "sigmoid"}
        As in `gemm`.

    Returns
    -------
    ndarray of shape (..., n)

    Raises
    ------
    TypeError, ValueError
        As `gemm` does.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels import cpu
    >>> cpu.dense(np.ones((2, 1, 3)), np.ones((3, 2)), np.array([0.0, 1.0])).tolist()
    [[[3.0, 4.0]], [[3.0, 4.0]]]
    """
    if type(x) is _ndarray and type(w) is _ndarray:
        product = usual_product(x, w, bias, False, False, activation)
        if product is not None:
            return product
    x = np.asarray(x)
    if x.ndim == 2:
        return gemm(x, w, bias=bias, activation=activation)
    if x.ndim == 0:
        raise ValueError(f"dense: x is {describe(x)}; it must have at least 1 dimension")
    w = np.asarray(w)
    depth = x.shape[-1]
    rows = x.reshape(x.size // depth if depth else int(np.prod(x.shape[:-1])), depth)
    result = gemm(rows, w, bias=bias, activation=activation)
    return result.reshape(*x.shape[:-1], w.shape[1])


def matmul(
    a: ArrayLike,
    b: ArrayLike,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> Array:
    """Matrix product with the semantics of `numpy.matmul`.

    Parameters
    ----------
    a, b : array_like
        Matrices; stacks of matrices, whose leading dimensions broadcast; or
        vectors, which count as one row (of `a`) or one column (of `b`).
    transpose_a, transpose_b : bool, default False
        Whether to swap the last two axes of an operand that has at least two.

    Returns
    -------
    ndarray
        Shape and dtype as `numpy.matmul` gives them, 0-d for two vectors.
        Two operands of float32, or two of float64, go through this package's
        kernels; all other dtypes through NumPy.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels import cpu
    >>> cpu.matmul(np.ones((5, 2, 3)), np.ones((4, 3)), transpose_b=True).shape
    (5, 2, 4)
    >>> cpu.matmul([1, 2, 3], [4, 5, 6])
    array(32)
    """
    if type(a) is _ndarray and type(b) is _ndarray:
        product = usual_product(a, b, None, transpose_a, transpose_b, None)
        if product is not None:
            return product
    a, b = np.asarray(a), np.asarray(b)
    entry = entry_of(a.dtype)
    if entry is None or b.dtype != a.dtype or a.ndim == 0 or b.ndim == 0:
        left = np.swapaxes(a, -1, -2) if transpose_a and a.ndim > 1 else a
        right = np.swapaxes(b, -1, -2) if transpose_b and b.ndim > 1 else b
        return np.asarray(np.matmul(left, right))
    if a.ndim == 2 and b.ndim == 2:
        _check_depth(a, b, transpose_a, transpose_b)
        return gemm(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    # A vector is a matrix of one row or one column whose axis is dropped again.
    a_is_vector, b_is_vector = a.ndim == 1, b.ndim == 1
    if a_is_vector:
        a, transpose_a = a[None, :], False
    if b_is_vector:
        b, transpose_b = b[:, None], False
    _check_depth(a, b, transpose_a, transpose_b)
    if b.ndim == 2 and not transpose_a and a.ndim > 2:
        # One matrix for a whole stack of rows: a single product.
        result = gemm(_as_rows(a), b, transpose_b=transpose_b)
        result = result.reshape(*a.shape[:-1], result.shape[1])
    elif a.ndim == 2 and b.ndim == 2:
        result = gemm(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    else:
        result = _multiply_stacks(entry, a, b, transpose_a, transpose_b)
    if a_is_vector:
        result = result[..., 0, :]
    if b_is_vector:
        result = result[..., 0]
    return np.asarray(result)


def _as_rows(stack: Array) -> Array:
    depth = stack.shape[-1]
    count = stack.size // depth if depth else int(np.prod(stack.shape[:-1]))
    return stack.reshape(count, depth)


def _check_depth(a: Array, b: Array, transpose_a: bool, transpose_b: bool) -> None:
    depth = a.shape[-2 if transpose_a else -1]
    depth_of_b = b.shape[-1 if transpose_b else -2]
    if depth != depth_of_b:
        raise ValueError(
            f"matmul: a is {describe(a)} and b is {describe(b)} with "
            f"transpose_a={bool(transpose_a)}, transpose_b={bool(transpose_b)}; "
            f"op(a) has {depth} columns but op(b) has {depth_of_b} rows"
        )


def _as_stack(stack: Array, transpose: bool) -> tuple[Array, bool, int]:
    """A stack whose matrices gemm can read, whether to transpose them, their stride."""
    item = stack.itemsize
    rows, columns = stack.shape[-2:]
    outer, inner = stack.strides[-2:]
    usable = stack.flags.aligned and all(step % item == 0 for step in stack.strides)
    if usable and (inner == item or columns <= 1):
        return stack, transpose, outer // item
    if usable and (outer == item or rows <= 1):
        return stack, not transpose, inner // item
    return np.ascontiguousarray(stack), transpose, columns


def _offsets(stack: Array, leading: tuple[int, ...]) -> Array:
    """Offset in bytes of each matrix of a stack broadcast to `leading`."""
    view = np.broadcast_to(stack, leading + stack.shape[-2:])
    offsets = np.zeros(leading, np.int64)
    for axis, (length, step) in enumerate(zip(leading, view.strides, strict=False)):
        shape = (1,) * axis + (length,) + (1,) * (len(leading) - axis - 1)
        offsets += (np.arange(length, dtype=np.int64) * step).reshape(shape)
    return offsets.reshape(-1)


def _multiply_stacks(
    entry: Entry, a: Array, b: Array, transpose_a: bool, transpose_b: bool
) -> Array:
    try:
        leading = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(
            f"matmul: a is {describe(a)} and b is {describe(b)}; the leading dimensions "
            f"{a.shape[:-2]} and {b.shape[:-2]} do not broadcast"
        ) from None
    m, depth = a.shape[-2:][::-1] if transpose_a else a.shape[-2:]
    n = b.shape[-2] if transpose_b else b.shape[-1]
    a, transpose_a, lda = _as_stack(a, transpose_a)
    b, transpose_b, ldb = _as_stack(b, transpose_b)
    result = np.empty((*leading, m, n), entry.dtype)
    if result.size == 0:
        return result
    sizes = np.array([transpose_a, transpose_b, m, n, depth, lda, ldb], np.int64)
    workspace = borrow()
    entry.multiply_batches(
        a.ctypes.data,
        b.ctypes.data,
        result.ctypes.data,
        _offsets(a, leading),
        _offsets(b, leading),
        sizes,
        entry.setup,
        workspace[0],
    )
    give_back(workspace)
    return result


def _warm(dtype: str) -> None:
    square = np.zeros((64, 64), dtype)
    gemm(square, square)
    matmul(square[None], square[None])


@on_warmup("gemm float32")
def _warm_float32() -> None:
    _warm("float32")


@on_warmup("gemm float64")
def _warm_float64() -> None:
    _warm("float64")
