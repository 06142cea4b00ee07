"""Labels and predictions turned into counts of hits and misses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.metrics.base import to_host
from tapegrad.utils.lookup import suggestion

__all__ = ["average_over_classes", "check_average", "class_labels", "divide"]

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


def check_average(average: str | None, owner: str, known: tuple[str | None, ...]) -> None:
    """Raise ValueError if the way to average over classes is unknown."""
    if average not in known:
        names = [name for name in known if name is not None]
        hint = suggestion(average, names) if isinstance(average, str) else ""
        raise ValueError(f"{owner}: average is one of {known}, not {average!r}.{hint}")


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
