"""Class numbers to one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["to_categorical"]


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Turn class numbers into one-hot rows.

    Parameters
    ----------
    x
        Class numbers ``0 … num_classes - 1``, any shape; a last axis of size 1 is dropped.
    num_classes
        How many classes there are; by default one more than the largest number in `x`.

    Returns
    -------
    numpy.ndarray
        Array of shape ``x.shape + (num_classes,)`` in the default dtype of layers.

    Raises
    ------
    ValueError
        If a number is negative, is not whole, or is not below `num_classes`.

    Examples
    --------
    >>> to_categorical([0, 2], num_classes=3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    from tapegrad._core.state import floatx

    given = np.asarray(x)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"to_categorical: x must hold class numbers, not dtype {given.dtype}.")
    labels = given.astype(np.int64)
    if given.dtype.kind == "f" and not np.array_equal(labels, given):
        raise ValueError("to_categorical: x holds numbers that are not whole.")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.size and labels.min() < 0:
        raise ValueError(f"to_categorical: class numbers start at 0, but x holds {labels.min()}.")
    largest = int(labels.max()) if labels.size else -1
    if num_classes is None:
        num_classes = largest + 1
    elif largest >= num_classes:
        raise ValueError(
            f"to_categorical: x holds class {largest}, but num_classes={num_classes} allows "
            f"0 to {num_classes - 1}."
        )
    rows = np.zeros((*labels.shape, num_classes), dtype=floatx())
    np.put_along_axis(rows, labels[..., None], 1, axis=-1)
    return rows
