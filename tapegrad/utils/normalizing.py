"""Rows of length one."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["normalize"]


def normalize(x: Any, axis: int = -1, order: float = 2) -> np.ndarray:
    """Divide an array by its norms along an axis.

    Parameters
    ----------
    x
        An array of numbers.
    axis
        Along which the norms are taken.
    order
        Which norm: ``(Σ |xᵢ|^order)^(1/order)``.

    Returns
    -------
    numpy.ndarray
        A copy in which each vector along `axis` has norm 1; zero vectors stay as they are.

    Examples
    --------
    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"normalize: x must hold numbers, not dtype {array.dtype}.")
    norms = np.atleast_1d(np.linalg.norm(array, order, axis, keepdims=True))
    return array / np.where(norms == 0, norms.dtype.type(1), norms)
