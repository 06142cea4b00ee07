"""Making arrays, also from lists in which tensors stand."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.nest import flatten
from tapegrad._core.operators import Operators


def array(data: Any, dtype: Any = None) -> Any:
    """An array of `data`; a tensor if `data` is one or contains any.

    Parameters
    ----------
    data : array_like
        Numbers, nested lists, arrays. Tensors in nested lists are stacked, and
        gradients pass back to them.
    dtype : dtype, optional
        As for `numpy.array`.

    Returns
    -------
    ndarray or Tensor

    Examples
    --------
    >>> import tapegrad as tg
    >>> import tapegrad.numpy as np
    >>> tg.grad(lambda x: np.array([x, x * x]).sum())(3.0)
    np.float64(7.0)
    """
    if isinstance(data, Operators):
        return ops.identity(data) if dtype is None else ops.astype(data, dtype)
    if isinstance(data, list | tuple) and any(isinstance(x, Operators) for x in flatten(data)):
        stacked = ops.stack([array(part) for part in data])
        return stacked if dtype is None else ops.astype(stacked, dtype)
    return np.array(data, dtype=dtype)


def asarray(data: Any, dtype: Any = None) -> Any:
    """As `array`, without a copy where none is needed."""
    if isinstance(data, Operators) and dtype is None:
        return data
    if isinstance(data, np.ndarray):
        return np.asarray(data, dtype=dtype)
    return array(data, dtype)


def full_like(x: Any, fill_value: float, dtype: Any = None) -> Any:
    """An array of the shape and dtype of `x`, filled with a number."""
    shape, kind = np.shape(x), getattr(x, "dtype", None)
    return np.full(shape, fill_value, dtype or kind)


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of the shape and dtype of `x`."""
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones of the shape and dtype of `x`."""
    return full_like(x, 1, dtype)
