"""Which real type numbers of any type are computed in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64

Array = NDArray[Any]


def real_of(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """float64 for integers, float32 for float16, None for what is not real; in native order."""
    if dtype.kind in "iub":
        return FLOAT64
    if dtype.kind != "f":
        return None
    return FLOAT64 if dtype.itemsize >= 8 else FLOAT32


def real_type(operation: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """As `real_of`; raise TypeError for numbers that are not real."""
    real = real_of(dtype)
    if real is None:
        raise TypeError(
            f"{operation}: got an array of {dtype}, expected real numbers; "
            "convert it to float32 or float64"
        )
    return real


def as_real(operation: str, x: ArrayLike, dtype: np.dtype[Any] | None = None) -> Array:
    """`x` as a C-contiguous array of a real type, by default that of `real_type`."""
    array = np.asarray(x)
    if dtype is None:
        dtype = real_type(operation, array.dtype)
    return np.asarray(array, dtype, order="C")
