"""How often predictions are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor
from tapegrad.losses.class_numbers import check_range
from tapegrad.metrics.base import align, to_host
from tapegrad.metrics.reduction import MeanMetricWrapper

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]


def accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """Return where labels and predicted labels are equal.

    Examples
    --------
    >>> accuracy([1, 2], [1, 3])
    array([ True, False])
    """
    true, pred = align(y_true, y_pred, "accuracy")
    return true == pred


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> np.ndarray:
    """Return where the probability lies on the label's side of the threshold.

    Parameters
    ----------
    y_true
        Labels 0 and 1.
    y_pred
        Probabilities, of the same shape.
    threshold
        Predictions above it count as 1.

    Examples
    --------
    >>> binary_accuracy([1, 0], [0.7, 0.6])
    array([ True, False])
    """
    true, pred = align(y_true, y_pred, "binary_accuracy")
    return true == (pred > threshold)


def categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """Return where the largest prediction stands at the largest label.

    Parameters
    ----------
    y_true
        One-hot rows or probabilities, shape (…, classes).
    y_pred
        Scores of the same shape.

    Examples
    --------
    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.2, 0.8], [0.4, 0.6]])
    array([ True, False])
    """
    true, pred = to_host(y_true), to_host(y_pred)
    if true.shape != pred.shape:
        raise ValueError(
            f"categorical_accuracy: y_true has shape {true.shape} and y_pred {pred.shape}; they "
            "must be equal. For class numbers use sparse_categorical_accuracy."
        )
    return true.argmax(-1) == pred.argmax(-1)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """Return where the largest prediction stands at the label's class.

    Parameters
    ----------
    y_true
        Class numbers, shape (…) or (…, 1).
    y_pred
        Scores, shape (…, classes).

    Examples
    --------
    >>> sparse_categorical_accuracy([1, 0], [[0.2, 0.8], [0.4, 0.6]])
    array([ True, False])
    """
    pred = to_host(y_pred)
    return class_numbers(y_true, pred, "sparse_categorical_accuracy") == pred.argmax(-1)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """Return where the label's class is among the `k` largest predictions.

    Examples
    --------
    >>> top_k_categorical_accuracy([[0, 0, 1]], [[0.5, 0.2, 0.3]], k=2)
    array([ True])
    """
    true, pred = to_host(y_true), to_host(y_pred)
    if true.shape != pred.shape:
        raise ValueError(
            f"top_k_categorical_accuracy: y_true has shape {true.shape} and y_pred {pred.shape}; "
            "they must be equal. For class numbers use sparse_top_k_categorical_accuracy."
        )
    return sparse_top_k_categorical_accuracy(true.argmax(-1), pred, k)


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Any:
    """Return where the label's class is among the `k` largest predictions.

    Parameters
    ----------
    y_true
        Class numbers, shape (…) or (…, 1).
    y_pred
        Scores, shape (…, classes); or class numbers, best first.
    k
        How many predictions count.
    from_sorted_ids
        Whether `y_pred` are class numbers, best first, rather than scores.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a class number is out of range.

    Examples
    --------
    >>> sparse_top_k_categorical_accuracy([2], [[0.5, 0.2, 0.3]], k=2)
    array([ True])
    >>> sparse_top_k_categorical_accuracy([2], [[0, 2, 1]], k=2, from_sorted_ids=True)
    array([ True])
    """
    owner = "sparse_top_k_categorical_accuracy"
    recorded = thread.recorder is not None and type(y_true) is Tensor and type(y_pred) is Tensor
    if recorded and not from_sorted_ids:
        return _recorded_top_k(y_true, y_pred, k)
    pred = to_host(y_pred)
    labels = class_numbers(y_true, pred, owner)
    if from_sorted_ids:
        return (pred[..., :k] == labels[..., None]).any(-1)
    labels = labels.astype(np.int64)
    check_range(labels, pred.shape[-1], owner)
    scores = np.take_along_axis(pred, labels[..., None], axis=-1)
    return (pred > scores).sum(-1) < k


def _recorded_top_k(y_true: Tensor, y_pred: Tensor, k: int) -> Tensor:
    """Return what `sparse_top_k_categorical_accuracy` does, without reading values."""
    shape = y_pred.shape[:-1]
    labels = y_true.reshape((*shape, 1)).astype(np.int64)
    labels = ops.where(labels < 0, y_pred.shape[-1], labels)  # which kernels refuse
    scores = ops.gather_along_axis(y_pred, labels)
    return ops.sum((y_pred > scores).astype(np.int64), axis=-1) < k


def class_numbers(y_true: Any, pred: np.ndarray, owner: str) -> np.ndarray:
    """Return class numbers in the shape of `pred` without its last axis, or raise ValueError."""
    true = to_host(y_true)
    if true.shape == (*pred.shape[:-1], 1):
        true = true[..., 0]
    if true.shape != pred.shape[:-1]:
        hint = f" For one-hot rows use {owner.removeprefix('sparse_')}."
        hint = hint if true.shape == pred.shape else ""
        raise ValueError(
            f"{owner}: y_true has shape {true.shape}, but y_pred of shape {pred.shape} asks for "
            f"class numbers of shape {pred.shape[:-1]}.{hint}"
        )
    return true


class Accuracy(MeanMetricWrapper):
    """How often predicted labels equal labels.

    Examples
    --------
    >>> metric = Accuracy()
    >>> metric.update_state([1, 2, 3, 4], [0, 2, 3, 4])
    >>> float(metric.result())
    0.75
    """

    direction = "up"
    _matches = "equal"

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often probabilities lie on the right side of a threshold.

    Parameters
    ----------
    threshold
        Predictions above it count as 1.

    Examples
    --------
    >>> metric = BinaryAccuracy()
    >>> metric.update_state([1, 0, 1], [0.9, 0.2, 0.4])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    direction = "up"
    _matches = "binary"

    def __init__(
        self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold

    def _settings(self) -> dict[str, Any]:
        return self._values.keywords  # type: ignore[attr-defined]


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction stands at the one-hot label.

    Examples
    --------
    >>> metric = CategoricalAccuracy()
    >>> metric.update_state([[0, 1], [1, 0]], [[0.2, 0.8], [0.4, 0.6]])
    >>> float(metric.result())
    0.5
    """

    direction = "up"
    _matches = "categorical"

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction stands at the label's class number.

    Examples
    --------
    >>> metric = SparseCategoricalAccuracy()
    >>> metric.update_state([1, 0], [[0.2, 0.8], [0.4, 0.6]])
    >>> float(metric.result())
    0.5
    """

    direction = "up"
    _matches = "sparse"

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the one-hot label is among the `k` largest predictions.

    Examples
    --------
    >>> metric = TopKCategoricalAccuracy(k=1)
    >>> metric.update_state([[0, 1], [1, 0]], [[0.2, 0.8], [0.4, 0.6]])
    >>> float(metric.result())
    0.5
    """

    direction = "up"

    def __init__(
        self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the label's class number is among the `k` largest predictions.

    Parameters
    ----------
    k
        How many predictions count.
    name, dtype
        As for every metric.
    from_sorted_ids
        Whether predictions are class numbers, best first, rather than scores.

    Examples
    --------
    >>> metric = SparseTopKCategoricalAccuracy(k=1)
    >>> metric.update_state([1, 0], [[0.2, 0.8], [0.4, 0.6]])
    >>> float(metric.result())
    0.5
    """

    direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        keywords = {"from_sorted_ids": True} if from_sorted_ids else {}
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, **keywords)
        self._of_operations = not from_sorted_ids
        self.k = k
        self.from_sorted_ids = from_sorted_ids
