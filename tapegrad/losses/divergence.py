"""Losses of distributions: the Kullback–Leibler divergence, and counts after Poisson."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import EPSILON, ElementwiseLoss, LossFunctionWrapper, aligned

__all__ = ["KLDivergence", "Poisson", "kl_divergence", "poisson"]


def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``sum(t log(t / p), axis=-1)`` for distributions t and p, clipped to [1e-7, 1].

    Parameters
    ----------
    y_true, y_pred
        Probabilities of one shape (…, classes).

    Returns
    -------
    Tensor
        Shape (…).

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> kl_divergence([[0.5, 0.5]], [[0.75, 0.25]]).numpy().round(4)
    array([0.1438], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "kl_divergence")
    true, pred = ops.clip(true, EPSILON, 1.0), ops.clip(pred, EPSILON, 1.0)
    return ops.sum(true * ops.log(true / pred), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """Return ``mean(p - t log(p + 1e-7), axis=-1)`` for counts t and predicted means p.

    The negative logarithm of the Poisson distribution, less what does not depend on p.

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
    >>> poisson([[1.0, 2.0]], [[1.0, 2.0]]).numpy().round(4)
    array([0.8069], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "poisson")
    return ops.mean(pred - true * ops.log(pred + EPSILON), axis=-1)


class KLDivergence(LossFunctionWrapper):
    """The Kullback–Leibler divergence of predicted distributions from the given ones.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.75, 0.25]])), 4)
    0.1438
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "kl_divergence",
        dtype: Any = None,
    ) -> None:
        super().__init__(kl_divergence, reduction, name, dtype)


class Poisson(ElementwiseLoss):
    """The negative log-likelihood of counts, of which the mean is predicted.

    Parameters
    ----------
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> round(float(Poisson()([[1.0], [2.0]], [[1.0], [2.0]])), 4)
    0.8069
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poisson",
        dtype: Any = None,
    ) -> None:
        super().__init__(poisson, reduction, name, dtype)
