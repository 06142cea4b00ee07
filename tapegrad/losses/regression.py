"""Losses between numbers."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import Loss, aligned

__all__ = ["MeanAbsoluteError", "MeanSquaredError", "mean_absolute_error", "mean_squared_error"]


def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean((y_true - y_pred)**2, axis=-1)``.

    Parameters
    ----------
    y_true, y_pred
        Numbers of one shape (…, d); a trailing axis of size 1 may be missing in one of them.

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
    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]]).numpy()
    array([0.5], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "mean_squared_error")
    return ops.mean(ops.square(pred - true), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean(|y_true - y_pred|, axis=-1)``.

    Parameters
    ----------
    y_true, y_pred
        Numbers of one shape (…, d); a trailing axis of size 1 may be missing in one of them.

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
    >>> mean_absolute_error([[0.0, 1.0]], [[1.0, 1.0]]).numpy()
    array([0.5], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "mean_absolute_error")
    return ops.mean(ops.absolute(pred - true), axis=-1)


class _RowLoss(Loss):
    """A loss of two arrays of one shape; a vector counts as one value a sample."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value a sample."""
        true, pred = aligned(y_true, y_pred, self.name)
        if pred.ndim == 1:
            true, pred = true.reshape((-1, 1)), pred.reshape((-1, 1))
        return self.rows(true, pred)

    def rows(self, true: Tensor, pred: Tensor) -> Tensor:
        """Return one value a sample, of arrays of one shape with at least two axes."""
        raise NotImplementedError


class MeanSquaredError(_RowLoss):
    """The mean of squared errors.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> float(MeanSquaredError()([[0.0], [2.0]], [[1.0], [2.0]]))
    0.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def rows(self, true: Tensor, pred: Tensor) -> Tensor:
        """Return the mean squared error of each sample."""
        return ops.mean(ops.square(pred - true), axis=-1)


class MeanAbsoluteError(_RowLoss):
    """The mean of absolute errors.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> float(MeanAbsoluteError()([[0.0], [2.0]], [[1.0], [2.0]]))
    0.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def rows(self, true: Tensor, pred: Tensor) -> Tensor:
        """Return the mean absolute error of each sample."""
        return ops.mean(ops.absolute(pred - true), axis=-1)
