"""Matrix products of NumPy arrays: the public face."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu.gemm.entry import Entry, Workspace, entry_for, new_workspace
from tapegrad_kernels.cpu.gemm.microkernel import ACCUMULATE, BIAS, RELU

Array = np.ndarray[Any, np.dtype[Any]]

_FLAGS_OF_ONE_PASS = {None: 0, "linear": 0, "relu": RELU}
_SECOND_PASS = frozenset({"tanh", "sigmoid"})

_ndarray = np.ndarray
_empty = np.empty
_entries: dict[np.dtype[Any], Entry] = {}
_usual: dict[np.dtype[Any], tuple[Any, ...]] = {}
# Bound methods, looked up once: the usual call takes little more than a microsecond.
_usual_entry, _flags_of_one_pass = _usual.get, _FLAGS_OF_ONE_PASS.get

# Workspaces that no call uses now. Appending and popping are atomic, so there
# are as many in all as calls ever ran at the same time.
_idle: list[Workspace] = []
_take_workspace, _return_workspace = _idle.pop, _idle.append


def _entry_of(dtype: np.dtype[Any]) -> Entry | None:
    """The entry for a native float32 or float64, or None for another dtype."""
    entry = _entries.get(dtype)
    if entry is None and dtype.isnative and dtype.name in {"float32", "float64"}:
        entry = _entries[dtype] = entry_for(dtype.name)
        _usual[dtype] = (entry.multiply, entry.setup, entry.dtype, entry.no_bias)
    return entry


def _borrow() -> Workspace:
    try:
        return _take_workspace()
    except IndexError:
        return new_workspace()


def _describe(array: Array) -> str:
    return f"{array.dtype}{list(array.shape)}"


def _run(
    entry: Entry,
    a: Array,
    b: Array,
    out: Array,
    bias: Array,
    transpose_a: bool,
    transpose_b: bool,
    flags: int,
) -> int:
    workspace = _borrow()
    status = entry.multiply(
        a, b, out, bias, transpose_a, transpose_b, flags, entry.setup, workspace[0]
    )
    _return_workspace(workspace)
    return status


def gemm(
    a: ArrayLike,
    b: ArrayLike,
    out: Array | None = None,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: ArrayLike | None = None,
    activation: str | None = None,
    accumulate: bool = False,
) -> Array:
    """Matrix product ``activation(op(a) @ op(b) + bias)``.

    Parameters
    ----------
    a : array_like of shape (m, k), or (k, m) if `transpose_a`
        Left matrix, float32 or float64. Any strides; a transposed view is used
        in place, as is a slice whose rows or columns are contiguous.
    b : array_like of shape (k, n), or (n, k) if `transpose_b`
        Right matrix, of the dtype of `a`.
    out : ndarray of shape (m, n), optional
        Where the result goes, of the dtype of `a`. It may overlap the operands.
    transpose_a, transpose_b : bool, default False
        Whether op transposes.
    bias : array_like of shape (n,), optional
        Added to each row.
    activation : {None, "linear", "relu", "tanh", "sigmoid"}
        Function applied to each element at the end.
    accumulate : bool, default False
        Whether to add to what `out` holds: ``activation(out + op(a) @ op(b) + bias)``.

    Returns
    -------
    ndarray of shape (m, n)
        `out`, or a new array. Its bits do not depend on the number of threads.

    Raises
    ------
    TypeError
        If an operand is neither float32 nor float64, or the dtypes differ.
    ValueError
        If shapes do not fit, the activation is unknown, or there is nothing to
        accumulate into.

    Notes
    -----
    IEEE 754 holds throughout: ``0 * inf`` is NaN and reaches the result.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels import cpu
    >>> a = np.array([[1.0, 2.0], [3.0, -4.0]])
    >>> cpu.gemm(a, a, bias=np.array([0.5, 1.0]), activation="relu")
    array([[ 7.5,  0. ],
           [ 0. , 23. ]])
    """
    # The usual call goes straight to the native entry, which looks at shapes and
    # strides itself. What it refuses, or what is unusual here, takes the careful way.
    if (
        type(a) is _ndarray
        and type(b) is _ndarray
        and out is None
        and not accumulate
        and (usual := _usual_entry(a.dtype)) is not None
        and (flags := _flags_of_one_pass(activation)) is not None
    ):
        multiply, setup, dtype, row = usual
        if bias is not None and type(bias) is _ndarray and bias.ndim == 1 and bias.dtype is dtype:
            row = bias
            flags |= BIAS
        if b.dtype is dtype and a.ndim == b.ndim == 2 and (bias is None or row is bias):
            result = _empty(
                (a.shape[1 if transpose_a else 0], b.shape[0 if transpose_b else 1]), dtype
            )
            workspace = _borrow()
            refused = multiply(
                a, b, result, row, transpose_a, transpose_b, flags, setup, workspace[0]
            )
            _return_workspace(workspace)
            if not refused:
                return result
    return _gemm_with_care(
        np.asarray(a),
        np.asarray(b),
        out,
        bool(transpose_a),
        bool(transpose_b),
        None if bias is None else np.asarray(bias),
        activation,
        bool(accumulate),
    )


def _check_operands(
    a: Array,
    b: Array,
    out: Array | None,
    transpose_a: bool,
    transpose_b: bool,
    bias: Array | None,
    activation: str | None,
    accumulate: bool,
) -> Entry:
    """Raise what is wrong with the arguments of gemm; return their entry."""
    entry = _entry_of(a.dtype)
    if entry is None:
        raise TypeError(
            f"gemm: a is {_describe(a)}; it must be float32 or float64 "
            "(convert with a.astype, or use matmul for other dtypes)"
        )
    for name, array in (("b", b), ("bias", bias), ("out", out)):
        if array is not None and array.dtype != a.dtype:
            raise TypeError(
                f"gemm: {name} is {_describe(array)} but a is {_describe(a)}; "
                f"the dtypes must be the same (convert with {name}.astype)"
            )
    for name, array in (("a", a), ("b", b)):
        if array.ndim != 2:
            raise ValueError(
                f"gemm: {name} is {_describe(array)}; it must have 2 dimensions "
                "(use matmul for batches and vectors)"
            )
    m, depth = a.shape[::-1] if transpose_a else a.shape
    depth_of_b, n = b.shape[::-1] if transpose_b else b.shape
    if depth != depth_of_b:
        raise ValueError(
            f"gemm: a is {_describe(a)} and b is {_describe(b)} with transpose_a={transpose_a}, "
            f"transpose_b={transpose_b}; op(a) has {depth} columns but op(b) has {depth_of_b} rows"
        )
    if bias is not None and bias.shape != (n,):
        raise ValueError(
            f"gemm: bias is {_describe(bias)}; it must have the shape ({n},), the columns "
            f"of the product of a, {_describe(a)}, and b, {_describe(b)}"
        )
    if activation not in _FLAGS_OF_ONE_PASS and activation not in _SECOND_PASS:
        raise ValueError(
            f"gemm: activation is {activation!r}; it must be None, 'linear', 'relu', "
            "'tanh' or 'sigmoid'"
        )
    if out is None:
        if accumulate:
            raise ValueError("gemm: accumulate=True needs out, the array to add to")
    elif out.shape != (m, n):
        raise ValueError(
            f"gemm: out is {_describe(out)}; the product of a, {_describe(a)}, and b, "
            f"{_describe(b)}, has the shape ({m}, {n})"
        )
    elif not out.flags.writeable:
        raise ValueError("gemm: out is read-only")
    return entry


def _rows_are_dense(array: Array) -> bool:
    """Whether gemm may write into `array`: elements of a row adjacent, rows apart."""
    item = array.itemsize
    rows, columns = array.shape
    return bool(
        array.flags.aligned
        and (columns <= 1 or array.strides[1] == item)
        and (rows <= 1 or (abs(array.strides[0]) >= columns * item))
    )


def _gemm_with_care(
    a: Array,
    b: Array,
    out: Array | None,
    transpose_a: bool,
    transpose_b: bool,
    bias: Array | None,
    activation: str | None,
    accumulate: bool,
) -> Array:
    if out is not None and not isinstance(out, np.ndarray):
        raise TypeError(f"gemm: out is a {type(out).__name__}; it must be a NumPy array")
    entry = _check_operands(a, b, out, transpose_a, transpose_b, bias, activation, accumulate)
    flags = _FLAGS_OF_ONE_PASS.get(activation, 0) | (ACCUMULATE if accumulate else 0)
    if bias is not None:
        flags |= BIAS
        bias = np.ascontiguousarray(bias)
    if out is None:
        m = a.shape[1 if transpose_a else 0]
        n = b.shape[0 if transpose_b else 1]
        target = np.empty((m, n), entry.dtype)
    elif (
        _rows_are_dense(out)
        and not np.may_share_memory(out, a)
        and not np.may_share_memory(out, b)
        and (bias is None or not np.may_share_memory(out, bias))
    ):
        target = out
    else:
        target = np.array(out, order="C")
    row = entry.no_bias if bias is None else bias
    if _run(entry, a, b, target, row, transpose_a, transpose_b, flags):
        # Neither rows nor columns of an operand are adjacent, or it is not aligned.
        a, b, row = (np.require(x, requirements=["C", "A"]) for x in (a, b, row))
        if status := _run(entry, a, b, target, row, transpose_a, transpose_b, flags):
            raise AssertionError(f"gemm: the kernel refused contiguous arrays ({status})")
    if activation in _SECOND_PASS:
        target = _activate(target, activation)
    if out is None or target is out:
        return target
    out[...] = target
    return out


def _activate(array: Array, activation: str | None) -> Array:
    from tapegrad_kernels import cpu  # its other kernels may themselves use gemm

    return cpu.tanh(array) if activation == "tanh" else cpu.sigmoid(array)


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
    x = np.asarray(x)
    if x.ndim == 2:
        return gemm(x, w, bias=bias, activation=activation)
    if x.ndim == 0:
        raise ValueError(f"dense: x is {_describe(x)}; it must have at least 1 dimension")
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
    a, b = np.asarray(a), np.asarray(b)
    entry = _entry_of(a.dtype)
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
            f"matmul: a is {_describe(a)} and b is {_describe(b)} with "
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
            f"matmul: a is {_describe(a)} and b is {_describe(b)}; the leading dimensions "
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
    workspace = _borrow()
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
    _return_workspace(workspace)
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
