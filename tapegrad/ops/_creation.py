"""Tensors made from numbers, and what takes tensors out of derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.builtin import identity
from tapegrad._core.state import floatx, no_record
from tapegrad._core.tensor import Tensor, tensor
from tapegrad.ops._shape import as_tensor, astype

Shape = int | Sequence[int]


def zeros(shape: Shape, dtype: Any = None) -> Tensor:
    """Zeros of a shape; by default of dtype ``floatx()``.

    Examples
    --------
    >>> zeros((2,))
    Tensor([0., 0.], dtype=float32)
    """
    return tensor(np.zeros(shape, dtype or floatx()))


def ones(shape: Shape, dtype: Any = None) -> Tensor:
    """Ones of a shape; by default of dtype ``floatx()``.

    Examples
    --------
    >>> ones((2,))
    Tensor([1., 1.], dtype=float32)
    """
    return tensor(np.ones(shape, dtype or floatx()))


def full(shape: Shape, fill_value: Any, dtype: Any = None) -> Tensor:
    """A shape filled with a value; by default of dtype ``floatx()``.

    Examples
    --------
    >>> full((2,), 3)
    Tensor([3., 3.], dtype=float32)
    """
    return tensor(np.full(shape, np.asarray(fill_value), dtype or floatx()))


def eye(n: int, m: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on the k-th diagonal of an n × m matrix; by default of dtype ``floatx()``.

    Examples
    --------
    >>> eye(2)
    Tensor([[1., 0.],
            [0., 1.]], dtype=float32)
    """
    return tensor(np.eye(n, m, k, dtype or floatx()))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Tensor:
    """Numbers at equal distances, as `numpy.arange`; real ones are of dtype ``floatx()``.

    Examples
    --------
    >>> arange(3)
    Tensor([0, 1, 2], dtype=int64)
    """
    numbers = np.arange(start, step=step) if stop is None else np.arange(start, stop, step)
    return tensor(numbers, dtype=dtype or (floatx() if numbers.dtype.kind == "f" else None))


def linspace(
    start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: Any = None
) -> Tensor:
    """So many numbers at equal distances from `start` to `stop`; by default of ``floatx()``.

    Examples
    --------
    >>> linspace(0, 1, 3)
    Tensor([0. , 0.5, 1. ], dtype=float32)
    """
    return tensor(np.linspace(start, stop, num, endpoint), dtype=dtype or floatx())


def convert_to_tensor(x: Any, dtype: Any = None) -> Tensor:
    """`x` as a Tensor, of another dtype if one is given.

    Examples
    --------
    >>> convert_to_tensor([1, 2], dtype="float32")
    Tensor([1., 2.], dtype=float32)
    """
    made = as_tensor(x)
    return made if dtype is None else astype(made, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """`x` as a NumPy array; one made from a Tensor cannot be written to.

    Examples
    --------
    >>> convert_to_numpy(convert_to_tensor([1, 2]))
    array([1, 2])
    """
    return np.asarray(x)


def stop_gradient(x: Any) -> Tensor:
    """`x` as a constant: no gradient passes through it.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(3.0)
    >>> with tg.Tape() as tape:
    ...     y = x * stop_gradient(x)
    >>> float(tape.gradient(y, x))
    3.0
    """
    with no_record():
        return identity(as_tensor(x))
