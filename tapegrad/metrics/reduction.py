"""Sums and means of values, a value a sample, with weights and masks as Keras applies them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core.masking import get_mask
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor
from tapegrad.losses.names import LOSSES, sample_values
from tapegrad.losses.reduction import leading, same_rank
from tapegrad.metrics.base import Counter, Metric, to_host
from tapegrad.metrics.recording import accumulate_loss, accumulate_mean, count_matches

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
            values = _weighted(values, to_host(sample_weight))
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
            sample_weight = to_host(sample_weight)
        values = to_host(values)
        counted = self._accumulated._tensor._data
        if sample_weight is None and values.ndim == 0:
            counted[0] += float(values)
            counted[1] += 1.0
        elif sample_weight is None and values.ndim == 1 and values.dtype.kind == "b":
            # Counting hits is several times faster than adding them up.
            counted[0] += np.count_nonzero(values)
            counted[1] += len(values)
        else:
            if sample_weight is not None:
                _check_weights(sample_weight, values)
            accumulate_mean._cpu(counted, values, sample_weight)

    def _record(self, values: Any, sample_weight: Any = None) -> bool:
        if type(values) is not Tensor or not _is_recordable(sample_weight):
            return False
        if sample_weight is None:
            if values.shape:
                accumulate_mean(self._accumulated, values)
            else:
                accumulate_loss(self._accumulated, values, samples=1)
            return True
        mask = get_mask(values)
        if mask is not None:
            sample_weight = masked_weights(sample_weight, mask)
        accumulate_mean(self._accumulated, values, sample_weight)
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


def _weighted(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return values times weights, of which the axes are the first ones of the values."""
    _check_weights(weights, values)
    values, weights = same_rank(values, weights)
    if weights.ndim < values.ndim:
        weights = leading(weights, values.shape)
    return values * weights


def _check_weights(weights: np.ndarray, values: np.ndarray) -> None:
    """Raise ValueError if weights do not begin the shape of the values."""
    if not values.ndim or weights.shape == values.shape[: weights.ndim]:
        return
    first, second = same_rank(values, weights)
    if second.ndim > first.ndim or any(
        w not in (1, size) for w, size in zip(second.shape, first.shape)
    ):
        raise ValueError(
            f"sample_weight (or the mask) has shape {weights.shape}, which does not begin the "
            f"shape of the values, {values.shape}."
        )


def masked_weights(sample_weight: Any, mask: Any) -> Any:
    """Return weights that are 0 where masked, in float64.

    While a step is recorded they are a Tensor, because their values are not read.

    Parameters
    ----------
    sample_weight
        None, a number, or an array.
    mask
        Booleans, True for what counts.
    """
    recorded = thread.recorder is not None and type(mask) is Tensor
    kept = (mask if recorded else to_host(mask)).astype(np.float64)
    if sample_weight is None:
        return kept
    given = sample_weight if recorded and type(sample_weight) is Tensor else to_host(sample_weight)
    kept, weights = same_rank(kept, given)
    if kept.ndim < weights.ndim:
        kept = leading(kept, weights.shape)
    return kept * leading(weights, kept.shape)


def _is_recordable(sample_weight: Any) -> bool:
    """Whether weights can be part of a recorded step without being read."""
    return sample_weight is None or type(sample_weight) in (Tensor, float, int)


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
            self._of_operations = True
        self._values = functools.partial(fn, **kwargs) if kwargs else fn

    _matches: str | None = None
    """What kind of matches is counted, if any: see `tapegrad_kernels.cpu.metrics.count_matches`."""
    _of_operations = False
    """Whether the function, given Tensors while a step is recorded, does operations alone."""

    def _record(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> bool:  # type: ignore[override]
        if type(y_true) is not Tensor or type(y_pred) is not Tensor:
            return False
        countable = (
            self._matches is not None and bool(y_pred.shape) and _are_numbers(y_true, y_pred)
        )
        if not (countable or self._of_operations) or not _is_recordable(sample_weight):
            return False
        y_true, sample_weight = _masked(y_true, y_pred, sample_weight)
        if not countable:
            return super()._record(self._values(y_true, y_pred), sample_weight)
        given = () if sample_weight is None else (sample_weight,)
        settings = self._settings()
        count_matches(self._accumulated, y_true, y_pred, *given, kind=self._matches, **settings)
        return True

    def _settings(self) -> dict[str, Any]:
        """Return what matches depend on."""
        return {}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of labels and predictions, with an optional weight a sample."""
        y_true, sample_weight = _masked(y_true, y_pred, sample_weight)
        if sample_weight is not None and self._matches is not None:
            y_true, y_pred, sample_weight = map(to_host, (y_true, y_pred, sample_weight))
            if self._fit(y_true, y_pred, sample_weight):
                counted = self._accumulated._tensor._data
                settings = self._settings()
                count_matches._cpu(
                    counted, y_true, y_pred, sample_weight, kind=self._matches, **settings
                )
                return
        Mean.update_state(self, self._values(y_true, y_pred), sample_weight)

    def _fit(self, true: np.ndarray, pred: np.ndarray, weights: np.ndarray) -> bool:
        """Whether matches can be counted as recorded steps count them."""
        if not pred.size or not _are_numbers(true, pred):
            return False
        shape = pred.shape[:-1] if self._matches == "sparse" else pred.shape
        if true.shape != shape and (self._matches != "sparse" or true.shape != (*shape, 1)):
            return False
        rows = pred.shape[:-1] if self._matches == "categorical" else shape
        return weights.shape == rows[: weights.ndim]


def _masked(y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any]:
    """Return labels and weights for predictions that may carry a mask."""
    mask = get_mask(y_pred)
    if mask is None:
        return y_true, sample_weight
    if y_pred.shape == (*mask.shape, 1) and np.shape(y_true) == mask.shape:
        y_true = y_true if type(y_true) is Tensor else to_host(y_true)
        y_true = y_true.reshape(y_pred.shape)  # so that a value a time step is left
    return y_true, masked_weights(sample_weight, mask)


def _are_numbers(y_true: Any, y_pred: Any) -> bool:
    return y_pred.dtype.kind == "f" and y_true.dtype.kind in "biuf"
