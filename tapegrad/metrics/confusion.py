"""Counts of right and wrong decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import Metric
from tapegrad.metrics.thresholds import Thresholds, decisions

__all__ = [
    "FalseNegatives",
    "FalsePositives",
    "TrueNegatives",
    "TruePositives",
    "checked_thresholds",
]


def checked_thresholds(thresholds: Any, default: float, owner: str) -> Thresholds:
    """Return thresholds, given as one or several or None, or raise ValueError."""
    given = np.atleast_1d(np.asarray(default if thresholds is None else thresholds, dtype=float))
    if thresholds is not None and not (given.size and (given >= 0).all() and (given <= 1).all()):
        raise ValueError(f"{owner}: thresholds must lie in [0, 1], but are {thresholds}.")
    return Thresholds(given)


class _Count(Metric):
    """How many decisions turned out in one of the four ways, at each threshold."""

    _counted = ""

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        self._thresholds = checked_thresholds(thresholds, 0.5, type(self).__name__)
        self.accumulator = self.add_state("accumulator", (len(self._thresholds),))

    @property
    def thresholds(self) -> list[float]:
        """The thresholds."""
        return self._thresholds.values.tolist()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of labels 0 and 1 and of predictions of their shape."""
        given = decisions(y_true, y_pred, type(self).__name__, sample_weight)
        self.accumulator += getattr(self._thresholds.count(given), self._counted)

    def result(self) -> Tensor:
        """Return the (weighted) count: a number, or one for each threshold."""
        several = len(self._thresholds) > 1
        return self._as_result(self.accumulator.copy() if several else self.accumulator[0])


class TruePositives(_Count):
    """How many positive labels were predicted positive.

    Parameters
    ----------
    thresholds
        Predictions above it are positive, 0.5 by default; with a list, `result` returns a count for
        each.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If a threshold lies outside [0, 1].

    Examples
    --------
    >>> metric = TruePositives()
    >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> float(metric.result())
    2.0
    """

    direction = "up"
    _counted = "true_positives"


class FalsePositives(_Count):
    """How many negative labels were predicted positive.

    Parameters
    ----------
    thresholds
        Predictions above it are positive, 0.5 by default; with a list, `result` returns a count for
        each.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If a threshold lies outside [0, 1].

    Examples
    --------
    >>> metric = FalsePositives()
    >>> metric.update_state([0, 1, 0, 0], [0, 0, 1, 1])
    >>> float(metric.result())
    2.0
    """

    direction = "down"
    _counted = "false_positives"


class TrueNegatives(_Count):
    """How many negative labels were predicted negative.

    Parameters
    ----------
    thresholds
        Predictions above it are positive, 0.5 by default; with a list, `result` returns a count for
        each.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If a threshold lies outside [0, 1].

    Examples
    --------
    >>> metric = TrueNegatives()
    >>> metric.update_state([0, 1, 0, 0], [1, 1, 0, 0])
    >>> float(metric.result())
    2.0
    """

    direction = "up"
    _counted = "true_negatives"


class FalseNegatives(_Count):
    """How many positive labels were predicted negative.

    Parameters
    ----------
    thresholds
        Predictions above it are positive, 0.5 by default; with a list, `result` returns a count for
        each.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If a threshold lies outside [0, 1].

    Examples
    --------
    >>> metric = FalseNegatives()
    >>> metric.update_state([0, 1, 1, 1], [0, 1, 0, 0])
    >>> float(metric.result())
    2.0
    """

    direction = "down"
    _counted = "false_negatives"
