"""Matrix products of NumPy arrays: the public face."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels.cpu.gemm.blocking import PANELS
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
_take, give_back = _idle.pop, _idle.append


def entry_of(dtype: np.dtype[Any]) -> Entry | None:
    """The entry for a native float32 or float64, or None for another dtype."""
    entry = _entries.get(dtype)
    if entry is None and dtype.isnative and dtype.name in {"float32", "float64"}:
        entry = _entries[dtype] = entry_for(dtype.name)
        _usual[dtype] = (entry.multiply, entry.setup, entry.no_bias)
    return entry


def borrow() -> Workspace:
    """A workspace that no other call uses, until it is handed to `give_back`."""
    try:
        return _take()
    except IndexError:
        return new_workspace()


def describe(array: Array) -> str:
    """Dtype and shape of an array, for error messages."""
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
    workspace = borrow()
    status = entry.multiply(
        a, b, out, bias, transpose_a, transpose_b, flags, entry.setup, workspace[0]
    )
    give_back(workspace)
    return status


def usual_product(
    a: Array, b: Array, bias: Any, transpose_a: bool, transpose_b: bool, activation: str | None
) -> Array | None:
    """The product, if nothing about it is unusual; None sends the caller the careful way.

    The native entry looks at shapes and strides itself, and refuses what does not
    fit. Here only what it takes for granted is checked: one dtype and two
    dimensions. That leaves half a microsecond of Python in a call.
    """
    dtype = a.dtype
    usual = _usual_entry(dtype)
    if usual is None or b.dtype is not dtype or a.ndim != 2 or b.ndim != 2:
        return None
    multiply, setup, row = usual
    flags = 0
    if activation is not None:
        flags = _flags_of_one_pass(activation)
        if flags is None:
            return None
    if bias is not None:
        if type(bias) is not _ndarray or bias.dtype is not dtype or bias.ndim != 1:
            return None
        row = bias
        flags |= BIAS
    product = _empty((a.shape[1 if transpose_a else 0], b.shape[0 if transpose_b else 1]), dtype)
    try:
        workspace = _take()
    except IndexError:
        workspace = new_workspace()
    refused = multiply(a, b, product, row, transpose_a, transpose_b, flags, setup, workspace[0])
    give_back(workspace)
    return None if refused else product


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
    if type(a) is _ndarray and type(b) is _ndarray and out is None and not accumulate:
        product = usual_product(a, b, bias, transpose_a, transpose_b, activation)
        if product is not None:
            return product
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


def multiply_panels(a: Array, panels: Array, columns: int) -> Array:
    """``a.T @ b`` for a `b` that is packed already.

    Parameters
    ----------
    a : ndarray, shape (k, m)
        Its rows are adjacent elements, evenly apart.
    panels : ndarray, shape (n, at least k, columns of a tile)
        The columns of b, panel by panel.
    columns : int
        How many there are.
    """
    entry = entry_for(a.dtype.name)
    product = np.empty((a.shape[1], columns), a.dtype)
    depth, stride = a.shape[0], a.strides[0] // a.itemsize
    sizes = True, PANELS, a.shape[1], columns, depth, stride, panels.shape[1]
    workspace, nothing = borrow(), np.zeros(1, np.int64)
    entry.multiply_batches(
        a.ctypes.data,
        panels.ctypes.data,
        product.ctypes.data,
        nothing,
        nothing,
        np.array(sizes, np.int64),
        entry.setup,
        workspace[0],
    )
    give_back(workspace)
    return product


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
    entry = entry_of(a.dtype)
    if entry is None:
        raise TypeError(
            f"gemm: a is {describe(a)}; it must be float32 or float64 "
            "(convert with a.astype, or use matmul for other dtypes)"
        )
    for name, array in (("b", b), ("bias", bias), ("out", out)):
        if array is not None and array.dtype != a.dtype:
            raise TypeError(
                f"gemm: {name} is {describe(array)} but a is {describe(a)}; "
                f"the dtypes must be the same (convert with {name}.astype)"
            )
    for name, array in (("a", a), ("b", b)):
        if array.ndim != 2:
            raise ValueError(
                f"gemm: {name} is {describe(array)}; it must have 2 dimensions "
                "(use matmul for batches and vectors)"
            )
    m, depth = a.shape[::-1] if transpose_a else a.shape
    depth_of_b, n = b.shape[::-1] if transpose_b else b.shape
    if depth != depth_of_b:
        raise ValueError(
            f"gemm: a is {describe(a)} and b is {describe(b)} with transpose_a={transpose_a}, "
            f"transpose_b={transpose_b}; op(a) has {depth} columns but op(b) has {depth_of_b} rows"
        )
    if bias is not None and bias.shape != (n,):
        raise ValueError(
            f"gemm: bias is {describe(bias)}; it must have the shape ({n},), the columns "
            f"of the product of a, {describe(a)}, and b, {describe(b)}"
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
            f"gemm: out is {describe(out)}; the product of a, {describe(a)}, and b, "
            f"{describe(b)}, has the shape ({m}, {n})"
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
