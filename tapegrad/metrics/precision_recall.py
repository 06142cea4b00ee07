"""Precision and recall, from counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import Metric, to_host
from tapegrad.metrics.confusion import checked_thresholds
from tapegrad.metrics.counts import (
    AVERAGES,
    average_over_classes,
    check_average,
    class_labels,
    divide,
)
from tapegrad.metrics.thresholds import Counts, decisions

__all__ = ["Precision", "Recall"]


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
        super().__init__(dtype, name)
        owner = type(self).__name__
        check_average(average, owner, AVERAGES)
        if average != "binary" and (thresholds, top_k, class_id) != (None, None, None):
            raise ValueError(
                f'{owner}: thresholds, top_k and class_id belong to average="binary"; the other '
                "averages count the class with the largest score."
            )
        default = 0.5 if top_k is None else -np.inf
        self._thresholds = checked_thresholds(thresholds, default, owner)
        self.top_k = top_k
        self.class_id = class_id
        self.average = average
        self.num_classes = num_classes
        if average == "binary":
            self._make_counts(len(self._thresholds))
        elif num_classes is not None:
            self._make_counts(num_classes)

    def _make_counts(self, length: int) -> None:
        self.true_positives = self.add_state("true_positives", (length,))
        self.misses = self.add_state("misses", (length,))
        if self.average != "binary":
            self.support = self.add_state("support", (length,))

    def _prepare(self, state: dict[str, np.ndarray]) -> None:
        if self.average != "binary" and self.num_classes is None and "support" in state:
            self.num_classes = len(state["support"])
            self._make_counts(self.num_classes)

    @property
    def thresholds(self) -> list[float]:
        """The thresholds."""
        return self._thresholds.values.tolist()

    def _missed(self, counts: Counts) -> np.ndarray:
        """Return the misses that this rate divides by."""
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
            given = decisions(
                y_true, y_pred, owner, sample_weight, class_id=self.class_id, top_k=self.top_k
            )
            counts = self._thresholds.count(given)
            self.true_positives += counts.true_positives
            self.misses += self._missed(counts)
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
        self.misses += self._missed(Counts(hits, chosen - hits, np.empty(0), wanted - hits))
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
            return self._as_result(values if len(values) > 1 else values[0])
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

    def _missed(self, counts: Counts) -> np.ndarray:
        return counts.false_positives


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

    def _missed(self, counts: Counts) -> np.ndarray:
        return counts.false_negatives
