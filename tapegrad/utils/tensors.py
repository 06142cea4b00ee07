"""What users pass, as Tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core.operators import Operators
from tapegrad._core.tensor import Tensor, tensor

__all__ = ["as_float_tensor", "as_real_tensor", "as_tensor", "through_reals"]


def as_tensor(x: Any) -> Tensor:
    """Return a Tensor as it is, and a Variable's value, a list or an array as a Tensor."""
    return x if type(x) is Tensor else tensor(x)


def as_float_tensor(x: Any, dtype: np.dtype[Any]) -> Tensor:
    """Return `x` as a Tensor of this dtype; whole numbers and booleans are converted too."""
    if type(x) is not Tensor:
        if not isinstance(x, Operators):
            return tensor(x, dtype=dtype)
        x = tensor(x)
    return x if x._data.dtype == dtype else x.astype(dtype)


def as_real_tensor(x: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """Return whole numbers and booleans in this dtype; other Tensors as they are.

    For what is computed with real numbers: a dtype by promotion would be float64.
    """
    return x.astype(dtype) if x._data.dtype.kind in "iub" else x


def through_reals(function: Callable[[Any], Tensor], x: Tensor) -> Tensor:
    """Return ``function(x)``, in the dtype of `x` if these are whole numbers or booleans.

    For functions that only choose or copy elements, but are made for real numbers.
    """
    dtype = x._data.dtype
    if dtype.kind not in "iub":
        return function(x)
    return function(x.astype("float64")).astype(dtype)
