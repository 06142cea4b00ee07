"""One element for each index along an axis, the transpose of that, and one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from tapegrad_kernels._compile import Block, block, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, int64_at
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu._real import as_real
from tapegrad_kernels.cpu.indexing._call import (
    CHUNK,
    Array,
    as_indices,
    back,
    check_range,
    checked_axis,
    last_axis,
    run,
)


def _make_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    one: Any = np.dtype(real).type(1.0)

    @block(f"gather_along_axis.{real}")
    def gather_rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, indices, y = at(packed[0]), int64_at(packed[1]), at(packed[2])
        length, chosen = packed[3], packed[4]
        for row in range(start, stop):
            first = row * length
            for i in range(row * chosen, (row + 1) * chosen):
                y[i] = x[first + indices[i]]

    @block(f"scatter_along_axis.{real}")
    def scatter_rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        g, indices, y = at(packed[0]), int64_at(packed[1]), at(packed[2])
        length, chosen = packed[3], packed[4]
        for row in range(start, stop):
            first = row * length
            for i in range(row * chosen, (row + 1) * chosen):
                y[first + indices[i]] += g[i]

    @block(f"one_hot.{real}")
    def mark(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        labels, y, depth = int64_at(packed[0]), at(packed[1]), packed[2]
        for i in range(start, stop):
            if 0 <= labels[i] < depth:
                y[i * depth + labels[i]] = one

    return {"gather": gather_rows, "scatter": scatter_rows, "one_hot": mark}


_BLOCKS = {
    (name, np.dtype(real)): made for real in REAL_NAMES for name, made in _make_blocks(real).items()
}


def block_of(name: str, dtype: np.dtype[Any]) -> Block:
    """A block of float32 or float64."""
    return _BLOCKS[name, dtype]


def _checked(operation: str, x: Array, indices: ArrayLike, axis: int) -> tuple[Array, int]:
    chosen = as_indices(operation, indices)
    axis = checked_axis(operation, axis, x.ndim)
    lead, other = list(x.shape), list(chosen.shape)
    if chosen.ndim == x.ndim:
        lead[axis] = other[axis] = 0
    if lead != other:
        raise ValueError(
            f"{operation}: indices of shape {chosen.shape} do not fit an array of shape {x.shape}; "
            f"they must agree in all axes but axis {axis}"
        )
    return chosen, axis


def gather_along_axis(x: ArrayLike, indices: ArrayLike, *, axis: int) -> Array:
    """One element of `x` along an axis for each index, as `argsort` returns them.

    Parameters
    ----------
    x : array_like
        Real numbers.
    indices : array_like of int
        From 0 to ``x.shape[axis] - 1``; of the shape of `x` but for that axis.
    axis : int
        Where the indices count.

    Returns
    -------
    ndarray
        Of the shape of `indices`; float32 for float32, otherwise float64.

    Raises
    ------
    TypeError
        If the indices are no integers.
    ValueError
        If shapes or axis do not fit.
    IndexError
        If an index is out of range; the message names the first.

    Examples
    --------
    >>> gather_along_axis([[1.0, 2.0, 3.0]], [[2, 0, 0]], axis=1)
    array([[3., 1., 1.]])
    """
    array = as_real("gather_along_axis", x)
    chosen, axis = _checked("gather_along_axis", array, indices, axis)
    length = array.shape[axis]
    check_range("gather_along_axis", "index", chosen, length, "elements")
    rows, picked = last_axis(array, axis), last_axis(chosen, axis)
    each, y = chosen.shape[axis], np.empty(picked.shape, array.dtype)
    if y.size:
        made = _BLOCKS["gather", y.dtype]
        run(made, y.size // each, CHUNK // each, rows, picked, y, p=length, q=each)
    return back(y, axis)


def scatter_along_axis(g: ArrayLike, indices: ArrayLike, *, axis: int, length: int) -> Array:
    """Zeros with elements added at indices along an axis: the gradient of `gather_along_axis`.

    Parameters
    ----------
    g : array_like
        Real numbers.
    indices : array_like of int
        Of the shape of `g`, from 0 to ``length - 1``. What meets is added in order.
    axis, length : int
        Where the indices count, and the length of the result there.

    Returns
    -------
    ndarray
        float32 for float32, otherwise float64.

    Raises
    ------
    TypeError, ValueError, IndexError
        As `gather_along_axis`.

    Examples
    --------
    >>> scatter_along_axis([[1.0, 2.0, 4.0]], [[2, 0, 0]], axis=1, length=3)
    array([[6., 0., 1.]])
    """
    array = as_real("scatter_along_axis", g)
    chosen, axis = _checked("scatter_along_axis", array, indices, axis)
    if chosen.shape != array.shape:
        raise ValueError(
            f"scatter_along_axis: g has shape {array.shape} and indices {chosen.shape}; "
            "they must be equal"
        )
    check_range("scatter_along_axis", "index", chosen, length, "elements")
    rows, picked = last_axis(array, axis), last_axis(chosen, axis)
    y = np.zeros((*rows.shape[:-1], length), array.dtype)
    if rows.size:
        each = rows.shape[-1]
        made = _BLOCKS["scatter", y.dtype]
        run(made, rows.size // each, CHUNK // each, rows, picked, y, p=length, q=each)
    return back(y, axis)


def one_hot(labels: ArrayLike, *, depth: int, dtype: DTypeLike) -> Array:
    """Rows with a one at each label and zeros elsewhere.

    Parameters
    ----------
    labels : array_like of int, any shape
        Labels that are not in ``range(depth)`` give rows of zeros. Floats that are whole
        numbers count as those.
    depth : int
        Length of a row.
    dtype : dtype
        Of the result.

    Returns
    -------
    ndarray, shape (*labels.shape, depth)

    Raises
    ------
    ValueError
        If the depth is negative.

    Examples
    --------
    >>> one_hot([1, -1], depth=2, dtype="float32")
    array([[0., 1.],
           [0., 0.]], dtype=float32)
    """
    array = np.asarray(labels)
    if depth < 0:
        raise ValueError(f"one_hot: depth is {depth}, expected a number from 0")
    if array.dtype.kind == "f":
        array = np.where(array == np.floor(array), array, -1)
    chosen = np.asarray(array, np.int64, order="C")
    y = np.zeros((*chosen.shape, depth), dtype)
    made = _BLOCKS.get(("one_hot", y.dtype))
    if made is not None and y.size:
        run(made, chosen.size, CHUNK, chosen, y, p=depth)
    elif y.size:
        flat = chosen.reshape(-1)
        known = np.flatnonzero((flat >= 0) & (flat < depth))
        y.reshape(-1, depth)[known, flat[known]] = 1
    return y


def _warm(real: str) -> None:
    x, indices = np.ones(1, real), np.zeros(1, np.int64)
    gather_along_axis(x, indices, axis=0)
    scatter_along_axis(x, indices, axis=0, length=1)
    one_hot(indices, depth=1, dtype=real)


for _real in REAL_NAMES:
    on_warmup(f"gather_along_axis scatter_along_axis one_hot {_real}")(
        lambda real=_real: _warm(real)
    )

__all__ = ["gather_along_axis", "one_hot", "scatter_along_axis"]
