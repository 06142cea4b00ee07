"""What the normalizations ask of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels.cpu import _real
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64

Array = NDArray[Any]

_REALS = frozenset((FLOAT32, FLOAT64))


def real_type(operation: str, *values: Any) -> np.dtype[Any]:
    """The real type of the result: float64 for integers, float32 for float16.

    Raises
    ------
    TypeError
        If the numbers are not real.
    """
    dtype = np.result_type(*(np.asarray(value) for value in values if value is not None))
    return _real.real_type(operation, dtype)


def real_arrays(operation: str, *values: Any) -> list[Array]:
    """The values as C-contiguous arrays of one real type; None stays None."""
    first = values[0]
    if type(first) is np.ndarray and first.dtype in _REALS:
        dtype = first.dtype
        for value in values:
            if value is not None and (
                type(value) is not np.ndarray
                or value.dtype != dtype
                or not value.flags.c_contiguous
            ):
                break
        else:
            return list(values)
    dtype = real_type(operation, *values)
    # asarray and not ascontiguousarray, which gives a 0-d array an axis.
    return [None if v is None else np.asarray(v, dtype, order="C") for v in values]  # type: ignore[misc]


def parameter(
    operation: str, name: str, value: Array | None, like: Array, shape: tuple[int, ...], fill: float
) -> Array:
    """A parameter of the given shape, or that many times `fill` for None.

    Raises
    ------
    ValueError
        If the shape is another.
    """
    if value is None:
        return np.full(shape, fill, like.dtype)
    if value.shape != shape:
        raise ValueError(
            f"{operation}: {name} has shape {value.shape}, expected {shape}, one number for each "
            f"position along the normalized axes of x, whose shape is {like.shape}"
        )
    return value


def check_epsilon(operation: str, epsilon: float) -> float:
    """`epsilon` as a float.

    Raises
    ------
    ValueError
        If it is negative or no number.
    """
    number = float(epsilon)
    if not 0.0 <= number < np.inf:
        raise ValueError(
            f"{operation}: epsilon is {epsilon}, expected a number that is not negative; "
            "it is added to the variance"
        )
    return number


def check_gradient(operation: str, dy: Array, x: Array) -> None:
    """The gradient by the result must have the shape of `x`.

    Raises
    ------
    ValueError
        If it has not.
    """
    if dy.shape != x.shape:
        raise ValueError(
            f"{operation}: dy has shape {dy.shape} and x has shape {x.shape}; they must be equal"
        )


def trailing_size(operation: str, x: ArrayLike, ndim: int) -> tuple[int, int]:
    """Number of rows and their length when the last `ndim` axes make a row.

    Raises
    ------
    ValueError
        If `x` has fewer axes.
    """
    shape = np.shape(x)
    if not 1 <= ndim <= len(shape):
        raise ValueError(
            f"{operation}: ndim is {ndim}, expected 1 to {len(shape)} trailing axes of x, "
            f"whose shape is {shape}"
        )
    height = width = 1
    for length in shape[: len(shape) - ndim]:
        height *= length
    for length in shape[len(shape) - ndim :]:
        width *= length
    return height, width


__all__ = [
    "Array",
    "check_epsilon",
    "check_gradient",
    "parameter",
    "real_arrays",
    "real_type",
    "trailing_size",
]
