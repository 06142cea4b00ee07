"""What NumPy can ask of an array without differentiating: shapes, comparisons as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.builtin import fill_like
from tapegrad._core.operators import Operators
from tapegrad._core.registry import numpy_functions, operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._shape import as_tensor, astype


@operation(np.shape)
def shape(x: Any) -> tuple[int, ...]:
    """Length of each axis of `x`."""
    return x.shape if isinstance(x, Operators) else np.shape(x)  # type: ignore[attr-defined]


@operation(np.ndim)
def ndim(x: Any) -> int:
    """Number of axes of `x`."""
    return len(shape(x))


@operation(np.size)
def size(x: Any, axis: int | None = None) -> int:
    """Number of elements of `x`, or its length along an axis."""
    lengths = shape(x)
    return int(np.prod(lengths, dtype=np.int64)) if axis is None else lengths[axis]


def _filled(x: Any, value: float, dtype: Any) -> Tensor:
    made = fill_like(as_tensor(x), value)
    return made if dtype is None else astype(made, dtype)


@operation(np.zeros_like)
def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros of the shape, dtype and device of `x`."""
    return _filled(x, 0, dtype)


@operation(np.ones_like)
def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Ones of the shape, dtype and device of `x`."""
    return _filled(x, 1, dtype)


@operation(np.full_like)
def full_like(x: Any, fill_value: float, dtype: Any = None) -> Tensor:
    """An array of the shape, dtype and device of `x`, filled with a number."""
    return _filled(x, fill_value, dtype)


def _on_values(function: Any) -> Any:
    """NumPy's function, on the values of tensors: its results are not differentiable."""

    def called(*args: Any, **kwargs: Any) -> Any:
        values = [np.asarray(a) if isinstance(a, Operators) else a for a in args]
        return function(*values, **kwargs)

    called.__name__ = function.__name__
    return called


for _function in (np.allclose, np.array_equal, np.isclose, np.result_type, np.array2string):
    numpy_functions[_function] = _on_values(_function)
