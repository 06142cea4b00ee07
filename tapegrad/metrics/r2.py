"""The share of variance that predictions explain."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad.metrics.base import Metric, align, to_host
from tapegrad.metrics.counts import divide
from tapegrad.utils.lookup import suggestion

__all__ = ["R2Score"]

_AGGREGATIONS = ("uniform_average", "variance_weighted_average", None)


class R2Score(Metric):
    """The coefficient of determination: 1 minus the share of variance left unexplained.

    Parameters
    ----------
    class_aggregation
        With several outputs: ``"uniform_average"``, the mean of their scores;
        ``"variance_weighted_average"``, weighted by the variance of their labels; or None, the
        scores themselves.
    num_regressors
        The number p of independent inputs, for the adjusted score
        ``1 - (1 - R²) (n - 1) / (n - p - 1)`` of n labels; 0 for the plain one.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If an argument is out of range, or unknown.

    Examples
    --------
    >>> metric = R2Score()
    >>> metric.update_state([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    >>> float(metric.result())
    0.5
    """

    direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if class_aggregation not in _AGGREGATIONS:
            names = [given for given in _AGGREGATIONS if given]
            raise ValueError(
                f"R2Score: class_aggregation is one of {_AGGREGATIONS}, not "
                f"{class_aggregation!r}.{suggestion(str(class_aggregation), names)}"
            )
        if num_regressors < 0:
            raise ValueError(f"R2Score: num_regressors must not be negative: {num_regressors}.")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_state("num_samples")
        self._outputs: int | None = None

    def _prepare(self, state: dict[str, np.ndarray]) -> None:
        if self._outputs is None and "moments" in state:
            self._make_moments(state["moments"].shape[1])

    def _make_moments(self, outputs: int) -> None:
        self._outputs = outputs
        self.moments = self.add_state("moments", (4, outputs))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch.

        Parameters
        ----------
        y_true, y_pred
            Numbers of one shape, (samples,) or (samples, outputs).
        sample_weight
            A weight a sample, or one for each output too.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        true, pred = align(y_true, y_pred, self.name)
        if true.ndim not in (1, 2) or (self._outputs or true[:1].size) != true[:1].size:
            outputs = "outputs" if self._outputs is None else self._outputs
            raise ValueError(
                f"{self.name}: expected y_pred of shape (samples, {outputs}), not {pred.shape}."
            )
        true = true.reshape(len(true), -1).astype(np.float64)
        pred = pred.reshape(true.shape)
        weights = self._weights(sample_weight, true.shape)
        if self._outputs is None:
            self._make_moments(true.shape[1])
        self.num_samples += true.size  # as in Keras, those of all outputs
        # Welford's update, merged batch by batch: the plain sum of squares minus the squared sum
        # cancels when the labels lie far from zero.
        count, mean, spread, residual = self.moments
        batch_count = weights.sum(axis=0)
        batch_mean = divide((weights * true).sum(axis=0), batch_count)
        shift = batch_mean - mean
        total = count + batch_count
        spread += (weights * (true - batch_mean) ** 2).sum(axis=0)
        spread += divide(shift**2 * count * batch_count, total)
        mean += divide(shift * batch_count, total)
        count += batch_count
        residual += (weights * (true - pred) ** 2).sum(axis=0)

    def _weights(self, sample_weight: Any, shape: tuple[int, ...]) -> np.ndarray:
        if sample_weight is None:
            return np.ones(shape)
        weights = to_host(sample_weight).astype(np.float64)
        column = weights[:, None] if weights.ndim == 1 else weights
        fits = column.ndim == 2 and all(w in (1, n) for w, n in zip(column.shape, shape))
        if column.ndim and not fits:
            raise ValueError(
                f"{self.name}: sample_weight has shape {weights.shape}, which does not fit labels "
                f"of shape {shape}."
            )
        return np.broadcast_to(column, shape)

    def result(self) -> Tensor:
        """Return the score; 0 for an output whose labels never vary."""
        if self._outputs is None:
            return self._as_result(0.0)
        count, mean, spread, residual = self.moments
        # The weighted mean of labels that never vary may differ from them in its last digits.
        rounding = 4 * np.finfo(np.float64).eps * np.abs(mean)
        varies = spread > count * rounding**2
        score: Any = np.where(varies, 1.0 - divide(residual, spread), 0.0)
        if self.class_aggregation == "uniform_average":
            score = score.mean()
        elif self.class_aggregation == "variance_weighted_average":
            score = divide((spread * score).sum(), spread.sum())
        return self._as_result(self._adjusted(score))

    def _adjusted(self, score: Any) -> Any:
        """Return the score less what so many inputs explain by chance."""
        if not self.num_regressors:
            return score
        freedom = float(self.num_samples) - self.num_regressors - 1.0
        if freedom <= 0:
            warnings.warn(
                f"{self.name}: {self.num_regressors} regressors need more than "
                f"{self.num_regressors + 1} labels for an adjusted score; the plain one is "
                "returned.",
                stacklevel=3,
            )
            return score
        return 1.0 - (1.0 - score) * (float(self.num_samples) - 1.0) / freedom
