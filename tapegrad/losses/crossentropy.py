"""Cross-entropies between labels and predicted probabilities.

Predictions are probabilities unless ``from_logits=True``. Probabilities are clipped to
``[1e-7, 1 - 1e-7]`` before the logarithm, as in Keras; but if they are the very output of
`tapegrad.activations.softmax` or `sigmoid`, the loss is computed from the logits that these came
from, which needs no clipping: its value and gradient stay right at any logits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import Loss, aligned, float_predictions
from tapegrad.losses.class_numbers import check_range, class_numbers
from tapegrad.utils.tensors import as_float_tensor

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
]

_EPSILON = 1e-7


def _logits_of(y_pred: Tensor, activation: str) -> Tensor | None:
    """Return the logits that an output of this activation came from, if it is one."""
    origin = y_pred._origin
    return origin[1] if origin is not None and origin[0] == activation else None


def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Return ``mean(-t log(p) - (1 - t) log(1 - p), axis)`` for labels t and probabilities p.

    Parameters
    ----------
    y_true
        Labels in [0, 1].
    y_pred
        Probabilities (or logits) of the same shape; a trailing axis of size 1 may be missing.
    from_logits
        Whether `y_pred` are logits.
    label_smoothing
        Labels become ``t * (1 - label_smoothing) + label_smoothing / 2``.
    axis
        The axis to average over.

    Returns
    -------
    Tensor
        The shape of `y_pred` without `axis`.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> binary_crossentropy([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]).numpy().round(3)
    array([0.916, 0.714], dtype=float32)
    """
    pred = float_predictions(y_pred)
    if not from_logits:
        logits = _logits_of(pred, "sigmoid")
        if logits is not None:
            pred, from_logits = logits, True
    true, pred = aligned(y_true, pred, "binary_crossentropy")
    if label_smoothing:
        true = true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        values = ops.sigmoid_cross_entropy(pred, true)
    else:
        pred = ops.clip(pred, _EPSILON, 1.0 - _EPSILON)
        values = -(true * ops.log(pred) + (1.0 - true) * ops.log(1.0 - pred))
    return ops.mean(values, axis=axis)


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
    pred = float_predictions(y_pred)
    true = as_float_tensor(y_true, pred.dtype)
    if true.shape != pred.shape:
        raise ValueError(
            f"categorical_crossentropy: y_true has shape {true.shape} and y_pred {pred.shape}; "
            "they must be equal. For class numbers use sparse_categorical_crossentropy, or make "
            "one-hot rows with utils.to_categorical."
        )
    if label_smoothing:
        true = true * (1.0 - label_smoothing) + label_smoothing / true.shape[axis]
    last = axis in (-1, pred.ndim - 1)
    logits = pred if from_logits else _logits_of(pred, "softmax") if last else None
    if logits is None:
        pred = pred / ops.sum(pred, axis=axis, keepdims=True)
        return -ops.sum(true * ops.log(ops.clip(pred, _EPSILON, 1.0 - _EPSILON)), axis=axis)
    if last:
        return ops.softmax_cross_entropy(logits, true)[0]
    return -ops.sum(true * ops.log_softmax(logits, axis=axis), axis=axis)


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
        Labels of this number give 0.
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
    labels = class_numbers(y_true, pred.shape, axis)
    ignored = None
    if ignore_class is not None:
        ignored = np.asarray(labels) == ignore_class
        labels = np.where(ignored, 0, np.asarray(labels))
    if axis not in (-1, pred.ndim - 1):
        logits = pred if from_logits else None
        pred = ops.moveaxis(pred, axis, -1)
        logits = None if logits is None else pred
    else:
        logits = pred if from_logits else _logits_of(pred, "softmax")
    if logits is not None:
        values = ops.softmax_cross_entropy(logits, labels)[0]
    else:
        values = _picked_cross_entropy(pred, labels)
    return values if ignored is None else ops.where(ignored, 0.0, values)


def _picked_cross_entropy(pred: Tensor, labels: Any) -> Tensor:
    """Return minus the logarithm of the clipped probability of each label."""
    check_range(np.asarray(labels), pred.shape[-1], "sparse_categorical_crossentropy")
    pred = pred / ops.sum(pred, axis=-1, keepdims=True)
    labels = labels if isinstance(labels, Tensor) else np.asarray(labels)
    picked = ops.take_along_axis(pred, ops.expand_dims(labels, -1), axis=-1)
    return -ops.log(ops.clip(ops.squeeze(picked, axis=-1), _EPSILON, 1.0 - _EPSILON))


class BinaryCrossentropy(Loss):
    """The cross-entropy of labels 0 and 1 and probabilities.

    Parameters
    ----------
    from_logits
        Whether predictions are logits.
    label_smoothing
        Labels become ``t * (1 - label_smoothing) + label_smoothing / 2``.
    axis
        The axis to average over.
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> loss = BinaryCrossentropy()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    >>> round(float(loss), 4)
    0.8149
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """Return the mean cross-entropy of each sample."""
        pred = float_predictions(y_pred)
        if pred.ndim == 1 and np.shape(y_true) == pred.shape:
            # One value a sample, so that weights can be applied.
            y_true = as_float_tensor(y_true, pred.dtype).reshape((-1, 1))
            pred = _column(pred)
        return binary_crossentropy(y_true, pred, self.from_logits, self.label_smoothing, self.axis)

    def check_targets(self, y_true: np.ndarray, output_shape: tuple[int | None, ...]) -> None:
        """Raise ValueError if a label lies outside [0, 1]."""
        if y_true.size and not (y_true.min() >= 0 and y_true.max() <= 1):
            wrong = y_true.min() if y_true.min() < 0 else y_true.max()
            raise ValueError(f"{self.name}: labels must lie in [0, 1], but y_true holds {wrong}.")


def _column(pred: Tensor) -> Tensor:
    """Return a vector of predictions as a column that still knows its logits."""
    column = pred.reshape((-1, 1))
    if pred._origin is not None:
        name, logits = pred._origin
        column._origin = (name, logits.reshape((-1, 1)))
    return column


class CategoricalCrossentropy(Loss):
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
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """Return the cross-entropy of each sample."""
        return categorical_crossentropy(
            y_true, y_pred, self.from_logits, self.label_smoothing, self.axis
        )

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


class SparseCategoricalCrossentropy(Loss):
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
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """Return the cross-entropy of each sample."""
        return sparse_categorical_crossentropy(
            y_true, y_pred, self.from_logits, self.ignore_class, self.axis
        )

    def mask(self, y_true: Any) -> np.ndarray | None:
        """Return which labels count, or None if all do."""
        if self.ignore_class is None:
            return None
        labels = np.asarray(y_true)
        if labels.ndim > 1 and labels.shape[-1] == 1:
            labels = labels[..., 0]
        return labels != self.ignore_class

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
