"""What all losses share: aligned shapes, weights, masks and the reduction to a scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.masking import get_mask
from tapegrad._core.state import floatx
from tapegrad._core.tensor import Tensor
from tapegrad.losses.reduction import REDUCTIONS, reduce_values, same_rank
from tapegrad.utils.config import Configurable
from tapegrad.utils.lookup import look_up, snake_case
from tapegrad.utils.tensors import as_float_tensor, as_tensor

__all__ = [
    "EPSILON",
    "ElementwiseLoss",
    "Loss",
    "LossFunctionWrapper",
    "aligned",
    "float_predictions",
    "logits_of",
]

EPSILON = 1e-7
"""What keeps logarithms and quotients away from zero, as in Keras."""


def float_predictions(y_pred: Any) -> Tensor:
    """Return predictions as a Tensor, of the default dtype if they are whole numbers or a list."""
    if type(y_pred) is Tensor and y_pred._data.dtype.kind == "f":
        return y_pred
    if isinstance(y_pred, list | tuple):
        return as_float_tensor(y_pred, floatx())
    tensor = as_tensor(y_pred)
    return tensor if tensor._data.dtype.kind == "f" else tensor.astype(floatx())


def logits_of(y_pred: Tensor, activation: str) -> Tensor | None:
    """Return the logits that an output of this activation came from, if it is one."""
    origin = y_pred._origin
    return origin[1] if origin is not None and origin[0] == activation else None


def reshaped(y_pred: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return predictions in another shape, still knowing the logits of their sigmoid."""
    result = y_pred.reshape(shape)
    logits = logits_of(y_pred, "sigmoid")
    if logits is not None:
        result._origin = ("sigmoid", logits.reshape(shape))
    return result


def aligned(y_true: Any, y_pred: Any, owner: str) -> tuple[Tensor, Tensor]:
    """Return both as float Tensors of one shape; a trailing axis of size 1 may be missing in one.

    As in Keras the longer one loses the axis, unless the other is a vector, which gains it. Nothing
    else is broadcast: ``(N,)`` against ``(N, 1)`` would become a table of N×N differences.

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
    true_shape, pred_shape = true._data.shape, pred._data.shape
    if true_shape == pred_shape:
        return true, pred
    if true_shape == (*pred_shape, 1):
        if len(pred_shape) == 1:
            return true, reshaped(pred, true_shape)
        return true.reshape(pred_shape), pred
    if pred_shape == (*true_shape, 1):
        if len(true_shape) == 1:
            return true.reshape(pred_shape), pred
        return true, reshaped(pred, true_shape)
    raise ValueError(
        f"{owner}: y_true has shape {true_shape} and y_pred {pred_shape}; they must agree "
        "(a trailing axis of size 1 aside)."
    )


class Loss(Configurable):
    """Base of all losses: call it with labels and predictions to get a scalar Tensor.

    A subclass writes ``call(y_true, y_pred)``, which returns one value a sample. It gets both as
    Tensors of one floating dtype.

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

    Notes
    -----
    What a mask on the predictions (`tapegrad.layers.Masking`) or on the values rules out counts as
    0, and the mean is one over the rest.

    Examples
    --------
    >>> class Hinge(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ops.relu(1.0 - y_true * y_pred)
    >>> float(Hinge()(np.array([1, -1]), np.array([0.5, 0.5])))
    1.0
    """

    _converts_labels = True
    """Whether `call` gets labels in the dtype of the predictions; else they come as given."""

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.reduction = reduction or "none"
        self.dtype = None if dtype is None else np.dtype(dtype)
        self._reduction = look_up(self.reduction, REDUCTIONS, "reduction")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        """Return the reduced loss.

        Parameters
        ----------
        y_true
            Labels.
        y_pred
            Predictions, shape (samples, …).
        sample_weight
            A weight a sample (or a number), multiplied to the values before they are reduced; also
            one a time step, with the first axes of the values.

        Raises
        ------
        TypeError
            If `call` returns None.
        ValueError
            If the shapes do not fit; nothing is broadcast.
        """
        mask = get_mask(y_pred)
        if self.dtype is not None:
            y_pred = _as_floats(y_pred, self.dtype)
        if self._converts_labels:
            y_pred = _as_floats(y_pred, None)
            y_true = _as_floats(y_true, _dtype_of(y_pred))
        if mask is not None and y_pred.shape == (*mask.shape, 1) and np.shape(y_true) == mask.shape:
            y_true = as_tensor(y_true).reshape(y_pred.shape)  # so that a value a time step is left
        values = self.call(y_true, y_pred)
        if values is None:
            raise TypeError(
                f"{self.name}: the loss returned None, expected one value a sample; is a return "
                "missing?"
            )
        values = as_tensor(values)
        own_mask = get_mask(values)
        if own_mask is not None:
            mask = own_mask if mask is None else ops.logical_and(mask, own_mask)
        return reduce_values(values, sample_weight, mask, self._reduction, self.name)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value a sample."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its values are.")

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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _as_floats(values: Any, dtype: Any) -> Any:
    """Return a Tensor (or a structure of some) of this dtype, or of a floating one if None."""
    if isinstance(values, dict):
        return {key: _as_floats(part, dtype) for key, part in values.items()}
    if isinstance(values, list | tuple) and any(isinstance(part, Tensor) for part in values):
        return type(values)(_as_floats(part, dtype) for part in values)
    return float_predictions(values) if dtype is None else as_float_tensor(values, dtype)


def _dtype_of(values: Any) -> np.dtype[Any]:
    while not isinstance(values, Tensor):
        values = next(iter(values.values() if isinstance(values, dict) else values))
    return values.dtype


class LossFunctionWrapper(Loss):
    """A loss from a function of labels and predictions.

    Where one of both has a trailing axis of size 1 more than the other, they are aligned before the
    function sees them.

    Parameters
    ----------
    fn
        ``fn(y_true, y_pred, **kwargs)``, returning one value a sample.
    reduction
        As for every loss.
    name
        By default the function's name.
    dtype
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
        self._keywords = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the function's values."""
        if isinstance(y_true, Tensor) and isinstance(y_pred, Tensor) and y_true.ndim != y_pred.ndim:
            y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._keywords)


class ElementwiseLoss(LossFunctionWrapper):
    """A loss that averages over the last axis; a vector counts as one value a sample."""

    _converts_labels = False

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value a sample."""
        true, pred = aligned(y_true, y_pred, self.name)
        if len(pred._data.shape) == 1:
            # Averaged over its only axis, a vector would leave nothing for weights to apply to.
            true, pred = true.reshape((-1, 1)), reshaped(pred, (pred.size, 1))
        return self.fn(true, pred, **self._keywords)
