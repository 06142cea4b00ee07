"""Which kind of labels a loss or metric has to do with, when only "accuracy" was said."""

from __future__ import annotations

from typing import Any, Literal

__all__ = ["is_accuracy", "is_cross_entropy", "kind_of_labels"]


def is_accuracy(identifier: Any) -> bool:
    """Whether a name stands for the accuracy that fits."""
    return isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc")


def is_cross_entropy(identifier: Any) -> bool:
    """Whether a name stands for the cross-entropy that fits."""
    return isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce")


def kind_of_labels(
    true_shape: tuple[int, ...], pred_shape: tuple[int, ...]
) -> Literal["binary", "sparse", "categorical"]:
    """Return what labels and outputs of these shapes mean, as Keras decides it.

    Examples
    --------
    >>> kind_of_labels((8,), (8, 1)), kind_of_labels((8,), (8, 3)), kind_of_labels((8, 3), (8, 3))
    ('binary', 'sparse', 'categorical')
    """
    if len(pred_shape) < 2 or pred_shape[-1] == 1:
        return "binary"
    if len(true_shape) < len(pred_shape) or true_shape[-1] == 1:
        return "sparse"
    return "categorical"
