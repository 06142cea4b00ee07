"""Precision, recall and their harmonic mean, from counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import Metric, align, to_host
from tapegrad.metrics.counts import (
    AVERAGES,
    average_over_classes,
    class_labels,
    divide,
    threshold_counts,
)
from tapegrad.utils.lookup import suggestion

__all__ = ["F1Score", "FBetaScore", "Precision", "Recall"]


def _check_average(average: str | None, owner: str, known: tuple[str | None, ...]) -> None:
    if average not in known:
        names = [name for name in known if name is not None]
        hint = suggestion(average, names) if isinstance(average, str) else ""
        raise ValueError(f"{owner}: average is one of {known}, not {average!r}.{hint}")


class _Rate(Metric):
    """Hits divided by hits and one kind of misses: what precision and recall share."""

    direction = "up"

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        *,
        average: str | None = "binary",
        num_classes: int | None = None,
    ) -> None:
        super().__init__(name, dtype)
        owner = type(self).__name__
        _check_average(average, owner, AVERAGES)
        if average != "binary" and (thresholds, top_k, class_id) != (None, None, None):
            raise ValueError(
                f'{owner}: thresholds, top_k and class_id belong to average="binary"; the other '
                "averages count the class with the largest score."
            )
        if thresholds is None:
            thresholds = 0.5 if top_k is None else -np.inf
        self.thresholds = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
        finite = self.thresholds[np.isfinite(self.thresholds)]
        if finite.size and (finite.min() < 0 or finite.max() > 1):
            raise ValueError(f"{owner}: thresholds must lie in [0, 1], but are {thresholds}.")
        self._several = isinstance(thresholds, Sequence) and len(thresholds) > 1
        self.top_k = top_k
        self.class_id = class_id
        self.average = average
        self.num_classes = num_classes
        if average == "binary":
            self._make_counts(len(self.thresholds))
        elif num_classes is not None:
            self._make_counts(num_classes)

    def _make_counts(self, length: int) -> None:
        self.true_positives = self.add_state("true_positives", (length,))
        self.misses = self.add_state("misses", (length,))
        self.support = self.add_state("support", (length,))

    def _count_misses(self, chosen: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Return the misses that this rate divides by, given predicted and true counts."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch.

        Parameters
        ----------
        y_true
            Labels 0 and 1 of the shape of `y_pred`; for averages over classes, class numbers or
            one-hot rows.
        y_pred
            Probabilities; for averages over classes scores of shape (samples, classes), or whole
            class numbers.
        sample_weight
            A weight a sample.
        """
        owner = type(self).__name__
        if self.average == "binary":
            positives, wrongly, missed, _ = threshold_counts(
                y_true, y_pred, self.thresholds, sample_weight, self.class_id, self.top_k, owner
            )
            self.true_positives += positives
            self.misses += self._count_misses(wrongly, missed)
            return
        true, pred, classes = class_labels(y_true, y_pred, owner)
        if self.num_classes is None:
            if classes is None:
                raise ValueError(f"{owner}: class numbers as y_pred need num_classes.")
            self.num_classes = classes
            self._make_counts(classes)
        size = self.num_classes
        if true.size and not 0 <= min(true.min(), pred.min()) <= max(true.max(), pred.max()) < size:
            raise ValueError(f"{owner}: class numbers must lie in 0 to {size - 1}.")
        weights = None if sample_weight is None else to_host(sample_weight).ravel()
        hits = np.bincount(true[true == pred], _pick(weights, true == pred), minlength=size)
        chosen = np.bincount(pred, weights, minlength=size)
        wanted = np.bincount(true, weights, minlength=size)
        self.true_positives += hits
        self.misses += self._count_misses(chosen - hits, wanted - hits)
        self.support += wanted

    def result(self) -> Tensor:
        """Return the rate: a number, or one for each threshold or class."""
        if self.average != "binary" and self.num_classes is None:
            return self._as_result(0.0)
        hits, misses = self.true_positives, self.misses
        if self.average == "micro":
            return self._as_result(divide(hits.sum(), hits.sum() + misses.sum()))
        values = divide(hits, hits + misses)
        if self.average == "binary":
            return self._as_result(values if self._several else values[0])
        return self._as_result(average_over_classes(values, self.support, self.average))


def _pick(weights: np.ndarray | None, where: np.ndarray) -> np.ndarray | None:
    return None if weights is None else weights[where]


class Precision(_Rate):
    """Of what was predicted positive, the share that is.

    Parameters
    ----------
    thresholds
        Predictions above it are positive, 0.5 by default; with a list, `result` returns a value
        for each.
    top_k
        Count only the `top_k` largest predictions of each row as positive.
    class_id
        Look at one column of the predictions only.
    name, dtype
        As for every metric.
    average
        ``"binary"``, every element of the predictions being a decision, as in Keras; or, with the
        class of the largest score as the prediction: None for one value a class, ``"macro"`` for
        their mean, ``"weighted"`` for their mean weighted by the classes' true counts,
        ``"micro"`` for the rate of the summed counts.
    num_classes
        How many classes there are; by default as many as `y_pred` has columns.

    Raises
    ------
    ValueError
        If `average` is unknown or thresholds lie outside [0, 1].

    Examples
    --------
    >>> metric = Precision()
    >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> round(float(metric.result()), 4)
    0.6667
    >>> metric = Precision(average="macro", num_classes=3)
    >>> metric.update_state([0, 1, 2, 2], np.array([0, 1, 1, 2]))
    >>> round(float(metric.result()), 4)
    0.8333
    """

    def _count_misses(self, chosen: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        return chosen


class Recall(_Rate):
    """Of what is positive, the share that was found.

    Parameters
    ----------
    thresholds, top_k, class_id, name, dtype, average, num_classes
        As for `Precision`.

    Raises
    ------
    ValueError
        If `average` is unknown or thresholds lie outside [0, 1].

    Examples
    --------
    >>> metric = Recall()
    >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    def _count_misses(self, chosen: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        return wanted


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
        super().__init__(name, dtype)
        _check_average(average, type(self).__name__, AVERAGES[1:])
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
            self._classes = int(pred.shape[1])
            self.counts = self.add_state("counts", (3, self._classes))
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
