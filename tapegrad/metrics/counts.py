"""Labels and predictions turned into counts of hits and misses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.metrics.base import align, to_host

__all__ = ["average_over_classes", "class_labels", "divide", "threshold_counts"]

AVERAGES = ("binary", "micro", "macro", "weighted", None)


def divide(numerator: Any, denominator: Any) -> np.ndarray:
    """Return the quotient, 0 where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    quotient = np.zeros(numerator.shape)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def class_labels(y_true: Any, y_pred: Any, owner: str) -> tuple[np.ndarray, np.ndarray, int | None]:
    """Return true and predicted class numbers, flat, and the number of classes where it shows.

    Parameters
    ----------
    y_true
        Class numbers, or one-hot rows of the shape of `y_pred`.
    y_pred
        Scores, shape (…, classes); or class numbers of the shape of the labels.
    owner
        Who asks, for errors.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    true, pred = to_host(y_true), to_host(y_pred)
    if pred.ndim >= 2 and pred.shape[-1] > 1 and true.ndim >= pred.ndim - 1:
        classes = pred.shape[-1]
        if true.shape == pred.shape:
            true = true.argmax(-1)
        elif true.shape == (*pred.shape[:-1], 1):
            true = true[..., 0]
        if true.shape == pred.shape[:-1]:
            return _whole(true, owner), pred.argmax(-1).ravel(), classes
    elif true.size == pred.size and pred.dtype.kind in "biu":
        return _whole(true, owner), pred.ravel(), None
    raise ValueError(
        f"{owner}: y_true of shape {true.shape} does not fit y_pred of shape {pred.shape} and "
        f"dtype {pred.dtype}; expected scores of shape (samples, classes) or whole class numbers."
    )


def _whole(labels: np.ndarray, owner: str) -> np.ndarray:
    numbers = labels.ravel().astype(np.int64)
    if labels.dtype.kind == "f" and not np.array_equal(numbers, labels.ravel()):
        raise ValueError(f"{owner}: y_true must hold whole class numbers.")
    return numbers


def threshold_counts(
    y_true: Any,
    y_pred: Any,
    thresholds: np.ndarray,
    sample_weight: Any,
    class_id: int | None,
    top_k: int | None,
    owner: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Count, for each threshold, true and false positives, false and true negatives.

    Every element of `y_pred` is a decision of its own, as in Keras; `top_k` leaves only each row's
    `k` largest predictions, `class_id` only one column.

    Returns
    -------
    tuple of numpy.ndarray
        True positives, false positives, false negatives, true negatives, each of the shape of
        `thresholds`.
    """
    true, pred = align(y_true, y_pred, owner)
    true = true.astype(bool)
    if top_k is not None:
        kept = np.argsort(-pred, axis=-1, kind="stable")[..., :top_k]
        largest = np.zeros(pred.shape, dtype=bool)
        np.put_along_axis(largest, kept, True, axis=-1)
        pred = np.where(largest, pred, -np.inf)
    if class_id is not None:
        true, pred = true[..., class_id, None], pred[..., class_id, None]
    if sample_weight is None:
        weights = np.ones(true.size)
    else:
        weights = to_host(sample_weight)
        if weights.ndim < true.ndim:
            weights = weights.reshape(weights.shape + (1,) * (true.ndim - weights.ndim))
        weights = np.broadcast_to(weights, true.shape).ravel()
    true = true.ravel()
    chosen = pred.ravel() > thresholds[:, None]
    positives = chosen @ (weights * true)
    wrongly = chosen @ (weights * ~true)
    return (
        positives,
        wrongly,
        (weights * true).sum() - positives,
        (weights * ~true).sum() - wrongly,
    )


def average_over_classes(values: np.ndarray, support: np.ndarray, average: str | None) -> Any:
    """Return per-class values as they are, or their macro or weighted average.

    Parameters
    ----------
    values, support
        A value, and the (weighted) number of true samples, of each class.
    average
        ``None``, ``"macro"`` or ``"weighted"``.
    """
    if average == "macro":
        return values.mean()
    if average == "weighted":
        return divide((values * support).sum(), support.sum())
    return values
