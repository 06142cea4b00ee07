"""How far labels and predictions go together."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.metrics.base import align
from tapegrad.metrics.reduction import MeanMetricWrapper

__all__ = [
    "ConcordanceCorrelation",
    "PearsonCorrelation",
    "concordance_correlation",
    "pearson_correlation",
]

# Keeps the quotient finite where neither labels nor predictions vary, as in Keras.
_EPSILON = 1e-7


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """Return ``covariance / (deviation of labels * deviation of predictions)`` along an axis.

    Parameters
    ----------
    y_true, y_pred
        Numbers of one shape.
    axis
        The axis along which they are compared.

    Returns
    -------
    numpy.ndarray
        From -1 to 1, the shape without `axis`; NaN where labels or predictions do not vary.

    Examples
    --------
    >>> pearson_correlation([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]).round(4)
    array([1.    , 0.9934])
    """
    true, pred = _centered(y_true, y_pred, axis, "pearson_correlation")[:2]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (true * pred).mean(axis) / np.sqrt(
            np.square(true).mean(axis) * np.square(pred).mean(axis)
        )


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """Return ``2 covariance / (both variances + (difference of means)**2 + 1e-7)`` along an axis.

    Unlike the correlation it is 1 only where predictions equal the labels (Lin, "A Concordance
    Correlation Coefficient to Evaluate Reproducibility", 1989).

    Parameters
    ----------
    y_true, y_pred
        Numbers of one shape.
    axis
        The axis along which they are compared.

    Returns
    -------
    numpy.ndarray
        From -1 to 1, the shape without `axis`.

    Examples
    --------
    >>> y_true, y_pred = [[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]
    >>> concordance_correlation(y_true, y_pred).round(4)
    array([0.9756, 0.9877])
    """
    true, pred, shift = _centered(y_true, y_pred, axis, "concordance_correlation")
    spread = np.square(true).mean(axis) + np.square(pred).mean(axis) + np.square(shift)
    return 2 * (true * pred).mean(axis) / (spread + _EPSILON)


def _centered(
    y_true: Any, y_pred: Any, axis: int, owner: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels and predictions less their means, and the difference of these."""
    true, pred = align(y_true, y_pred, owner)
    true, pred = true.astype(np.float64), pred.astype(np.float64)
    true_mean, pred_mean = true.mean(axis, keepdims=True), pred.mean(axis, keepdims=True)
    return true - true_mean, pred - pred_mean, (true_mean - pred_mean).squeeze(axis)


class PearsonCorrelation(MeanMetricWrapper):
    """The mean correlation of labels and predictions.

    Parameters
    ----------
    name, dtype
        As for every metric.
    axis
        The axis along which they are compared: -1 for one correlation a sample.

    Examples
    --------
    >>> metric = PearsonCorrelation()
    >>> metric.update_state([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])
    >>> round(float(metric.result()), 4)
    0.9967
    """

    direction = "up"

    def __init__(
        self, name: str = "pearson_correlation", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean concordance of labels and predictions: 1 only where they are equal.

    Parameters
    ----------
    name, dtype
        As for every metric.
    axis
        The axis along which they are compared: -1 for one correlation a sample.

    Examples
    --------
    >>> metric = ConcordanceCorrelation()
    >>> metric.update_state([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])
    >>> round(float(metric.result()), 4)
    0.9816
    """

    direction = "up"

    def __init__(
        self, name: str = "concordance_correlation", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis
