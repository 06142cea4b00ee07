"""What users pass, as Tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.operators import Operators
from tapegrad._core.tensor import Tensor, tensor

__all__ = ["as_float_tensor", "as_tensor"]


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
