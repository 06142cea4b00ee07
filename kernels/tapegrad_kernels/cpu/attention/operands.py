"""Checks the arrays of a call and tells where the matrices of each head are."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels.cpu._real import real_of
from tapegrad_kernels.cpu.attention import layout
from tapegrad_kernels.cpu.gemm.blocking import ALIAS_BYTES

Array = NDArray[Any]

_REAL = (np.dtype(np.float32), np.dtype(np.float64))


@functools.lru_cache(maxsize=256)
def offsets_of(shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """Offset in bytes of each matrix of a stack, in C order."""
    offsets = np.zeros(1, np.int64)
    for length, step in zip(shape, strides, strict=True):
        offsets = (offsets[:, None] + np.arange(length, dtype=np.int64) * step).reshape(-1)
    return offsets


def leading_offsets(array: Array, leading: tuple[int, ...]) -> Array:
    """Offset in bytes of the matrix in the last two axes for each index in `leading`."""
    if array.shape[:-2] != leading:
        array = np.broadcast_to(array, leading + array.shape[-2:])
    return offsets_of(leading, array.strides[:-2])


def real_type(operation: str, arrays: tuple[Array, ...]) -> np.dtype[Any]:
    """float32 or float64 for arrays of real numbers; integers become float64."""
    dtype = np.result_type(*arrays)
    real = real_of(dtype)
    if real is None:
        raise TypeError(
            f"{operation}: got arrays of {dtype}, expected real numbers; "
            "convert them to float32 or float64"
        )
    return real


def matrices(array: Array, dtype: np.dtype[Any]) -> Array:
    """`array`, or a copy, of which kernels can read the matrices in the last two axes.

    Rows must be contiguous. Rows that fall into the same few sets of the first cache are
    copied too: reading a tile of them would push out what it has just read.
    """
    if array.dtype != dtype:
        return np.asarray(array, dtype, order="C")
    usable = rows_are_readable(array, array.flags.aligned)
    return array if usable else np.asarray(array, order="C").copy()


def rows_are_readable(array: Any, aligned: bool) -> bool:
    """Whether kernels can read an array, or an operand of a program, where it is."""
    row, column = array.strides[-2:]
    size = array.dtype.itemsize
    rows, columns = array.shape[-2:]
    usable = aligned and (column == size or columns <= 1)
    if rows > 1:
        usable = usable and row % size == 0 and (row % ALIAS_BYTES != 0 or row == 0)
    return usable


@dataclass(slots=True)
class Operands:
    """Queries, keys, values and mask, ready for the kernels."""

    q: Array
    k: Array
    v: Array
    mask: Array | None
    leading: tuple[int, ...]
    heads: int
    scale: float

    def record(self, causal: bool) -> tuple[Array, list[Array]]:
        """The part of a kernel's record that both passes need, and what it points to."""
        q, k, v, mask = self.q, self.k, self.v, self.mask
        r = np.zeros(layout.RECORD_LENGTH, np.int64)
        r[layout.QUERIES], r[layout.DEPTH] = q.shape[-2:]
        r[layout.KEYS], r[layout.VALUE_DEPTH] = v.shape[-2:]
        r[layout.HEADS] = self.heads
        r[layout.CAUSAL] = causal
        r[layout.SCALE : layout.SCALE + 1].view(np.float64)[0] = self.scale
        offsets = [leading_offsets(array, self.leading) for array in (q, k, v)]
        size = q.itemsize
        for place, array, offset in zip(
            (layout.Q, layout.K, layout.V), (q, k, v), offsets, strict=True
        ):
            r[place] = array.ctypes.data
            r[place + 1] = array.strides[-2] // size
            r[place + 2] = offset.ctypes.data
        if mask is not None:
            offsets.append(leading_offsets(mask, self.leading))
            boolean = mask.dtype.kind == "b"
            r[layout.MASK] = mask.ctypes.data
            r[layout.MASK_KIND] = layout.BOOLEAN_MASK if boolean else layout.ADDED_MASK
            r[layout.MASK_ROW], r[layout.MASK_COLUMN] = mask.strides[-2:]
            r[layout.MASK_OFFSETS] = offsets[-1].ctypes.data
        return r, offsets


def check(
    operation: str,
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    mask: ArrayLike | None,
    scale: float | None,
) -> Operands:
    """Bring the arguments into a form that the kernels take, or say what is wrong with them."""
    given = np.asarray(query), np.asarray(key), np.asarray(value)
    dtype = real_type(operation, given)
    for name, array in zip(("query", "key", "value"), given, strict=True):
        if array.ndim < 2:
            raise ValueError(
                f"{operation}: {name} has shape {array.shape}; expected at least two axes, "
                "(..., positions, features)"
            )
    q, k, v = (matrices(array, dtype) for array in given)
    if k.shape[-1] != q.shape[-1]:
        raise ValueError(
            f"{operation}: query has {q.shape[-1]} features in shape {q.shape} and key "
            f"{k.shape[-1]} in shape {k.shape}; they must be equal"
        )
    if v.shape[-2] != k.shape[-2]:
        raise ValueError(
            f"{operation}: key has {k.shape[-2]} positions in shape {k.shape} and value "
            f"{v.shape[-2]} in shape {v.shape}; they must be equal"
        )
    leading = q.shape[:-2]
    if k.shape[:-2] != leading or v.shape[:-2] != leading:
        try:
            leading = np.broadcast_shapes(leading, k.shape[:-2], v.shape[:-2])
        except ValueError:
            raise ValueError(
                f"{operation}: the leading axes of query {q.shape}, key {k.shape} and value "
                f"{v.shape} do not broadcast; give each batch and head its own or 1"
            ) from None
    return Operands(
        q,
        k,
        v,
        None
        if mask is None
        else _mask(operation, mask, (*leading, q.shape[-2], k.shape[-2]), dtype),
        leading,
        math.prod(leading),
        1 / math.sqrt(q.shape[-1] or 1) if scale is None else float(scale),
    )


def _mask(operation: str, mask: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    array = np.asarray(mask)
    if array.dtype.kind not in "bf":
        raise TypeError(
            f"{operation}: got a mask of {array.dtype}, expected booleans (True: attend) or "
            "real numbers that are added to the scores; convert it with .astype(bool)"
        )
    if (array.dtype.kind == "f" and array.dtype != dtype) or not array.flags.aligned:
        array = np.array(array, dtype)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"{operation}: a mask of shape {array.shape} does not broadcast to the scores of "
            f"shape {shape}, (..., queries, keys)"
        ) from None
