"""True and false positives and negatives at thresholds.

A prediction above a threshold is a positive one. For many thresholds each prediction is put into
the bucket between two of them, and the buckets are added up from above: the work does not grow with
the number of thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad._core.state import floatx
from tapegrad.losses.reduction import leading
from tapegrad.metrics.base import align, to_host

__all__ = ["Counts", "Decisions", "Thresholds", "decisions"]


class Counts(NamedTuple):
    """Weighted numbers of decisions, one (or a row of one a label) for each threshold."""

    true_positives: np.ndarray
    false_positives: np.ndarray
    true_negatives: np.ndarray
    false_negatives: np.ndarray


class Decisions(NamedTuple):
    """Predictions to be compared with a threshold, each with its label and weight."""

    true: np.ndarray
    pred: np.ndarray
    weights: np.ndarray | None


class Thresholds:
    """Thresholds and how predictions are counted at them.

    Parameters
    ----------
    values
        The thresholds, in any order.
    even
        Whether they lie evenly from 0 to 1, the outermost ones perhaps a trifle outside; by default
        that is found out. Predictions are then clipped to [0, 1], as in Keras.
    """

    def __init__(self, values: Sequence[float] | np.ndarray, even: bool | None = None) -> None:
        self.values = np.asarray(values, dtype=np.float64)
        size = len(self.values)
        if even is None:
            even = size >= 3 and np.allclose(
                self.values, np.arange(size) / (size - 1), rtol=1e-5, atol=1e-7
            )
        self.even = even
        self._zero_counts = bool(even and self.values[0] < 0)
        self._order = np.argsort(self.values, kind="stable")

    def __len__(self) -> int:
        return len(self.values)

    def count(self, given: Decisions) -> Counts:
        """Return the counts of a batch.

        Parameters
        ----------
        given
            Arrays of one axis; or of two, to be counted column by column.
        """
        true, pred, weights = given
        if pred.dtype != floatx():
            # As in Keras: digits that the default dtype lacks do not lift 0.07 above 7 / 100.
            with np.errstate(over="ignore"):
                pred = pred.astype(floatx())
        if len(self.values) == 1 and pred.ndim == 1 and weights is None:
            return _quick_counts(true, pred > self.values[0].astype(pred.dtype))
        buckets = self._exceeded(pred)
        hits, positives = self._from_above(buckets, true, weights)
        wrong, negatives = self._from_above(buckets, ~true, weights)
        return Counts(hits, wrong, negatives - wrong, positives - hits)

    def _exceeded(self, pred: np.ndarray) -> np.ndarray:
        """Return how many thresholds each prediction exceeds (none if it is NaN)."""
        if not self.even:
            # Compared in the dtype of the predictions: 0.3 does not exceed 0.3.
            ordered = self.values[self._order].astype(pred.dtype)
            return np.searchsorted(ordered, np.where(np.isnan(pred), -np.inf, pred), side="left")
        # The formula of Keras, which rounds at the thresholds as it does.
        clipped = np.fmin(np.fmax(pred, 0), 1)
        exceeded = np.ceil(clipped * pred.dtype.type(len(self.values) - 1)).astype(np.int64)
        return np.maximum(exceeded, 1) if self._zero_counts else exceeded

    def _from_above(
        self, buckets: np.ndarray, which: np.ndarray, weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight of some decisions above each threshold, and their whole weight."""
        size = len(self.values) + 1
        columns = 1 if buckets.ndim == 1 else buckets.shape[1]
        if buckets.ndim == 2:
            buckets = buckets + size * np.arange(columns)
        chosen = None if weights is None else weights[which]
        filled = np.bincount(buckets[which], chosen, minlength=size * columns)
        sums = np.cumsum(filled.reshape(columns, size)[:, ::-1], axis=1)[:, ::-1].T
        above = np.empty((size - 1, columns))
        above[self._order] = sums[1:]
        return (above[:, 0], sums[0, 0]) if which.ndim == 1 else (above, sums[0])


def _quick_counts(true: np.ndarray, chosen: np.ndarray) -> Counts:
    """Return the counts at one threshold: what is needed at every step of a training."""
    hits = np.count_nonzero(true & chosen)
    wrong = np.count_nonzero(chosen) - hits
    missed = np.count_nonzero(true) - hits
    numbers = np.array([[hits], [wrong], [true.size - hits - wrong - missed], [missed]])
    return Counts(*numbers)


def decisions(
    y_true: Any,
    y_pred: Any,
    owner: str,
    sample_weight: Any = None,
    *,
    class_id: int | None = None,
    top_k: int | None = None,
    label_weights: np.ndarray | None = None,
    by_label: bool = False,
) -> Decisions:
    """Return every element of the predictions as a decision of its own, as in Keras.

    Parameters
    ----------
    y_true
        Labels 0 and 1, of the shape of `y_pred`.
    y_pred
        Predictions.
    owner
        Who asks, for errors.
    sample_weight
        Weights with the first axes of the labels.
    class_id
        If given, only this column counts.
    top_k
        If given, only the largest predictions of each row can be positive.
    label_weights
        A further weight for each column.
    by_label
        Whether columns stay apart.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    hint = " For class numbers make one-hot rows with utils.to_categorical."
    true, pred = align(y_true, y_pred, owner, hint)
    if true.dtype != bool:
        true = true.astype(bool)
    if top_k is not None:
        kept = np.argsort(-pred, axis=-1, kind="stable")[..., :top_k]
        largest = np.zeros(pred.shape, dtype=bool)
        np.put_along_axis(largest, kept, True, axis=-1)
        pred = np.where(largest, pred, -np.inf)
    if class_id is not None:
        if pred.ndim < 2 or not -pred.shape[-1] <= class_id < pred.shape[-1]:
            raise ValueError(
                f"{owner}: class_id={class_id} asks for a column that y_pred of shape {pred.shape} "
                "does not have."
            )
        true, pred = true[..., class_id, None], pred[..., class_id, None]
    weights = None
    if sample_weight is not None:
        weights = _spread(to_host(sample_weight), true.shape, owner)
    if label_weights is not None:
        if true.ndim < 2 or true.shape[-1] != len(label_weights):
            raise ValueError(
                f"{owner}: label_weights has {len(label_weights)} entries, which do not fit y_pred "
                f"of shape {pred.shape}."
            )
        weights = np.broadcast_to(label_weights, true.shape) * (1.0 if weights is None else weights)
    if by_label:
        return Decisions(true, pred, weights)
    return Decisions(true.ravel(), pred.ravel(), None if weights is None else weights.ravel())


def _spread(weights: np.ndarray, shape: tuple[int, ...], owner: str) -> np.ndarray:
    """Return weights for each element, given some whose axes are the first ones."""
    if weights.ndim == len(shape) + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if weights.ndim <= len(shape) and all(w in (1, n) for w, n in zip(weights.shape, shape)):
        return np.broadcast_to(leading(weights, shape), shape).astype(np.float64)
    raise ValueError(
        f"{owner}: sample_weight has shape {weights.shape}, which does not begin the shape of the "
        f"labels, {shape}."
    )
