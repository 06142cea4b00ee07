"""The hinge losses as metrics."""

from __future__ import annotations

from typing import Any

from tapegrad import losses
from tapegrad.metrics.reduction import MeanMetricWrapper

__all__ = ["CategoricalHinge", "Hinge", "SquaredHinge"]


class Hinge(MeanMetricWrapper):
    """The mean of what scores fall short of a margin of 1.

    Labels are -1 and 1; if all labels of a batch are 0 or 1, then 0 means -1.

    Parameters
    ----------
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = Hinge()
    >>> metric.update_state([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    >>> round(float(metric.result()), 4)
    1.3
    """

    direction = "down"

    def __init__(self, name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """The mean square of what scores fall short of a margin of 1.

    Labels are -1 and 1; if all labels of a batch are 0 or 1, then 0 means -1.

    Parameters
    ----------
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = SquaredHinge()
    >>> metric.update_state([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    >>> round(float(metric.result()), 4)
    1.86
    """

    direction = "down"

    def __init__(self, name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """The mean of what the right class's score fails to exceed all others by 1.

    Parameters
    ----------
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = CategoricalHinge()
    >>> metric.update_state([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    >>> round(float(metric.result()), 4)
    1.4
    """

    direction = "down"

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.categorical_hinge, name, dtype)
