"""Cross-entropies of class numbers.

As in `tapegrad.losses.categorical`, the output of a softmax is taken back to its logits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.masking import set_mask
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import EPSILON, LossFunctionWrapper, float_predictions, logits_of
from tapegrad.losses.class_numbers import check_range, class_numbers
from tapegrad.utils.tensors import as_tensor

__all__ = [
    "CategoricalGeneralizedCrossEntropy",
    "SparseCategoricalCrossentropy",
    "categorical_generalized_cross_entropy",
    "sparse_categorical_crossentropy",
]


def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Tensor:
    """Return ``-log(p[t])`` for class numbers t and predictions p.

    Parameters
    ----------
    y_true
        Class numbers, of the shape of `y_pred` without `axis`, or with this axis of size 1.
    y_pred
        Probabilities (or logits); probabilities are divided by their sum.
    from_logits
        Whether `y_pred` are logits.
    ignore_class
        Labels of this number give 0, and are masked in the result.
    axis
        The axis of the classes.

    Returns
    -------
    Tensor
        The shape of `y_pred` without `axis`.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a class number is not whole or out of range.

    Examples
    --------
    >>> y_pred = [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]
    >>> sparse_categorical_crossentropy([1, 2], y_pred).numpy().round(4)
    array([0.0513, 2.3026], dtype=float32)
    """
    pred = float_predictions(y_pred)
    labels = class_numbers(y_true, pred.shape, axis, "sparse_categorical_crossentropy")
    counted = None
    if ignore_class is not None:
        labels = as_tensor(labels).astype(np.int64)
        counted = ops.not_equal(labels, ignore_class)
        labels = ops.where(counted, labels, 0)
    if axis in (-1, pred.ndim - 1):
        logits = pred if from_logits else logits_of(pred, "softmax")
    else:
        pred = ops.moveaxis(pred, axis, -1)
        logits = pred if from_logits else None
    if logits is not None:
        values = ops.softmax_cross_entropy(logits, labels)[0]
    else:
        check_range(labels, pred.shape[-1], "sparse_categorical_crossentropy")
        pred = pred / ops.sum(pred, axis=-1, keepdims=True)
        values = -ops.log(ops.clip(_picked(pred, labels), EPSILON, 1.0 - EPSILON))
    return values if counted is None else set_mask(ops.where(counted, values, 0.0), counted)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Tensor:
    """Return ``(1 - p[t]**q) / q`` for class numbers t and probabilities p.

    Between the cross-entropy (q to 0) and the mean absolute error (q = 1), it is less drawn to
    wrong labels than the former (Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training
    Deep Neural Networks with Noisy Labels", 2018).

    Parameters
    ----------
    y_true
        Class numbers, of the shape of `y_pred` without its last axis, or with this axis of size 1.
    y_pred
        Probabilities, shape (…, classes).
    q
        Between 0 and 1.

    Returns
    -------
    Tensor
        The shape of `y_pred` without its last axis.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a class number is not whole or out of range.

    Examples
    --------
    >>> y_pred = [[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]]
    >>> categorical_generalized_cross_entropy([0, 1, 2], y_pred, q=0.5).numpy().round(4)
    array([0.3267, 0.4508, 0.3267], dtype=float32)
    """
    pred = float_predictions(y_pred)
    labels = class_numbers(y_true, pred.shape, -1, "categorical_generalized_cross_entropy")
    logits = logits_of(pred, "softmax")
    if logits is not None:
        cross_entropy = ops.softmax_cross_entropy(logits, labels)[0]
        return -ops.expm1(cross_entropy * -q) / q
    check_range(labels, pred.shape[-1], "categorical_generalized_cross_entropy")
    picked = _picked(pred, labels)
    # The slope of the power is infinite at a probability of 0, so that is left out.
    positive = ops.greater(picked, 0.0)
    power = ops.power(ops.where(positive, picked, 1.0), q)
    return (1.0 - ops.where(positive, power, 0.0)) / q


def _picked(pred: Tensor, labels: Any) -> Tensor:
    """Return the prediction for each label."""
    labels = labels if isinstance(labels, Tensor) else np.asarray(labels)
    picked = ops.gather_along_axis(pred, ops.expand_dims(labels, -1))
    return ops.squeeze(picked, axis=-1)


class _SparseLoss(LossFunctionWrapper):
    """A loss of class numbers."""

    _converts_labels = False
    axis = -1
    ignore_class: int | None = None

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """Return one value a sample."""
        try:
            return self.fn(y_true, y_pred, **self._keywords)
        except ValueError:
            self.check_targets(np.asarray(y_true), np.shape(y_pred))  # which says it better
            raise

    def check_targets(self, y_true: np.ndarray, output_shape: tuple[int | None, ...]) -> None:
        """Raise ValueError if a label is not whole or not one of the model's classes."""
        shape = list(output_shape)
        classes = shape.pop(self.axis)
        sizes = tuple(shape[1:])
        if y_true.shape[1:] not in (sizes, (*sizes, 1)):
            hint = (
                ' For one-hot rows use the loss "categorical_crossentropy".'
                if y_true.shape[1:] == output_shape[1:]
                else ""
            )
            raise ValueError(
                f"{self.name}: y_true has shape {y_true.shape}, but the model's output of shape "
                f"{output_shape} asks for class numbers of shape {tuple(shape)}.{hint}"
            )
        labels = y_true
        if y_true.dtype.kind == "f" and not np.array_equal(y_true, np.trunc(y_true)):
            raise ValueError(f"{self.name}: y_true must hold whole class numbers, not fractions.")
        if self.ignore_class is not None:
            labels = labels[labels != self.ignore_class]
        if isinstance(classes, int):
            check_range(labels, classes, self.name)


class SparseCategoricalCrossentropy(_SparseLoss):
    """The cross-entropy of class numbers and probabilities.

    Parameters
    ----------
    from_logits
        Whether predictions are logits.
    ignore_class
        Labels of this number do not count; a mean is then one over the others.
    reduction
        As for every loss.
    axis
        The axis of the classes.
    name, dtype
        As for every loss.

    Examples
    --------
    >>> y_pred = [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]
    >>> round(float(SparseCategoricalCrossentropy()([1, 2], y_pred)), 4)
    1.1769
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis


class CategoricalGeneralizedCrossEntropy(_SparseLoss):
    """A cross-entropy of class numbers and probabilities that bears with wrong labels.

    Parameters
    ----------
    q
        Between 0 (the cross-entropy) and 1 (the mean absolute error).
    reduction, name, dtype
        As for every loss.

    Raises
    ------
    ValueError
        If `q` does not lie between 0 and 1.

    Examples
    --------
    >>> y_pred = [[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]]
    >>> round(float(CategoricalGeneralizedCrossEntropy()([0, 1, 2], y_pred)), 4)
    0.3681
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(
                f"CategoricalGeneralizedCrossEntropy: q must lie between 0 and 1, but is {q}."
            )
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
        self.q = q
