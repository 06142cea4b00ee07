"""The losses of distributions as metrics: means over an epoch, without gradients."""

from __future__ import annotations

from typing import Any

from tapegrad import losses
from tapegrad.metrics.reduction import MeanMetricWrapper

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "KLDivergence",
    "Poisson",
    "SparseCategoricalCrossentropy",
]


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
        super().__init__(
            losses.binary_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing


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
        super().__init__(
            losses.categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy of class numbers and probabilities.

    Parameters
    ----------
    name, dtype
        As for every metric.
    from_logits, axis
        As for `tapegrad.losses.SparseCategoricalCrossentropy`.
    ignore_class
        Labels of this number count as 0; as in Keras they still count, unless there are weights.

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
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            losses.sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis


class KLDivergence(MeanMetricWrapper):
    """The mean Kullback–Leibler divergence of predicted distributions from the given ones.

    Parameters
    ----------
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = KLDivergence()
    >>> metric.update_state([[0.5, 0.5]], [[0.75, 0.25]])
    >>> round(float(metric.result()), 4)
    0.1438
    """

    direction = "down"

    def __init__(self, name: str = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.kl_divergence, name, dtype)


class Poisson(MeanMetricWrapper):
    """The mean negative log-likelihood of counts, of which the mean is predicted.

    Parameters
    ----------
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = Poisson()
    >>> metric.update_state([[1.0], [2.0]], [[1.0], [2.0]])
    >>> round(float(metric.result()), 4)
    0.8069
    """

    direction = "down"

    def __init__(self, name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.poisson, name, dtype)
