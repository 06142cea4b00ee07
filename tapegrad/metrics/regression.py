"""How far predictions of numbers are off."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import Mean, MeanMetricWrapper, Metric, align

__all__ = [
    "MeanAbsoluteError",
    "MeanSquaredError",
    "R2Score",
    "RootMeanSquaredError",
]


def _squared_error(y_true: Any, y_pred: Any) -> np.ndarray:
    true, pred = align(y_true, y_pred, "mean_squared_error")
    error = pred - true
    return error * error


def _absolute_error(y_true: Any, y_pred: Any) -> np.ndarray:
    true, pred = align(y_true, y_pred, "mean_absolute_error")
    return np.abs(pred - true)


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

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(_absolute_error, name, dtype)


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

    def _value(self) -> float:
        return math.sqrt(super()._value())


class R2Score(Metric):
    """The coefficient of determination: 1 minus the share of variance left unexplained.

    With several outputs, the mean of theirs (each counting equally).

    Examples
    --------
    >>> metric = R2Score()
    >>> metric.update_state([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    >>> float(metric.result())
    0.5
    """

    direction = "up"

    def __init__(self, name: str = "r2_score", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self._outputs: int | None = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of labels and predictions, with an optional weight a sample."""
        true, pred = align(y_true, y_pred, "r2_score")
        true = true.reshape(len(true), -1).astype(np.float64)
        pred = pred.reshape(len(pred), -1)
        weights = np.ones(len(true)) if sample_weight is None else np.ravel(sample_weight)
        if self._outputs is None:
            self._outputs = true.shape[1]
            self.moments = self.add_state("moments", (4, self._outputs))
        # Welford's update, merged batch by batch: the plain sum of squares minus the squared sum
        # cancels when the labels lie far from zero.
        count, mean, spread, residual = self.moments
        batch_count = weights.sum()
        if batch_count == 0:
            return
        batch_mean = weights @ true / batch_count
        shift = batch_mean - mean
        total = count + batch_count
        spread += weights @ (true - batch_mean) ** 2 + shift**2 * count * batch_count / total
        mean += shift * batch_count / total
        count += batch_count
        residual += weights @ (true - pred) ** 2

    def result(self) -> Tensor:
        """Return the score; 0 for an output whose labels never vary."""
        if self._outputs is None:
            return self._as_result(0.0)
        _, _, spread, residual = self.moments
        varies = spread > 0
        score = np.where(varies, 1.0 - residual / np.where(varies, spread, 1.0), 0.0)
        return self._as_result(score.mean())
