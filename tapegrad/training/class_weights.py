"""Weights of classes, turned into weights of samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.training.arrays import is_structure

__all__ = ["weights_of_classes"]


def weights_of_classes(
    y: Any, class_weight: dict[int, float], sample_weight: Any, dtype: np.dtype[Any] | None
) -> np.ndarray:
    """Return the weight of each sample: that of its class, times its own.

    Parameters
    ----------
    y
        Class numbers, shape (samples,) or (samples, 1), or one-hot rows.
    class_weight
        A weight for each class number; others weigh 1.
    sample_weight
        Weights of the samples, or None.
    dtype
        Of the result; float32 by default.

    Raises
    ------
    TypeError
        If `class_weight` is not a dict of numbers.
    ValueError
        If there are no targets, or several outputs, or more than one label a sample; or an entry
        is no weight of a class.
    """
    if not isinstance(class_weight, dict):
        raise TypeError(
            f"class_weight must be a dict of class numbers, not {type(class_weight).__name__}."
        )
    if y is None:
        raise ValueError("class_weight needs y.")
    if is_structure(y):
        raise ValueError(
            "class_weight is for models with one output, but y is a "
            f"{type(y).__name__} of {len(y)}; pass sample_weight instead."
        )
    if y.ndim > 2:
        raise ValueError(f"class_weight needs one label a sample, but y has shape {y.shape}.")
    for label, weight in class_weight.items():
        _check_entry(label, weight)
    labels = y.argmax(-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))
    labels = np.round(labels).astype(np.int64)
    weights = np.ones(len(y))
    for label, weight in class_weight.items():
        weights[labels == int(label)] = float(weight)
    if sample_weight is not None:
        weights = weights.reshape(weights.shape + (1,) * (sample_weight.ndim - 1)) * sample_weight
    return weights.astype(dtype or np.float32)


def _check_entry(label: Any, weight: Any) -> None:
    """Raise ValueError unless a class number and a weight were given."""
    try:
        is_class = not isinstance(label, str) and int(label) == label and label >= 0
    except (TypeError, ValueError):
        is_class = False
    if not is_class:
        raise ValueError(
            f"class_weight: the key {label!r} is not the number of a class, such as 0 or 1."
        )
    if isinstance(weight, str) or np.ndim(weight) != 0 or not weight >= 0:
        raise ValueError(
            f"class_weight: the weight of class {label} must be a number of at least 0, but is "
            f"{weight!r}."
        )
