"""The losses of classification as metrics: means over an epoch, without gradients."""

from __future__ import annotations

from typing import Any

from tapegrad import losses
from tapegrad.metrics.base import MeanMetricWrapper

__all__ = ["BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"]


class BinaryCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy of labels 0 and 1 and probabilities.

    Parameters
    ----------
    name, dtype
        As for every metric.
    from_logits, label_smoothing
        As for `tapegrad.losses.BinaryCrossentropy`.

    Examples
    --------
    >>> metric = BinaryCrossentropy()
    >>> metric.update_state([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    >>> round(float(metric.result()), 4)
    0.8149
    """

    direction = "down"

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        loss = losses.BinaryCrossentropy(from_logits, label_smoothing)
        super().__init__(loss.call, name, dtype)


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy of one-hot rows and probabilities.

    Parameters
    ----------
    name, dtype
        As for every metric.
    from_logits, label_smoothing, axis
        As for `tapegrad.losses.CategoricalCrossentropy`.

    Examples
    --------
    >>> metric = CategoricalCrossentropy()
    >>> metric.update_state([[0, 1]], [[0.5, 0.5]])
    >>> round(float(metric.result()), 4)
    0.6931
    """

    direction = "down"

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        loss = losses.CategoricalCrossentropy(from_logits, label_smoothing, axis)
        super().__init__(loss.call, name, dtype)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy of class numbers and probabilities.

    Parameters
    ----------
    name, dtype
        As for every metric.
    from_logits, axis
        As for `tapegrad.losses.SparseCategoricalCrossentropy`.

    Examples
    --------
    >>> metric = SparseCategoricalCrossentropy()
    >>> metric.update_state([1], [[0.5, 0.5]])
    >>> round(float(metric.result()), 4)
    0.6931
    """

    direction = "down"

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        axis: int = -1,
    ) -> None:
        loss = losses.SparseCategoricalCrossentropy(from_logits, axis=axis)
        super().__init__(loss.call, name, dtype)
