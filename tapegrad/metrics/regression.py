"""How far predictions of numbers are off."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad import losses
from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import align
from tapegrad.metrics.reduction import Mean, MeanMetricWrapper

__all__ = [
    "CosineSimilarity",
    "LogCoshError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "RootMeanSquaredError",
]


def _error(y_true: Any, y_pred: Any, owner: str) -> Any:
    """Return predictions minus labels, both of any numeric type."""
    true, pred = align(y_true, y_pred, owner)
    if pred.dtype.kind != "f":
        pred = pred.astype(np.float64)  # whole numbers would wrap around, booleans do not subtract
    return pred - (true.astype(pred.dtype) if true.dtype.kind == "b" else true)


def _squared_error(y_true: Any, y_pred: Any) -> Any:
    error = _error(y_true, y_pred, "mean_squared_error")
    return error * error


def _absolute_error(y_true: Any, y_pred: Any) -> Any:
    return abs(_error(y_true, y_pred, "mean_absolute_error"))


def _cosine(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    return -losses.cosine_similarity(y_true, y_pred, axis)


class MeanSquaredError(MeanMetricWrapper):
    """The mean of squared errors.

    Examples
    --------
    >>> metric = MeanSquaredError()
    >>> metric.update_state([0.0, 0.0], [1.0, 3.0])
    >>> float(metric.result())
    5.0
    """

    direction = "down"
    _of_operations = True

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of absolute errors.

    Examples
    --------
    >>> metric = MeanAbsoluteError()
    >>> metric.update_state([0.0, 0.0], [1.0, -3.0])
    >>> float(metric.result())
    2.0
    """

    direction = "down"
    _of_operations = True

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of absolute errors, relative to the labels and in percent.

    Parameters
    ----------
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = MeanAbsolutePercentageError()
    >>> metric.update_state([[1.0], [2.0]], [[2.0], [2.0]])
    >>> float(metric.result())
    50.0
    """

    direction = "down"

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of squared differences of ``log(1 + number)``.

    Parameters
    ----------
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = MeanSquaredLogarithmicError()
    >>> metric.update_state([[0.0], [3.0]], [[1.0], [3.0]])
    >>> round(float(metric.result()), 4)
    0.2402
    """

    direction = "down"

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """The mean of the logarithm of the hyperbolic cosine of the error.

    Parameters
    ----------
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = LogCoshError()
    >>> metric.update_state([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]])
    >>> round(float(metric.result()), 4)
    0.1084
    """

    direction = "down"

    def __init__(self, name: str = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)


class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine of the angle between labels and predictions: 1 for the same direction.

    Unlike the loss of this name, more is better.

    Parameters
    ----------
    name, dtype
        As for every metric.
    axis
        The axis of the vectors.

    Examples
    --------
    >>> metric = CosineSimilarity()
    >>> metric.update_state([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]])
    >>> round(float(metric.result()), 4)
    0.5
    """

    direction = "up"
    _of_operations = True

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(_cosine, name, dtype, axis=axis)
        self.axis = axis


class RootMeanSquaredError(Mean):
    """The square root of the mean of squared errors over all batches.

    Examples
    --------
    >>> metric = RootMeanSquaredError()
    >>> metric.update_state([0.0, 0.0], [3.0, 3.0])
    >>> float(metric.result())
    3.0
    """

    direction = "down"

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of labels and predictions, with an optional weight a sample."""
        super().update_state(_squared_error(y_true, y_pred), sample_weight)

    def _record(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> bool:  # type: ignore[override]
        if type(y_true) is not Tensor or type(y_pred) is not Tensor:
            return False
        return super()._record(_squared_error(y_true, y_pred), sample_weight)

    def _value(self) -> float:
        return math.sqrt(super()._value())

    def _means(self, totals: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return np.sqrt(super()._means(totals, counts))
