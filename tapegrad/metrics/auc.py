"""The area under a curve of rates over all thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import Metric, to_host
from tapegrad.metrics.counts import divide
from tapegrad.metrics.thresholds import Counts, Thresholds, decisions
from tapegrad.utils.lookup import look_up

__all__ = ["AUC"]

# Thresholds that even 0 exceeds, and that even 1 does not.
_BEYOND = 1e-7

_CURVES = {"ROC": "ROC", "PR": "PR", "PRGAIN": "PRGAIN"}
_METHODS = {name: name for name in ("interpolation", "majoring", "minoring")}


class AUC(Metric):
    """The area under the ROC curve, or under the curve of precision over recall.

    Counts of right and wrong decisions at many thresholds are added up over all batches; the area
    is that of the curve through them, so it is as exact as the thresholds are dense where the
    predictions are.

    Parameters
    ----------
    num_thresholds
        How many thresholds, evenly from 0 to 1.
    curve
        ``"ROC"``, the share of positives found over the share of negatives taken for positive;
        ``"PR"``, precision over recall; or ``"PRGAIN"``, both as gains over always saying yes
        (Flach and Kull, "Precision-Recall-Gain Curves", 2015).
    summation_method
        ``"interpolation"``, trapezoids (for ``"PR"`` the true positives are interpolated instead of
        the precision: Davis and Goadrich, "The Relationship Between Precision-Recall and ROC
        Curves", 2006); ``"minoring"`` or ``"majoring"``, rectangles below or above the curve.
    name, dtype
        As for every metric.
    thresholds
        Thresholds between 0 and 1 of your own, in place of `num_thresholds`; 0 and 1 are added.
    multi_label
        Whether to take the area for each column of the predictions, and their mean; otherwise every
        element is a decision of its own.
    num_labels
        How many columns there are, for `multi_label`; by default as the first batch shows.
    label_weights
        The weight of each column.
    from_logits
        Whether predictions are logits, to be put through a sigmoid.

    Raises
    ------
    ValueError
        If an argument is out of range, or unknown.

    Examples
    --------
    >>> metric = AUC(num_thresholds=3)
    >>> metric.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    >>> float(metric.result())
    0.75
    """

    direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype, name)
        self.curve = look_up(curve, _CURVES, "curve")
        self.summation_method = look_up(summation_method, _METHODS, "summation method")
        self._thresholds = _thresholds(num_thresholds, thresholds)
        self.num_thresholds = len(self._thresholds)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None
        if label_weights is not None:
            self.label_weights = np.asarray(label_weights, dtype=np.float64)
            if (self.label_weights < 0).any():
                raise ValueError(f"AUC: label_weights must not be negative: {label_weights}.")
        self.from_logits = from_logits
        if num_labels and not multi_label:
            raise ValueError("AUC: num_labels belongs to multi_label=True.")
        self.counts: np.ndarray | None = None
        if num_labels or not multi_label:
            self._make_counts((num_labels,) if num_labels else ())

    @property
    def thresholds(self) -> list[float]:
        """All thresholds, the outermost ones a trifle below 0 and above 1."""
        return self._thresholds.values.tolist()

    def _prepare(self, state: dict[str, np.ndarray]) -> None:
        if self.counts is None and "counts" in state:
            self._make_counts(state["counts"].shape[2:])

    def _make_counts(self, labels: tuple[int, ...]) -> None:
        self.counts = self.add_state("counts", (4, self.num_thresholds, *labels))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch.

        Parameters
        ----------
        y_true
            Labels 0 and 1, of the shape of `y_pred`.
        y_pred
            Probabilities (or logits); with `multi_label` of shape (samples, labels).
        sample_weight
            A weight a sample, or one an element.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        if self.from_logits:
            y_pred = ops.sigmoid(to_host(y_pred))
        given = decisions(
            y_true,
            y_pred,
            self.name,
            sample_weight,
            label_weights=None if self.multi_label else self.label_weights,
            by_label=self.multi_label,
        )
        if self.multi_label:
            self._check_labels(given.pred.shape)
        assert self.counts is not None
        self.counts += self._thresholds.count(given)

    def _check_labels(self, shape: tuple[int, ...]) -> None:
        if self.counts is None and len(shape) == 2:
            self._make_counts((int(shape[1]),))
        if self.counts is None or len(shape) != 2 or shape[1] != self.counts.shape[2]:
            labels = "labels" if self.counts is None else self.counts.shape[2]
            raise ValueError(
                f"{self.name}: with multi_label=True y_pred must have the shape (samples, "
                f"{labels}), but has {shape}."
            )
        if self.label_weights is not None and self.label_weights.shape != shape[1:]:
            raise ValueError(
                f"{self.name}: label_weights has {len(self.label_weights)} entries for {shape[1]} "
                "labels."
            )

    def result(self) -> Tensor:
        """Return the area; 0 before the first batch."""
        if self.counts is None:
            return self._as_result(0.0)
        counts = Counts(*self.counts)
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_precision(counts)
        else:
            x, y = _CURVE_POINTS[self.curve](counts)
            areas = (x[:-1] - x[1:]) * _heights(y, self.summation_method)
        by_label = areas.sum(axis=0)
        if not self.multi_label:
            return self._as_result(by_label)
        if self.label_weights is None:
            return self._as_result(by_label.mean())
        weights = self.label_weights
        return self._as_result(divide((by_label * weights).sum(), weights.sum()))


def _thresholds(number: int, given: Sequence[float] | None) -> Thresholds:
    """Return thresholds from just below 0 to just above 1."""
    if given is None:
        if number <= 1:
            raise ValueError(f"AUC: num_thresholds must be more than 1, but is {number}.")
        inner = np.arange(1, number - 1) / (number - 1)
    else:
        inner = np.sort(np.asarray(given, dtype=np.float64))
        if inner.ndim != 1 or (inner.size and not 0 <= inner.min() <= inner.max() <= 1):
            raise ValueError(f"AUC: thresholds must lie in [0, 1], but are {given}.")
    ends = np.concatenate([[0.0], inner, [1.0]])
    even = given is None or Thresholds(ends).even
    return Thresholds(np.concatenate([[-_BEYOND], inner, [1.0 + _BEYOND]]), even)


def _heights(y: np.ndarray, method: str) -> np.ndarray:
    """Return the heights between neighbouring points."""
    if method == "minoring":
        return np.minimum(y[:-1], y[1:])
    return np.maximum(y[:-1], y[1:]) if method == "majoring" else (y[:-1] + y[1:]) / 2.0


def _roc(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    found = divide(counts.true_positives, counts.true_positives + counts.false_negatives)
    wrong = divide(counts.false_positives, counts.false_positives + counts.true_negatives)
    return wrong, found


def _precision_recall(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    recall = divide(counts.true_positives, counts.true_positives + counts.false_negatives)
    precision = divide(counts.true_positives, counts.true_positives + counts.false_positives)
    return recall, precision


def _gains(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    hits, wrong, rejected, missed = counts
    odds = divide(hits + missed, rejected + wrong)
    recall_gain = np.where(hits == 0, 0.0, 1.0 - odds * divide(missed, hits))
    precision_gain = np.where(hits == 0, 1.0, 1.0 - odds * divide(wrong, hits))
    return np.maximum(recall_gain, 0.0), precision_gain


_CURVE_POINTS = {"ROC": _roc, "PR": _precision_recall, "PRGAIN": _gains}


def _interpolated_precision(counts: Counts) -> np.ndarray:
    """Return the areas under precision over recall between neighbouring thresholds.

    Between two thresholds the true positives are taken as a line over all positives p, with slope s
    and intercept c; the precision s + c / p then has the area ``s (dtp + c log(p1 / p2))`` divided
    by the number of positive labels.
    """
    hits = counts.true_positives
    positive = hits + counts.false_positives
    more_hits = hits[:-1] - hits[1:]
    slope = divide(more_hits, np.maximum(positive[:-1] - positive[1:], 0.0))
    intercept = hits[1:] - slope * positive[1:]
    both = (positive[:-1] > 0) & (positive[1:] > 0)
    ratio = np.where(both, divide(positive[:-1], np.maximum(positive[1:], 0.0)), 1.0)
    area = slope * (more_hits + intercept * np.log(ratio))
    return divide(area, np.maximum(hits[1:] + counts.false_negatives[1:], 0.0))
