"""Sums and means of values, a value a sample, with weights and masks as Keras applies them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core.masking import get_mask
from tapegrad._core.tensor import Tensor
from tapegrad.losses.names import LOSSES, sample_values
from tapegrad.losses.reduction import leading, same_rank
from tapegrad.metrics.base import Counter, Metric, to_host
from tapegrad.metrics.recording import accumulate_loss, count_matches

__all__ = ["Mean", "MeanMetricWrapper", "Sum", "masked_weights"]


class Sum(Metric):
    """The (weighted) sum of the values seen.

    Parameters
    ----------
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = Sum()
    >>> metric.update_state([1, 3, 5])
    >>> float(metric.result())
    9.0
    """

    _counters = ("total",)
    total: Any = Counter()

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values; each counts `sample_weight` times."""
        values = to_host(values)
        if sample_weight is not None:
            values = _weighted(values, to_host(sample_weight), np.sum)[0]
        self.total += float(values.sum())

    def result(self) -> Tensor:
        """Return the sum."""
        return self._as_result(self.total)


class Mean(Metric):
    """The (weighted) mean of the values seen: their sum divided by the sum of weights.

    Parameters
    ----------
    name, dtype
        As for every metric.

    Examples
    --------
    >>> metric = Mean()
    >>> metric.update_state([1.0, 3.0], sample_weight=[3, 1])
    >>> float(metric.result())
    1.5
    """

    _counters = ("total", "count")
    total: Any = Counter()
    count: Any = Counter()

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add a value, or values of which the first axis counts samples.

        Parameters
        ----------
        values
            A number or an array; all axes but the first are averaged over.
        sample_weight
            How often each counts: an array with the first axes of `values`; or a number, with which
            the mean of `values` counts as one value.
        """
        if sample_weight is not None:
            mask = get_mask(values)
            if mask is not None:
                sample_weight = masked_weights(sample_weight, mask)
            values, weights = _weighted(to_host(values), to_host(sample_weight), np.mean)
            self.total += float(values.sum())
            self.count += float(weights.sum())
            return
        values = to_host(values)
        if values.ndim == 1:
            # Counting hits is several times faster than adding them up.
            hits = values.dtype.kind == "b"
            self.total += float(np.count_nonzero(values) if hits else values.sum())
            self.count += len(values)
        elif values.ndim == 0:
            self.total += float(values)
            self.count += 1
        elif values.size:
            self.total += float(values.sum()) / (values.size // values.shape[0])
            self.count += values.shape[0]

    def _record(self, values: Any, sample_weight: Any = None) -> bool:
        if type(values) is not Tensor or values.shape or sample_weight is not None:
            return False
        accumulate_loss(self._accumulated, values, samples=1)
        return True

    def result(self) -> Tensor:
        """Return the mean; 0 before the first batch."""
        return self._as_result(self._value())

    def _value(self) -> float:
        total, count = self._accumulated._tensor._data.tolist()
        return total / count if count else 0.0

    def _means(self, totals: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return what `_value` is for several totals and counts."""
        return np.divide(totals, counts, out=np.zeros(len(totals)), where=counts != 0)


def _weighted(
    values: np.ndarray, weights: np.ndarray, reduce: Callable[..., Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return values times weights, and the weights, one number a sample.

    Axes of `values` beyond those of `weights` are reduced first, unweighted, as in Keras.
    """
    given = weights.shape
    values, weights = same_rank(values, weights)
    if values.ndim and (
        weights.ndim > values.ndim
        or any(w not in (1, size) for w, size in zip(weights.shape, values.shape))
    ):
        raise ValueError(
            f"sample_weight (or the mask) has shape {given}, which does not begin the shape of the "
            f"values, {values.shape}."
        )
    if values.ndim > weights.ndim:
        values = reduce(values, axis=tuple(range(weights.ndim, values.ndim)))
    values, weights = np.broadcast_arrays(values, weights)
    values = values * weights
    if values.ndim > 1:
        inner = tuple(range(1, values.ndim))
        values, weights = reduce(values, axis=inner), reduce(weights, axis=inner)
    return values, weights


def masked_weights(sample_weight: Any, mask: Any) -> np.ndarray:
    """Return weights that are 0 where masked.

    Parameters
    ----------
    sample_weight
        None, a number, or an array.
    mask
        Booleans, True for what counts.
    """
    kept = to_host(mask).astype(np.float64)
    if sample_weight is None:
        return kept
    kept, weights = same_rank(kept, to_host(sample_weight))
    if kept.ndim < weights.ndim:
        kept = leading(kept, weights.shape)
    return kept * leading(weights, kept.shape)


class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions.

    What a mask on the predictions rules out does not count.

    Parameters
    ----------
    fn
        ``fn(y_true, y_pred, **kwargs)``, returning a value a sample; the functions of
        `tapegrad.losses` too.
    name
        By default the function's name.
    dtype
        As for every metric.
    kwargs
        Passed on to `fn`.

    Examples
    --------
    >>> metric = MeanMetricWrapper(lambda t, p: abs(np.asarray(t) - np.asarray(p)), "error")
    >>> metric.update_state([1.0, 2.0], [1.0, 4.0])
    >>> float(metric.result())
    1.0
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", "metric"), dtype)
        if fn in LOSSES:
            self.direction = self.direction or "down"
            fn, kwargs = sample_values(fn, **kwargs), {}
        self._values = functools.partial(fn, **kwargs) if kwargs else fn

    _matches: str | None = None
    """What kind of matches is counted, if any: see `tapegrad_kernels.cpu.metrics.count_matches`."""

    def _record(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> bool:  # type: ignore[override]
        if self._matches is None or sample_weight is not None or get_mask(y_pred) is not None:
            return False
        if type(y_true) is not Tensor or type(y_pred) is not Tensor or not y_pred.shape:
            return False
        if y_pred.dtype.kind != "f" or y_true.dtype.kind not in "biuf":
            return False
        count_matches(self._accumulated, y_true, y_pred, kind=self._matches, **self._settings())
        return True

    def _settings(self) -> dict[str, Any]:
        """Return what matches depend on."""
        return {}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of labels and predictions, with an optional weight a sample."""
        mask = get_mask(y_pred)
        if mask is not None:
            sample_weight = masked_weights(sample_weight, mask)
            if y_pred.shape == (*mask.shape, 1) and np.shape(y_true) == mask.shape:
                y_true = to_host(y_true)[..., None]  # so that a value a time step is left
        Mean.update_state(self, self._values(y_true, y_pred), sample_weight)
