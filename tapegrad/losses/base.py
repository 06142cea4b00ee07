"""What all losses share: aligned shapes, weights and the reduction to a scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.state import floatx
from tapegrad._core.tensor import Tensor
from tapegrad.utils.config import Configurable
from tapegrad.utils.lookup import look_up, snake_case
from tapegrad.utils.tensors import as_float_tensor, as_tensor

__all__ = ["Loss", "LossFunctionWrapper", "aligned", "float_predictions"]

_REDUCTIONS = {
    "sum_over_batch_size": "mean",
    "mean": "mean",
    "sum": "sum",
    "mean_with_sample_weight": "mean_with_sample_weight",
    "none": "none",
}


def float_predictions(y_pred: Any) -> Tensor:
    """Return predictions as a Tensor, of the default dtype if they are whole numbers or a list."""
    if type(y_pred) is Tensor and y_pred._data.dtype.kind == "f":
        return y_pred
    if isinstance(y_pred, list | tuple):
        return as_float_tensor(y_pred, floatx())
    tensor = as_tensor(y_pred)
    return tensor if tensor._data.dtype.kind == "f" else tensor.astype(floatx())


def aligned(y_true: Any, y_pred: Any, owner: str) -> tuple[Tensor, Tensor]:
    """Return both as float Tensors of one shape; a trailing axis of size 1 may be missing in one.

    Nothing else is broadcast: ``(N,)`` against ``(N, 1)`` would become a table of N×N differences.

    Parameters
    ----------
    y_true
        Labels; converted to the dtype of the predictions.
    y_pred
        Predictions.
    owner
        The loss, for errors.

    Raises
    ------
    ValueError
        If the shapes differ in any other way.
    """
    pred = float_predictions(y_pred)
    true = as_float_tensor(y_true, pred._data.dtype)
    if true._data.shape != pred._data.shape:
        true_shape, pred_shape = true.shape, pred.shape
        if true_shape == (*pred_shape, 1):
            pred = pred.reshape(true_shape)
        elif pred_shape == (*true_shape, 1):
            true = true.reshape(pred_shape)
        else:
            raise ValueError(
                f"{owner}: y_true has shape {true_shape} and y_pred {pred_shape}; they must agree "
                "(a trailing axis of size 1 aside)."
            )
    return true, pred


class Loss(Configurable):
    """Base of all losses: call it with labels and predictions to get a scalar Tensor.

    A subclass writes ``call(y_true, y_pred)``, which returns one value a sample.

    Parameters
    ----------
    name
        By default the class's name in snake case.
    reduction
        ``"sum_over_batch_size"`` (or ``"mean"``): the sum of the (weighted) values divided by
        their number, not by the sum of weights; ``"sum"``; ``"mean_with_sample_weight"``: divided
        by the sum of weights; ``"none"`` or None: the values themselves.
    dtype
        What predictions are converted to; by default values have the dtype of the predictions.

    Raises
    ------
    ValueError
        If the reduction is unknown.

    Examples
    --------
    >>> class Hinge(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ops.relu(1.0 - y_true * y_pred)
    >>> float(Hinge()(np.array([1.0, -1.0]), np.array([0.5, 0.5])))
    1.0
    """

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.reduction = reduction or "none"
        self.dtype = None if dtype is None else np.dtype(dtype)
        self._reduction = look_up(self.reduction, _REDUCTIONS, "reduction")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        """Return the reduced loss.

        Parameters
        ----------
        y_true
            Labels.
        y_pred
            Predictions, shape (samples, …).
        sample_weight
            A weight a sample (or a number), multiplied to the values before they are reduced.

        Raises
        ------
        ValueError
            If the shapes do not fit; nothing is broadcast.
        """
        if self.dtype is not None:
            y_pred = as_float_tensor(y_pred, self.dtype)
        values = as_tensor(self.call(y_true, y_pred))
        mask = self.mask(y_true)
        if mask is not None:
            sample_weight = _merge_mask(sample_weight, mask, self._reduction)
        if sample_weight is None:
            if self._reduction in ("mean", "mean_with_sample_weight"):
                return ops.mean(values) if values.size else ops.sum(values)
            return ops.sum(values) if self._reduction == "sum" else values
        return self._reduce_weighted(values, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value a sample."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its values are.")

    def mask(self, y_true: Any) -> np.ndarray | None:
        """Return which labels count, or None if all do."""
        return None

    def check_targets(self, y_true: np.ndarray, output_shape: tuple[int | None, ...]) -> None:
        """Raise ValueError, in one sentence, if the labels of a data set do not fit the loss.

        `fit` and `evaluate` ask once, before the first step.

        Parameters
        ----------
        y_true
            All labels.
        output_shape
            The shape of the model's output, its first axis being None.
        """

    def _reduce_weighted(self, values: Tensor, sample_weight: Any) -> Tensor:
        weights = as_float_tensor(sample_weight, values.dtype)
        if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
            weights = weights.reshape(weights.shape[:-1])
        elif weights.ndim and weights.shape != values.shape:
            if weights.shape != values.shape[: weights.ndim]:
                raise ValueError(
                    f"{self.name}: sample_weight has shape {weights.shape}, which does not begin "
                    f"the shape of the values, {values.shape}."
                )
            weights = weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
        weighted = values * weights
        if self._reduction == "none":
            return weighted
        total = ops.sum(weighted)
        if self._reduction == "sum":
            return total
        if self._reduction == "mean_with_sample_weight":
            weight_sum = float(ops.sum(weights))
            return total / weight_sum if weight_sum else total * 0.0
        return total / float(max(1, values.size))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _merge_mask(sample_weight: Any, mask: np.ndarray, reduction: str) -> np.ndarray:
    """Return weights that are 0 where masked; a mean is then one over what is left."""
    valid = int(mask.sum())
    scale = mask.size / valid if reduction == "mean" and valid else 1.0
    weights = mask * scale
    if sample_weight is None:
        return weights
    given = np.asarray(sample_weight)
    if given.ndim == mask.ndim + 1 and given.shape[-1] == 1:
        given = given[..., 0]
    if 0 < given.ndim < mask.ndim:
        given = given.reshape(given.shape + (1,) * (mask.ndim - given.ndim))
    return weights * given


class LossFunctionWrapper(Loss):
    """A loss from a function of labels and predictions.

    Parameters
    ----------
    fn
        ``fn(y_true, y_pred, **kwargs)``, returning one value a sample.
    name
        By default the function's name.
    reduction, dtype
        As for every loss.
    kwargs
        Passed on to `fn`.

    Examples
    --------
    >>> loss = LossFunctionWrapper(lambda t, p: ops.absolute(t - p), name="distance")
    >>> float(loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", "loss"), reduction, dtype)
        self.fn = fn
        self._arguments = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the function's values."""
        return self.fn(y_true, y_pred, **self._arguments)
