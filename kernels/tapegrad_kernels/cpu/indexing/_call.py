"""What the kernels of this folder share: their launcher, their view of an axis, their checks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels._compile import Block, native_entry
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import address_of, pack

Array = NDArray[Any]

CHUNK = 16_384
"""Elements that a task takes at least."""


def _run2(address, chunker, launcher, count, chunk, a, b, p, q, r):  # type: ignore[no-untyped-def]
    record = pack((address_of(a), address_of(b), p, q, r))
    run_chunks(address, record, count, chunk, chunker, launcher)


def _run3(address, chunker, launcher, count, chunk, a, b, c, p, q, r):  # type: ignore[no-untyped-def]
    record = pack((address_of(a), address_of(b), address_of(c), p, q, r))
    run_chunks(address, record, count, chunk, chunker, launcher)


def _run4(  # type: ignore[no-untyped-def]
    address, chunker, launcher, count, chunk, a, b, c, d, p, q, r
):
    record = pack((address_of(a), address_of(b), address_of(c), address_of(d), p, q, r))
    run_chunks(address, record, count, chunk, chunker, launcher)


_RUN: dict[int, Any] = {2: _run2, 3: _run3, 4: _run4}
# Only the addresses of arrays are used, so that their types need to agree in size alone.
_OF_SIZE = {4: numba.float32, 8: numba.float64}


@functools.cache
def _entry(*item_sizes: int) -> Callable[..., None]:
    vectors = [numba.types.Array(_OF_SIZE[size], 1, "C") for size in item_sizes]
    arguments = (numba.int64,) * 5 + tuple(vectors) + (numba.int64,) * 3
    name = "run_" + "_".join(map(str, item_sizes))
    return native_entry(_RUN[len(item_sizes)], name, *arguments)


def run(
    block: Block, count: int, chunk: int, *arrays: Array, p: int = 0, q: int = 0, r: int = 0
) -> None:
    """Run a block over ``range(count)``, `chunk` at a time on a thread.

    Parameters
    ----------
    block : Block
        Its record holds the addresses of the arrays, and then `p`, `q` and `r`.
    *arrays : ndarray
        Two to four, C-contiguous, with items of 4 or 8 bytes.
    """
    flat = [array if array.ndim == 1 else array.reshape(-1) for array in arrays]
    entry = _entry(*[array.itemsize for array in flat])
    launcher, chunker = parallel_launcher.address, chunk_block.address
    entry(block.address, chunker, launcher, count, max(chunk, 1), *flat, p, q, r)


def checked_axis(operation: str, axis: int, ndim: int) -> int:
    """An axis as a number from 0.

    Raises
    ------
    ValueError
        If it does not exist.
    """
    if not -ndim <= axis < ndim:
        raise ValueError(f"{operation}: axis {axis} does not exist in an array of {ndim} axes")
    return axis % ndim


def last_axis(array: Array, axis: int) -> Array:
    """`array` in C order with an axis (from 0) moved to the end."""
    if axis == array.ndim - 1:
        return np.asarray(array, order="C")
    return np.ascontiguousarray(np.moveaxis(array, axis, -1))


def back(rows: Array, axis: int) -> Array:
    """A result of rows with the last axis moved back to its place."""
    return rows if axis == rows.ndim - 1 else np.moveaxis(rows, -1, axis)


def _search_outside(indices, length):  # type: ignore[no-untyped-def]
    # Without a branch, so that it becomes vector code; negative numbers are the largest unsigned.
    worst = np.uint64(0)
    for i in range(indices.size):
        worst = max(worst, np.uint64(indices[i]))
    if indices.size and worst >= np.uint64(length):
        for i in range(indices.size):
            if indices[i] < 0 or indices[i] >= length:
                return i
    return -1


@functools.cache
def _native_first_outside() -> Callable[..., int]:
    vector = numba.types.Array(numba.int64, 1, "C")
    return native_entry(_search_outside, "first_outside", vector, numba.int64)


def as_indices(operation: str, indices: ArrayLike) -> Array:
    """Integers as a C-contiguous int64 array.

    Raises
    ------
    TypeError
        If they are no integers.
    """
    array = np.asarray(indices)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{operation}: indices are {array.dtype}, expected integers")
    return np.asarray(array, np.int64, order="C")


def first_outside(indices: Array, length: int) -> int:
    """Position, in the flattened array, of the first index not in ``range(length)``, or -1."""
    return _native_first_outside()(indices.reshape(-1), length)


def check_range(operation: str, what: str, indices: Array, length: int, of: str) -> None:
    """Raise IndexError, naming the first one, if an index is not in ``range(length)``."""
    wrong = first_outside(indices, length)
    if wrong >= 0:
        position = tuple(int(i) for i in np.unravel_index(wrong, indices.shape))
        raise IndexError(
            f"{operation}: {what} {indices.reshape(-1)[wrong]} at position {position} is out of "
            f"range for {length} {of}; expected integers from 0 to {length - 1}"
        )
