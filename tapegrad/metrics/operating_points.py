"""One rate at the threshold where another one is as high as wanted."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import Metric
from tapegrad.metrics.counts import divide
from tapegrad.metrics.thresholds import Counts, Thresholds, decisions

__all__ = [
    "PrecisionAtRecall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
]


class _OperatingPoint(Metric):
    """Counts at even thresholds, of which the best is chosen."""

    direction = "up"

    def __init__(
        self,
        wanted: float,
        what: str,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: Any,
    ) -> None:
        super().__init__(dtype, name)
        owner = type(self).__name__
        if not 0 <= wanted <= 1:
            raise ValueError(f"{owner}: {what} must lie in [0, 1], but is {wanted}.")
        if num_thresholds <= 0:
            raise ValueError(f"{owner}: num_thresholds must be positive, but is {num_thresholds}.")
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        self._wanted = wanted
        if num_thresholds == 1:
            self._thresholds = Thresholds([0.5])
        else:
            self._thresholds = Thresholds(np.linspace(0.0, 1.0, num_thresholds), even=True)
        self.counts = self.add_state("counts", (4, num_thresholds))

    @property
    def thresholds(self) -> list[float]:
        """The thresholds that are tried."""
        return self._thresholds.values.tolist()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of labels 0 and 1 and of probabilities of their shape."""
        owner = type(self).__name__
        given = decisions(y_true, y_pred, owner, sample_weight, class_id=self.class_id)
        self.counts += self._thresholds.count(given)

    def rates(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        """Return the rate that must reach what is wanted, and the one to report."""
        raise NotImplementedError

    def result(self) -> Tensor:
        """Return the best rate where the other is high enough; 0 if it nowhere is."""
        limited, reported = self.rates(Counts(*self.counts))
        return self._as_result(np.where(limited >= self._wanted, reported, 0.0).max(initial=0.0))


def _sensitivity(counts: Counts) -> np.ndarray:
    return divide(counts.true_positives, counts.true_positives + counts.false_negatives)


def _specificity(counts: Counts) -> np.ndarray:
    return divide(counts.true_negatives, counts.true_negatives + counts.false_positives)


def _precision(counts: Counts) -> np.ndarray:
    return divide(counts.true_positives, counts.true_positives + counts.false_positives)


class SensitivityAtSpecificity(_OperatingPoint):
    """The best share of positives found, while enough negatives are recognized.

    Parameters
    ----------
    specificity
        The share of negatives that must be predicted negative.
    num_thresholds
        How many thresholds from 0 to 1 are tried.
    class_id
        Look at one column of the predictions only.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If `specificity` lies outside [0, 1] or `num_thresholds` is not positive.

    Examples
    --------
    >>> metric = SensitivityAtSpecificity(0.5)
    >>> metric.update_state([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    >>> float(metric.result())
    0.5
    """

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, "specificity", num_thresholds, class_id, name, dtype)
        self.specificity = specificity

    def rates(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        """Return specificities and sensitivities."""
        return _specificity(counts), _sensitivity(counts)


class SpecificityAtSensitivity(_OperatingPoint):
    """The best share of negatives recognized, while enough positives are found.

    Parameters
    ----------
    sensitivity
        The share of positives that must be predicted positive.
    num_thresholds
        How many thresholds from 0 to 1 are tried.
    class_id
        Look at one column of the predictions only.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If `sensitivity` lies outside [0, 1] or `num_thresholds` is not positive.

    Examples
    --------
    >>> metric = SpecificityAtSensitivity(0.5)
    >>> metric.update_state([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, "sensitivity", num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity

    def rates(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        """Return sensitivities and specificities."""
        return _sensitivity(counts), _specificity(counts)


class PrecisionAtRecall(_OperatingPoint):
    """The best precision while recall is high enough.

    Parameters
    ----------
    recall
        The share of positives that must be found.
    num_thresholds
        How many thresholds from 0 to 1 are tried.
    class_id
        Look at one column of the predictions only.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If `recall` lies outside [0, 1] or `num_thresholds` is not positive.

    Examples
    --------
    >>> metric = PrecisionAtRecall(0.5)
    >>> metric.update_state([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    >>> float(metric.result())
    0.5
    """

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, "recall", num_thresholds, class_id, name, dtype)
        self.recall = recall

    def rates(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        """Return recalls and precisions."""
        return _sensitivity(counts), _precision(counts)


class RecallAtPrecision(_OperatingPoint):
    """The best recall while precision is high enough.

    Parameters
    ----------
    precision
        The share of what is predicted positive that must be.
    num_thresholds
        How many thresholds from 0 to 1 are tried.
    class_id
        Look at one column of the predictions only.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If `precision` lies outside [0, 1] or `num_thresholds` is not positive.

    Examples
    --------
    >>> metric = RecallAtPrecision(0.8)
    >>> metric.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    >>> float(metric.result())
    0.5
    """

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, "precision", num_thresholds, class_id, name, dtype)
        self.precision = precision

    def rates(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        """Return precisions and recalls."""
        return _precision(counts), _sensitivity(counts)
