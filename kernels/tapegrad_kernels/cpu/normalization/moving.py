"""Moving averages of the statistics of batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def moving_average_update(average: NDArray[Any], value: ArrayLike, momentum: float) -> None:
    """``average = momentum * average + (1 - momentum) * value``, in place.

    Parameters
    ----------
    average : ndarray
        Written in place; its dtype stays.
    value : array_like
        Of the shape of `average`.
    momentum : float
        Weight of the past, from 0 to 1.

    Raises
    ------
    ValueError
        If the shapes differ or `momentum` is outside of 0 to 1.

    Examples
    --------
    >>> average = np.array([1.0, 2.0])
    >>> moving_average_update(average, np.array([3.0, 2.0]), 0.75)
    >>> average
    array([1.5, 2. ])
    """
    new = np.asarray(value)
    if new.shape != average.shape:
        raise ValueError(
            f"moving_average_update: the average has shape {average.shape} and the value "
            f"{new.shape}; they must be equal"
        )
    weight = float(momentum)
    if not 0.0 <= weight <= 1.0:
        raise ValueError(
            f"moving_average_update: momentum is {momentum}, expected a number from 0 to 1"
        )
    average *= weight
    average += ((1.0 - weight) * new).astype(average.dtype, copy=False)


__all__ = ["moving_average_update"]
