"""Hinge losses: zero for what lies on the right side of the border by a margin of 1."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import ElementwiseLoss, LossFunctionWrapper, aligned

__all__ = [
    "CategoricalHinge",
    "Hinge",
    "SquaredHinge",
    "categorical_hinge",
    "hinge",
    "squared_hinge",
]


def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean(max(1 - t p, 0), axis=-1)`` for labels t, -1 or 1, and scores p.

    Parameters
    ----------
    y_true
        Labels -1 and 1; if all are 0 or 1, then 0 means -1.
    y_pred
        Scores of the same shape (…, d); a trailing axis of size 1 may be missing.

    Returns
    -------
    Tensor
        Shape (…).

    Raises
    ------
    ValueError
        If the shapes differ otherwise.

    Examples
    --------
    >>> hinge([[-1.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([1.], dtype=float32)
    """
    return ops.mean(_shortfall(y_true, y_pred, "hinge"), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean(max(1 - t p, 0)**2, axis=-1)`` for labels t, -1 or 1, and scores p.

    Parameters
    ----------
    y_true
        Labels -1 and 1; if all are 0 or 1, then 0 means -1.
    y_pred
        Scores of the same shape (…, d); a trailing axis of size 1 may be missing.

    Returns
    -------
    Tensor
        Shape (…).

    Raises
    ------
    ValueError
        If the shapes differ otherwise.

    Examples
    --------
    >>> squared_hinge([[-1.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([1.25], dtype=float32)
    """
    return ops.mean(ops.square(_shortfall(y_true, y_pred, "squared_hinge")), axis=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``max(largest wrong score - right score + 1, 0)`` for one-hot rows and scores.

    With labels t and scores p: ``max(max((1 - t) p) - sum(t p) + 1, 0)`` along the last axis.

    Parameters
    ----------
    y_true
        One-hot rows.
    y_pred
        Scores of the same shape (…, classes).

    Returns
    -------
    Tensor
        Shape (…).

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> categorical_hinge([[0, 1, 0]], [[0.5, 1.0, 0.25]]).numpy()
    array([0.5], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "categorical_hinge")
    right = ops.sum(true * pred, axis=-1)
    wrong = ops.max((1.0 - true) * pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


def _shortfall(y_true: Any, y_pred: Any, owner: str) -> Tensor:
    """Return by how much each score falls short of the margin."""
    true, pred = aligned(y_true, y_pred, owner)
    binary = ops.all(ops.logical_or(ops.equal(true, 0.0), ops.equal(true, 1.0)))
    true = ops.where(binary, 2.0 * true - 1.0, true)
    return ops.maximum(1.0 - true * pred, 0.0)


class Hinge(ElementwiseLoss):
    """By how much scores fall short of a margin of 1.

    Labels are -1 and 1; if all labels of a batch are 0 or 1, then 0 means -1.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> round(float(Hinge()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 4)
    1.3
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(ElementwiseLoss):
    """The square of what scores fall short of a margin of 1.

    Labels are -1 and 1; if all labels of a batch are 0 or 1, then 0 means -1.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> round(float(SquaredHinge()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 4)
    1.86
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "squared_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(LossFunctionWrapper):
    """By how much the right class's score fails to exceed all others by 1.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> round(float(CategoricalHinge()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 4)
    1.4
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
