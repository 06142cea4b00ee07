"""Losses between numbers: means of errors, squared, relative or of logarithms."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import EPSILON, ElementwiseLoss, aligned

__all__ = [
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
]


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


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``100 mean(|y_true - y_pred| / max(|y_true|, 1e-7), axis=-1)``.

    Parameters
    ----------
    y_true, y_pred
        Numbers of one shape (…, d); a trailing axis of size 1 may be missing in one of them.

    Returns
    -------
    Tensor
        Shape (…), in percent.

    Raises
    ------
    ValueError
        If the shapes differ otherwise.

    Examples
    --------
    >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]]).numpy()
    array([25.], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "mean_absolute_percentage_error")
    size = ops.maximum(ops.absolute(true), EPSILON)
    return 100.0 * ops.mean(ops.absolute((true - pred) / size), axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean((log(1 + y_true) - log(1 + y_pred))**2, axis=-1)``.

    Numbers below 1e-7, negative ones too, count as 1e-7.

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
    >>> mean_squared_logarithmic_error([[0.0, 3.0]], [[1.0, 3.0]]).numpy().round(4)
    array([0.2402], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "mean_squared_logarithmic_error")
    difference = ops.log1p(ops.maximum(pred, EPSILON)) - ops.log1p(ops.maximum(true, EPSILON))
    return ops.mean(ops.square(difference), axis=-1)


class MeanSquaredError(ElementwiseLoss):
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
        super().__init__(mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(ElementwiseLoss):
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
        super().__init__(mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(ElementwiseLoss):
    """The mean of absolute errors, relative to the labels and in percent.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> float(MeanAbsolutePercentageError()([[1.0], [2.0]], [[2.0], [2.0]]))
    50.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(ElementwiseLoss):
    """The mean of squared differences of logarithms, which weighs ratios rather than differences.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> round(float(MeanSquaredLogarithmicError()([[0.0], [3.0]], [[1.0], [3.0]])), 4)
    0.2402
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)
