"""What an automatic differentiation engine needs of a device besides the operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tapegrad_kernels.cpu import reductions

Array = NDArray[Any]


def identity(x: Array) -> Array:
    """`x` itself."""
    return x


def sum_to_shape(x: Array, *, shape: tuple[int, ...]) -> Array:
    """`x` summed over the axes along which `shape` broadcasts to the shape of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> sum_to_shape(np.ones((2, 3)), shape=(1, 3))
    array([[2., 2., 2.]])
    """
    if x.shape == shape:
        return x
    leading = x.ndim - len(shape)
    axes = tuple(range(leading)) + tuple(
        axis + leading
        for axis, length in enumerate(shape)
        if length == 1 and x.shape[axis + leading] != 1
    )
    total = reductions.sum(x, axis=axes, keepdims=False) if axes else x
    if total.shape != shape:
        total = total.reshape(shape)
    return total


def full_like(x: Array | float, *, fill_value: float, dtype: DTypeLike | None = None) -> Array:
    """An array of the shape and dtype of `x`, or of another dtype, filled with a number."""
    array = np.asarray(x)
    return np.full(array.shape, fill_value, array.dtype if dtype is None else dtype)


def assign(target: Array, value: Array) -> None:
    """Write `value` into `target`, converted to its dtype."""
    np.copyto(target, value, casting="unsafe")


def gather_flat(buffer: Array, *arrays: Array, offsets: Sequence[int]) -> None:
    """Copy arrays into the segments of a 1-D buffer that start at `offsets`."""
    for array, offset in zip(arrays, offsets, strict=True):
        buffer[offset : offset + array.size] = array.reshape(-1)


__all__ = ["assign", "full_like", "gather_flat", "identity", "sum_to_shape"]
