"""Labels that are the numbers of classes, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core import device as _device
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor

__all__ = ["check_range", "class_numbers"]


def class_numbers(y_true: Any, shape: tuple[int, ...], axis: int, owner: str) -> Any:
    """Return class numbers as integers of the shape of the predictions without their axis."""
    labels = y_true if isinstance(y_true, np.ndarray | Tensor) else np.asarray(y_true)
    expected = list(shape)
    classes = expected.pop(axis)
    if labels.ndim == len(shape) and labels.shape[axis] == 1:
        labels = labels.reshape(tuple(expected))
    if labels.shape != tuple(expected):
        hint = " For one-hot rows use categorical_crossentropy." if labels.shape == shape else ""
        raise ValueError(
            f"{owner}: y_true has shape {labels.shape}, but y_pred of "
            f"shape {shape} asks for class numbers of shape {tuple(expected)}.{hint}"
        )
    if labels.dtype.kind not in "iu":
        whole = labels.astype(np.int64)
        if labels.dtype.kind == "b":
            return whole
        if not (_values(whole) == _values(labels)).all():
            raise ValueError(
                f"{owner}: y_true must hold whole class numbers from 0 to "
                f"{classes - 1}, but holds fractions or NaN."
            )
        # Runs of a record do not come back here: fractions become what kernels refuse.
        return ops.where(whole == labels, whole, -1) if _is_recorded(labels) else whole
    return labels


def _is_recorded(labels: Any) -> bool:
    return thread.recorder is not None and isinstance(labels, Tensor)


def _values(labels: Any) -> np.ndarray:
    """Return the numbers as they are now, also while a call is recorded."""
    if isinstance(labels, Tensor):
        return np.asarray(_device.to_host(labels._data))
    return np.asarray(labels)


def check_range(labels: Any, classes: int, owner: str) -> None:
    """Raise ValueError, naming the label, if one is not below `classes` or is negative.

    In a recorded call this happens once; in later runs kernels refuse such labels.
    """
    labels = _values(labels)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise ValueError(
            f"{owner}: label {wrong} in y_true lies outside 0 to {classes - 1}, the classes of a "
            f"model with {classes} outputs."
        )
