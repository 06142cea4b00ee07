"""The figures of a report, from labels and predicted labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import Metric, align, to_host
from tapegrad.metrics.counts import class_labels, divide

__all__ = ["ConfusionMatrix", "classification_report", "confusion_matrix", "regression_report"]


def confusion_matrix(
    y_true: Any, y_pred: Any, num_classes: int | None = None, sample_weight: Any = None
) -> np.ndarray:
    """Count how often each class was taken for each.

    Parameters
    ----------
    y_true
        Class numbers or one-hot rows.
    y_pred
        Class numbers, or scores of shape (samples, classes).
    num_classes
        By default as many as the scores have columns, or the labels show.
    sample_weight
        A weight a sample.

    Returns
    -------
    numpy.ndarray
        Shape (classes, classes): true classes in rows, predicted classes in columns; int64, or
        float64 with weights.

    Raises
    ------
    ValueError
        If the shapes do not fit or a class number is out of range.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1], [0, 1, 0])
    array([[1, 0],
           [1, 1]])
    """
    true, pred, classes = class_labels(y_true, y_pred, "confusion_matrix")
    largest = int(max(true.max(), pred.max())) if true.size else -1
    size = num_classes or classes or largest + 1
    smallest = int(min(true.min(), pred.min())) if true.size else 0
    if smallest < 0 or largest >= size:
        wrong = smallest if smallest < 0 else largest
        raise ValueError(f"confusion_matrix: class {wrong} lies outside 0 to {size - 1}.")
    weights = None if sample_weight is None else to_host(sample_weight).ravel()
    return np.bincount(true * size + pred, weights, minlength=size * size).reshape(size, size)


class ConfusionMatrix(Metric):
    """How often each class was taken for each, over all batches.

    Parameters
    ----------
    num_classes
        How many classes there are.
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = ConfusionMatrix(2)
    >>> metric.update_state([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> metric.result().numpy().tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """

    def __init__(
        self, num_classes: int, name: str | None = "confusion_matrix", dtype: Any = None
    ) -> None:
        super().__init__(dtype, name)
        self.num_classes = num_classes
        self.counts = self.add_state("counts", (num_classes, num_classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of labels and scores (or predicted labels)."""
        self.counts += confusion_matrix(y_true, y_pred, self.num_classes, sample_weight)

    def result(self) -> Tensor:
        """Return the counts, true classes in rows."""
        return self._as_result(self.counts.copy())


def classification_report(
    y_true: Any,
    y_pred: Any,
    class_names: Sequence[str] | None = None,
    num_classes: int | None = None,
) -> dict[str, Any]:
    """Return accuracy, and precision, recall and F1 by class and averaged.

    Parameters
    ----------
    y_true
        Class numbers or one-hot rows.
    y_pred
        Class numbers, or scores of shape (samples, classes).
    class_names
        The classes' names, by default their numbers.
    num_classes
        How many classes there are, by default as many as names, columns or labels show.

    Returns
    -------
    dict
        ``accuracy``; ``precision_macro``, ``recall_macro``, ``f1_macro``, the same with
        ``_weighted`` and ``_micro``; ``classes``, a dict of
        ``{name: {"precision", "recall", "f1", "support"}}``; ``confusion_matrix``, nested lists
        with true classes in rows. A rate without samples is 0.

    Examples
    --------
    >>> report = classification_report([0, 1, 1], [0, 1, 0], ["no", "yes"])
    >>> report["classes"]["yes"]
    {'precision': 1.0, 'recall': 0.5, 'f1': 0.6666666666666666, 'support': 2}
    """
    if class_names is not None and num_classes is None:
        num_classes = len(class_names)
    matrix = confusion_matrix(y_true, y_pred, num_classes)
    names = [str(i) for i in range(len(matrix))] if class_names is None else list(class_names)
    if len(names) != len(matrix):
        raise ValueError(f"class_names has {len(names)} names for {len(matrix)} classes.")
    hits, support, chosen = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    rates = {
        "precision": divide(hits, chosen),
        "recall": divide(hits, support),
        "f1": divide(2 * hits, chosen + support),
    }
    accuracy = float(divide(hits.sum(), matrix.sum()))
    report: dict[str, Any] = {"accuracy": accuracy}
    for name, values in rates.items():
        report[f"{name}_macro"] = float(values.mean()) if len(values) else 0.0
        report[f"{name}_weighted"] = float(divide((values * support).sum(), support.sum()))
        # With one prediction a sample, all three micro averages are the accuracy.
        report[f"{name}_micro"] = accuracy
    report["classes"] = {
        name: {rate: float(values[i]) for rate, values in rates.items()}
        | {"support": int(support[i])}
        for i, name in enumerate(names)
    }
    report["confusion_matrix"] = matrix.tolist()
    return report


def regression_report(y_true: Any, y_pred: Any) -> dict[str, float]:
    """Return root mean squared error, mean absolute error and R² of predictions of numbers.

    Examples
    --------
    >>> regression_report([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])["r2"]
    0.5
    """
    true, pred = align(y_true, y_pred, "regression_report")
    true, pred = true.astype(np.float64), pred.astype(np.float64)
    error = pred - true
    spread = ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    explained = np.where(spread > 0, 1 - divide((error**2).sum(axis=0), spread), 0.0)
    return {
        "rmse": float(np.sqrt((error**2).mean())),
        "mae": float(np.abs(error).mean()),
        "r2": float(explained.mean()),
    }
