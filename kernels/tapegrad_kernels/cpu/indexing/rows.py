"""Rows of a table by index, and rows combined by index: embeddings, and what segments need.

Sums are cut by destination: a task adds up the rows that go to one part of the result, in the
order of the indices. So no two tasks write the same element, nothing needs to be sorted but the
indices into a few parts, and the bits of the result do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import Block, block, kernel, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, int64_at
from tapegrad_kernels.cpu import _basis
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu._memory import copy_bytes
from tapegrad_kernels.cpu._real import as_real
from tapegrad_kernels.cpu.indexing._call import (
    CHUNK,
    Array,
    as_indices,
    check_range,
    first_outside,
    run,
)

PARTS = 16
"""Most parts of the result that tasks add into."""
WIDE = 32
"""Elements of a row from which sorting into parts costs less than a second thread saves."""


def _make_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    size = np.dtype(real).itemsize

    @block(f"gather.{real}")
    def gather_rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        indices, width = int64_at(packed[1]), packed[3]
        if width == 1:
            x, y = at(packed[0]), at(packed[2])
            for i in range(start, stop):
                y[i] = x[indices[i]]
            return
        length = width * size
        for i in range(start, stop):
            copy_bytes(packed[2] + i * length, packed[0] + indices[i] * length, length)

    def by_index(name: str, combine: Any) -> Block:
        @kernel(inline=True)
        def combine_row(x, y, source, target, width):  # type: ignore[no-untyped-def]
            for j in range(width):
                y[target + j] = combine(y[target + j], x[source + j])

        @block(f"{name}.{real}")
        def combine_rows(record, start, stop):  # type: ignore[no-untyped-def]
            packed = int64_at(record)
            x, indices, y = at(packed[0]), int64_at(packed[1]), at(packed[2])
            order, count, width = int64_at(packed[3]), packed[4], packed[5]
            if width == 1:
                for i in range(count):
                    y[indices[i]] = combine(y[indices[i]], x[i])
            elif packed[6] == 0:
                for i in range(count):
                    combine_row(x, y, i * width, indices[i] * width, width)
            else:
                for part in range(start, stop):
                    for place in range(order[part], order[part + 1]):
                        i = order[place]
                        combine_row(x, y, i * width, indices[i] * width, width)

        return combine_rows

    return {
        "gather": gather_rows,
        "add": by_index("scatter_add", _basis.add),
        "max": by_index("segment_max", _basis.maximum),
        "min": by_index("segment_min", _basis.minimum),
        "prod": by_index("segment_prod", _basis.multiply),
    }


_BLOCKS = {
    (name, np.dtype(real)): made for real in REAL_NAMES for name, made in _make_blocks(real).items()
}


@block("parts_of_indices")
def sort_into_parts(record, start, stop):  # type: ignore[no-untyped-def]
    # Positions of the indices by the part of the result that they name, in their order; before
    # them where each part begins.
    packed = int64_at(record)
    indices, order, count, shift = (
        int64_at(packed[0]),
        int64_at(packed[1]),
        packed[2],
        packed[3],
    )
    for part in range(PARTS + 1):
        order[part] = 0
    for i in range(count):
        order[(indices[i] >> shift) + 1] += 1
    order[0] = PARTS + 1
    for part in range(PARTS):
        order[part + 1] += order[part]
    for i in range(count):
        part = indices[i] >> shift
        order[order[part]] = i
        order[part] += 1
    for part in range(PARTS, 0, -1):
        order[part] = order[part - 1]
    order[0] = PARTS + 1


def block_of(name: str, dtype: np.dtype[Any]) -> Block:
    """A block of float32 or float64."""
    return _BLOCKS[name, dtype]


def shift_of(rows: int) -> int:
    """Bits of a row's number behind those of its part, for so many rows."""
    return max(0, (rows - 1).bit_length() - PARTS.bit_length() + 1)


def combine_rows(name: str, x: Array, indices: Array, y: Array) -> None:
    """Combine the rows of `x` into those of `y` at checked `indices`; all are C-contiguous."""
    if not x.size:
        return
    chosen, width = _BLOCKS[name, x.dtype], x.size // indices.size
    if width < WIDE or x.size <= CHUNK:
        run(chosen, 1, 1, x, indices, y, indices, p=indices.size, q=width)
        return
    order = np.empty(PARTS + 1 + indices.size, np.int64)
    run(sort_into_parts, 1, 1, indices, order, p=indices.size, q=shift_of(len(y)))
    run(chosen, PARTS, 1, x, indices, y, order, p=indices.size, q=width, r=1)


def take_rows(table: Array, indices: Array) -> Array:
    """Rows of a C-contiguous float array at checked indices."""
    y = np.empty(indices.shape + table.shape[1:], table.dtype)
    if y.size:
        width = y.size // indices.size
        chunk = max(1, CHUNK // width)
        run(_BLOCKS["gather", table.dtype], indices.size, chunk, table, indices, y, p=width)
    return y


def gather(table: ArrayLike, indices: ArrayLike) -> Array:
    """Rows of a table, as an embedding looks them up.

    Parameters
    ----------
    table : array_like, shape (rows, ...)
        Numbers of any dtype.
    indices : array_like of int, any shape
        From 0 to ``rows - 1``; negative ones do not count from the end.

    Returns
    -------
    ndarray, shape (*indices.shape, ...)
        Of the dtype of `table`.

    Raises
    ------
    TypeError
        If the indices are no integers.
    ValueError
        If the table has no axis.
    IndexError
        If an index is out of range; the message names the first.

    Examples
    --------
    >>> gather(np.array([[1.0, 2.0], [3.0, 4.0]]), [1, 1, 0])
    array([[3., 4.],
           [3., 4.],
           [1., 2.]])
    """
    x = np.asarray(table)
    if x.ndim == 0:
        raise ValueError("gather: got a 0-d table, expected rows")
    chosen = as_indices("gather", indices)
    check_range("gather", "index", chosen, x.shape[0], "rows")
    if x.dtype.char not in "fd" or not x.dtype.isnative:
        return np.asarray(x[chosen])
    return take_rows(np.asarray(x, order="C"), chosen)


def _checked_rows(operation: str, g: Array, indices: Array, rows: int) -> None:
    lead = g.shape[: indices.ndim]
    if lead != indices.shape:
        raise ValueError(
            f"{operation}: rows of shape {g.shape} do not fit indices of shape {indices.shape}; "
            "the shape of the rows must begin with that of the indices"
        )
    if rows < 0:
        raise ValueError(f"{operation}: got {rows} rows, expected a number from 0")


def scatter_add(g: ArrayLike, indices: ArrayLike, *, rows: int) -> Array:
    """Zeros with rows added at indices: the gradient of `gather` by its table.

    Parameters
    ----------
    g : array_like, shape (*indices.shape, ...)
        Real numbers.
    indices : array_like of int
        From 0 to ``rows - 1``. Contributions to one row are added in the order of the indices,
        so that the result has the same bits with any number of threads.
    rows : int
        Rows of the result.

    Returns
    -------
    ndarray, shape (rows, ...)
        float32 for float32, otherwise float64.

    Raises
    ------
    TypeError
        If the indices are no integers.
    ValueError
        If the shapes do not fit.
    IndexError
        If an index is out of range; the message names the first.

    Examples
    --------
    >>> scatter_add(np.array([[1.0], [2.0], [4.0]]), [0, 2, 0], rows=3)
    array([[5.],
           [0.],
           [2.]])
    """
    chosen = as_indices("scatter_add", indices)
    x = as_real("scatter_add", g)
    _checked_rows("scatter_add", x, chosen, rows)
    check_range("scatter_add", "index", chosen, rows, "rows")
    y = np.zeros((rows, *x.shape[chosen.ndim :]), x.dtype)
    combine_rows("add", x, chosen, y)
    return y


def wrapped(operation: str, indices: Array, length: int) -> Array:
    """Indices by NumPy's meaning, where negative ones count from the end, as those from 0.

    Raises
    ------
    IndexError
        If one is out of range.
    """
    chosen = as_indices(operation, indices)
    if first_outside(chosen, length) < 0:
        return chosen
    lowest, highest = int(chosen.min()), int(chosen.max())
    if lowest < -length or highest >= length:
        wrong = highest if highest >= length else lowest
        raise IndexError(
            f"{operation}: index {wrong} is out of range for an axis of {length} elements"
        )
    return np.where(chosen < 0, chosen + length, chosen)


def _warm(real: str) -> None:
    x, ids = np.ones((2, 1), real), np.zeros(2, np.int64)
    gather(x, ids)
    many = np.ones((2, CHUNK), real)
    scatter_add(many, ids, rows=1)


for _real in REAL_NAMES:
    on_warmup(f"gather scatter_add {_real}")(lambda real=_real: _warm(real))

__all__ = ["gather", "scatter_add"]
