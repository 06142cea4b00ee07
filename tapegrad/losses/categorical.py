"""Cross-entropies of one-hot rows (or distributions over classes).

Predictions are probabilities unless ``from_logits=True``. Probabilities are divided by their sum
and clipped to ``[1e-7, 1 - 1e-7]`` before the logarithm, as in Keras; but if they are the very
output of `tapegrad.activations.softmax`, the loss is computed from the logits that these came from,
which needs no clipping: its value and gradient stay right at any logits.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import EPSILON, LossFunctionWrapper, float_predictions, logits_of
from tapegrad.utils.tensors import as_float_tensor

__all__ = [
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
]


def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Return ``-sum(t log(p), axis)`` for one-hot rows (or distributions) t and predictions p.

    Parameters
    ----------
    y_true
        One-hot rows or distributions over classes.
    y_pred
        Probabilities (or logits) of the same shape; probabilities are divided by their sum.
    from_logits
        Whether `y_pred` are logits.
    label_smoothing
        Labels become ``t * (1 - label_smoothing) + label_smoothing / classes``.
    axis
        The axis of the classes.

    Returns
    -------
    Tensor
        The shape of `y_pred` without `axis`.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> y_pred = [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]
    >>> categorical_crossentropy([[0, 1, 0], [0, 0, 1]], y_pred).numpy().round(4)
    array([0.0513, 2.3026], dtype=float32)
    """
    true, pred = _rows(y_true, y_pred, label_smoothing, axis, "categorical_crossentropy")
    last = axis in (-1, pred.ndim - 1)
    logits = pred if from_logits else logits_of(pred, "softmax") if last else None
    if logits is not None and last:
        return ops.softmax_cross_entropy(logits, true)[0]
    log_chances = _log_chances(pred, logits, axis)
    return -ops.sum(true * log_chances, axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Return ``-sum(alpha (1 - p)**gamma t log(p), axis)`` for one-hot rows t and predictions p.

    What is predicted well already counts little (Lin et al., "Focal Loss for Dense Object
    Detection", 2017).

    Parameters
    ----------
    y_true
        One-hot rows or distributions over classes.
    y_pred
        Probabilities (or logits) of the same shape; probabilities are divided by their sum.
    alpha
        A factor, or one for each class.
    gamma
        How strongly easy samples are played down; 0 gives the cross-entropy times `alpha`.
    from_logits
        Whether `y_pred` are logits.
    label_smoothing
        Labels become ``t * (1 - label_smoothing) + label_smoothing / classes``.
    axis
        The axis of the classes.

    Returns
    -------
    Tensor
        The shape of `y_pred` without `axis`.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> y_pred = [[0.05, 0.9, 0.05], [0.1, 0.85, 0.05]]
    >>> categorical_focal_crossentropy([[0, 1, 0], [0, 0, 1]], y_pred).numpy().round(3)
    array([0.   , 0.676], dtype=float32)
    """
    true, pred = _rows(y_true, y_pred, label_smoothing, axis, "categorical_focal_crossentropy")
    last = axis in (-1, pred.ndim - 1)
    logits = pred if from_logits else logits_of(pred, "softmax") if last else None
    log_chances = _log_chances(pred, logits, axis)
    # Not below EPSILON, where a power less than 1 would have an infinite slope.
    factor = ops.power(ops.maximum(1.0 - ops.exp(log_chances), EPSILON), gamma)
    if not isinstance(alpha, int | float):
        alpha = as_float_tensor(alpha, pred.dtype)  # type: ignore[assignment]
    return -ops.sum(alpha * factor * true * log_chances, axis=axis)


def _rows(
    y_true: Any, y_pred: Any, label_smoothing: float, axis: int, owner: str
) -> tuple[Tensor, Tensor]:
    """Return labels, smoothed, and predictions as float Tensors of one shape."""
    pred = float_predictions(y_pred)
    true = as_float_tensor(y_true, pred.dtype)
    if true.shape != pred.shape:
        raise ValueError(
            f"{owner}: y_true has shape {true.shape} and y_pred {pred.shape}; they must be equal. "
            f"For class numbers use sparse_categorical_crossentropy, or make one-hot rows with "
            "utils.to_categorical."
        )
    if not pred.ndim:
        raise ValueError(f"{owner}: y_pred must have an axis of classes, but is a single number.")
    if pred.shape[axis] == 1:
        warnings.warn(
            f"{owner}: y_pred of shape {pred.shape} has one class only, so the loss is always 0; "
            "for two classes in one column use binary_crossentropy.",
            SyntaxWarning,
            stacklevel=4,
        )
    if label_smoothing:
        true = true * (1.0 - label_smoothing) + label_smoothing / true.shape[axis]
    return true, pred


def _log_chances(pred: Tensor, logits: Tensor | None, axis: int) -> Tensor:
    """Return the logarithms of the probabilities."""
    if logits is not None:
        return ops.log_softmax(logits, axis=axis)
    pred = pred / ops.sum(pred, axis=axis, keepdims=True)
    return ops.log(ops.clip(pred, EPSILON, 1.0 - EPSILON))


class _CategoricalLoss(LossFunctionWrapper):
    """A loss of one-hot rows."""

    _converts_labels = False

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """Return one value a sample."""
        return self.fn(y_true, y_pred, **self._keywords)

    def check_targets(self, y_true: np.ndarray, output_shape: tuple[int | None, ...]) -> None:
        """Raise ValueError if the labels are not rows of as many classes as the model has."""
        if y_true.shape[1:] != output_shape[1:]:
            raise ValueError(
                f"{self.name}: y_true has shape {y_true.shape}, but the model's output has shape "
                f"{output_shape}; expected one-hot rows (utils.to_categorical makes them), or the "
                'loss "sparse_categorical_crossentropy" for class numbers.'
            )
        if y_true.size and y_true.min() < 0:
            raise ValueError(f"{self.name}: y_true holds {y_true.min()}, a negative probability.")


class CategoricalCrossentropy(_CategoricalLoss):
    """The cross-entropy of one-hot rows (or distributions) and probabilities.

    Parameters
    ----------
    from_logits
        Whether predictions are logits.
    label_smoothing
        Labels become ``t * (1 - label_smoothing) + label_smoothing / classes``.
    axis
        The axis of the classes.
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> y_pred = [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]
    >>> round(float(CategoricalCrossentropy()([[0, 1, 0], [0, 0, 1]], y_pred)), 4)
    1.1769
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class CategoricalFocalCrossentropy(_CategoricalLoss):
    """The cross-entropy of one-hot rows and probabilities, with easy samples played down.

    Parameters
    ----------
    alpha
        A factor, or one for each class.
    gamma
        How strongly easy samples are played down; 0 gives the cross-entropy times `alpha`.
    from_logits
        Whether predictions are logits.
    label_smoothing
        Labels become ``t * (1 - label_smoothing) + label_smoothing / classes``.
    axis
        The axis of the classes.
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> y_pred = [[0.05, 0.9, 0.05], [0.1, 0.85, 0.05]]
    >>> round(float(CategoricalFocalCrossentropy()([[0, 1, 0], [0, 0, 1]], y_pred)), 4)
    0.3381
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis
