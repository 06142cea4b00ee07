"""Losses of segmentation: how little two regions overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import EPSILON, LossFunctionWrapper, aligned

__all__ = ["Dice", "Tversky", "dice", "tversky"]

Axis = int | Sequence[int] | None


def dice(y_true: Any, y_pred: Any, axis: Axis = None) -> Tensor:
    """Return ``1 - 2 sum(t p) / (sum(t) + sum(p) + 1e-7)``.

    Parameters
    ----------
    y_true
        Labels 0 and 1.
    y_pred
        Probabilities of the same shape.
    axis
        The axes to sum over; by default all of them, the batch's too.

    Returns
    -------
    Tensor
        The shape without `axis`; a number by default.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> dice([[1.0, 0.0], [1.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]], axis=1).numpy().round(4)
    array([0.    , 0.3333], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "dice")
    axis = _axes(axis)
    common = ops.sum(true * pred, axis=axis)
    return 1.0 - 2.0 * common / (ops.sum(true, axis=axis) + ops.sum(pred, axis=axis) + EPSILON)


def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None
) -> Tensor:
    """Return ``1 - c / (c + alpha sum(t (1 - p)) + beta sum(p (1 - t)) + 1e-7)``, c = sum(t p).

    With ``alpha = beta = 0.5`` this is the Dice loss (Salehi et al., "Tversky Loss Function for
    Image Segmentation Using 3D Fully Convolutional Deep Networks", 2017).

    Parameters
    ----------
    y_true
        Labels 0 and 1.
    y_pred
        Probabilities of the same shape.
    alpha
        The weight of what is labelled but not predicted.
    beta
        The weight of what is predicted but not labelled.
    axis
        The axes to sum over; by default all of them, the batch's too.

    Returns
    -------
    Tensor
        The shape without `axis`; a number by default.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> tversky([[1.0, 1.0]], [[0.0, 1.0]], alpha=0.25, axis=1).numpy().round(4)
    array([0.2], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "tversky")
    axis = _axes(axis)
    common = ops.sum(true * pred, axis=axis)
    missed = ops.sum((1.0 - pred) * true, axis=axis)
    wrong = ops.sum(pred * (1.0 - true), axis=axis)
    return 1.0 - common / (common + alpha * missed + beta * wrong + EPSILON)


def _axes(axis: Axis) -> int | tuple[int, ...] | None:
    return axis if axis is None or isinstance(axis, int) else tuple(axis)


class Dice(LossFunctionWrapper):
    """One minus the share that labelled and predicted regions have in common.

    Parameters
    ----------
    reduction, name
        As for every loss.
    axis
        The axes to sum over, such as ``(1, 2, 3)`` for one value an image; by default all of them,
        which gives a single value for the batch.
    dtype
        As for every loss.

    Examples
    --------
    >>> round(float(Dice()([[1.0, 1.0]], [[0.0, 1.0]])), 4)
    0.3333
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Axis = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dice, reduction, name, dtype, axis=axis)
        self.axis = axis


class Tversky(LossFunctionWrapper):
    """The Dice loss with weights on what is missed and on what is wrongly predicted.

    Parameters
    ----------
    alpha
        The weight of what is labelled but not predicted.
    beta
        The weight of what is predicted but not labelled.
    reduction, name
        As for every loss.
    axis
        The axes to sum over; by default all of them, which gives a single value for the batch.
    dtype
        As for every loss.

    Examples
    --------
    >>> round(float(Tversky(alpha=0.25)([[1.0, 1.0]], [[0.0, 1.0]])), 4)
    0.2
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Axis = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
        self.alpha = alpha
        self.beta = beta
        self.axis = axis
