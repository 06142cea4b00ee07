"""Arrays of images as the windows need them: four axes, a real dtype, channels adjacent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels.cpu._real import real_type

Array = NDArray[Any]
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
_NATIVE = {FLOAT32: FLOAT32, FLOAT64: FLOAT64}


def real_dtype(operation: str, *arrays: ArrayLike) -> np.dtype[Any]:
    """The dtype to compute in: float32 or float64, which integers become.

    Raises
    ------
    TypeError
        If an array does not hold real numbers.
    """
    # The usual case first: most of a small call is what happens in Python.
    for array in arrays:
        if type(array) is not np.ndarray or array.dtype is not _NATIVE.get(array.dtype):
            break
    else:
        dtype = arrays[0].dtype  # type: ignore[union-attr]
        if len(arrays) == 1 or all(array.dtype is dtype for array in arrays):  # type: ignore[union-attr]
            return dtype
    dtype = np.result_type(*(np.asarray(array).dtype for array in arrays))
    return real_type(operation, dtype)


def as_images(operation: str, name: str, data: ArrayLike, dtype: np.dtype[Any]) -> Array:
    """`data` as an array of shape (images, height, width, channels) whose channels are adjacent.

    Other strides stay as they are; what the windows cannot read in place is copied.

    Raises
    ------
    ValueError
        If there are not four axes.
    """
    images = np.asarray(data)
    if images.ndim != 4:
        raise ValueError(
            f"{operation}: {name} has shape {images.shape}; expected four axes, "
            "(images, height, width, channels)"
        )
    if images.dtype is not dtype:
        images = images.astype(dtype, copy=False)
    adjacent = images.strides[3] == images.itemsize or images.shape[3] == 1
    return images if adjacent and images.flags.aligned else np.array(images, order="C")


def expect_shape(
    operation: str, name: str, data: ArrayLike, expected: tuple[int, ...], reason: str
) -> None:
    """Raise a ValueError if the shape of `data` is not `expected`, which follows from `reason`."""
    shape = np.shape(data)
    if shape != expected:
        raise ValueError(
            f"{operation}: {name} has shape {shape}; expected {expected}, which follows from "
            f"{reason}"
        )
