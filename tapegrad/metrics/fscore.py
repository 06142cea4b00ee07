"""The harmonic mean of precision and recall, from counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import Metric, align, to_host
from tapegrad.metrics.counts import (
    AVERAGES,
    average_over_classes,
    check_average,
    class_labels,
    divide,
)

__all__ = ["F1Score", "FBetaScore"]


class FBetaScore(Metric):
    """The weighted harmonic mean of precision and recall.

    ``(1 + beta²) * precision * recall / (beta² * precision + recall)``, where recall counts `beta`
    times as much as precision.

    Parameters
    ----------
    average
        None for one value a class, ``"macro"`` for their mean, ``"weighted"`` for their mean
        weighted by the classes' true counts, ``"micro"`` for the score of the summed counts.
    beta
        The weight of recall.
    threshold
        Scores above it are positive; by default the largest of each row is.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If `average` is unknown, or `beta` or `threshold` out of range.

    Examples
    --------
    >>> metric = FBetaScore(beta=2.0, average="macro")
    >>> metric.update_state([[1, 0], [0, 1], [0, 1]], [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    >>> round(float(metric.result()), 4)
    0.6944
    """

    direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        check_average(average, type(self).__name__, AVERAGES[1:])
        if beta <= 0:
            raise ValueError(f"{type(self).__name__}: beta must be positive, but is {beta}.")
        if threshold is not None and not 0 < threshold <= 1:
            raise ValueError(
                f"{type(self).__name__}: threshold must lie in (0, 1], but is {threshold}."
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._classes: int | None = None

    def _prepare(self, state: dict[str, np.ndarray]) -> None:
        if self._classes is None and "counts" in state:
            self._make_counts(state["counts"].shape[1])

    def _make_counts(self, classes: int) -> None:
        self._classes = classes
        self.counts = self.add_state("counts", (3, classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch.

        Parameters
        ----------
        y_true
            One-hot (or multi-hot) rows of the shape of `y_pred`, or class numbers.
        y_pred
            Scores, shape (samples, classes).
        sample_weight
            A weight a sample.
        """
        true, pred = _rows(y_true, y_pred, type(self).__name__)
        if self._classes is None:
            self._make_counts(int(pred.shape[1]))
        if self.threshold is None:
            # A row of zeros predicts nothing, not everything.
            chosen = (pred >= pred.max(axis=1, keepdims=True)) & (np.abs(pred) > 1e-9)
        else:
            chosen = pred > self.threshold
        weights = np.ones(len(true)) if sample_weight is None else to_host(sample_weight).ravel()
        self.counts[0] += weights @ (chosen & true)
        self.counts[1] += weights @ chosen
        self.counts[2] += weights @ true

    def result(self) -> Tensor:
        """Return the score: a number, or one for each class."""
        if self._classes is None:
            return self._as_result(0.0)
        counts = self.counts.sum(axis=1) if self.average == "micro" else self.counts
        hits, chosen, wanted = counts
        weight = self.beta**2
        # The usual formula with precision = hits / chosen and recall = hits / wanted put in.
        scores = divide((1 + weight) * hits, chosen + weight * wanted)
        return self._as_result(average_over_classes(scores, wanted, self.average))


def _rows(y_true: Any, y_pred: Any, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labels as boolean rows and predictions as rows of the same shape."""
    true, pred = to_host(y_true), to_host(y_pred)
    if pred.ndim == 2 and pred.shape[1] > 1 and true.size == len(pred):
        labels, _, _ = class_labels(true, pred, owner)
        true = np.arange(pred.shape[1]) == labels[:, None]
    true, pred = align(true, pred, owner)
    if pred.ndim == 1:
        true, pred = true[:, None], pred[:, None]
    if pred.ndim != 2:
        raise ValueError(
            f"{owner}: y_pred must have the shape (samples, classes), but has {pred.shape}."
        )
    return true.astype(bool), pred


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall.

    Parameters
    ----------
    average
        None for one value a class, ``"macro"`` for their mean, ``"weighted"`` for their mean
        weighted by the classes' true counts, ``"micro"`` for the score of the summed counts.
    threshold
        Scores above it are positive; by default the largest of each row is.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If `average` is unknown or `threshold` out of range.

    Examples
    --------
    >>> metric = F1Score(threshold=0.5)
    >>> y_true = [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    >>> y_pred = [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]
    >>> metric.update_state(y_true, y_pred)
    >>> metric.result().numpy().round(4).tolist()
    [0.5, 0.8, 0.6667]
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)
