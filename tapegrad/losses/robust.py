"""Losses between numbers that grow more slowly than the square: outliers pull less."""

from __future__ import annotations

import math
from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import ElementwiseLoss, aligned

__all__ = ["Huber", "LogCosh", "huber", "log_cosh"]


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """Return the mean of ``e**2 / 2`` where ``|e| <= delta``, else ``delta |e| - delta**2 / 2``.

    Parameters
    ----------
    y_true, y_pred
        Numbers of one shape (…, d); a trailing axis of size 1 may be missing in one of them. Their
        difference is the error e.
    delta
        Where the parabola goes over into a line (Huber, "Robust Estimation of a Location
        Parameter", 1964).

    Returns
    -------
    Tensor
        Shape (…).

    Raises
    ------
    ValueError
        If the shapes differ otherwise.

    Examples
    --------
    >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).numpy()
    array([1.5], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "huber")
    error = pred - true
    size = ops.absolute(error)
    values = ops.where(
        ops.less_equal(size, delta), 0.5 * ops.square(error), delta * size - 0.5 * delta**2
    )
    return ops.mean(values, axis=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean(log(cosh(y_pred - y_true)), axis=-1)``.

    Nearly ``e**2 / 2`` for small errors e and ``|e| - log(2)`` for large ones; computed as
    ``e + softplus(-2 e) - log(2)``, which no error overflows.

    Parameters
    ----------
    y_true, y_pred
        Numbers of one shape (…, d); a trailing axis of size 1 may be missing in one of them.

    Returns
    -------
    Tensor
        Shape (…).

    Raises
    ------
    ValueError
        If the shapes differ otherwise.

    Examples
    --------
    >>> log_cosh([[0.0, 0.0]], [[1.0, 0.0]]).numpy().round(4)
    array([0.2169], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "log_cosh")
    error = pred - true
    return ops.mean(error + ops.softplus(-2.0 * error) - math.log(2.0), axis=-1)


class Huber(ElementwiseLoss):
    """Half the squared error where it is small, and a line where it is large.

    Parameters
    ----------
    delta
        Where the parabola goes over into a line.
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> round(float(Huber()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 4)
    0.155
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(huber, reduction, name, dtype, delta=delta)
        self.delta = delta


class LogCosh(ElementwiseLoss):
    """The logarithm of the hyperbolic cosine of the error.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> round(float(LogCosh()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]])), 4)
    0.1084
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "log_cosh",
        dtype: Any = None,
    ) -> None:
        super().__init__(log_cosh, reduction, name, dtype)
