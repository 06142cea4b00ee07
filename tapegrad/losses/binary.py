"""Cross-entropies of labels 0 and 1.

Predictions are probabilities unless ``from_logits=True``. Probabilities are clipped to
``[1e-7, 1 - 1e-7]`` before the logarithm, as in Keras; but if they are the very output of
`tapegrad.activations.sigmoid`, the loss is computed from the logits that these came from, which
needs no clipping: its value and gradient stay right at any logits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import EPSILON, ElementwiseLoss, aligned, logits_of

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
]


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
    true, pred = aligned(y_true, y_pred, "binary_crossentropy")
    true = _smoothed(true, label_smoothing)
    logits = pred if from_logits else logits_of(pred, "sigmoid")
    if logits is not None:
        return ops.mean(ops.sigmoid_cross_entropy(logits, true), axis=axis)
    return ops.mean(_cross_entropy(true, pred), axis=axis)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Return the mean of ``(1 - q)**gamma`` times the cross-entropy, q being the label's chance.

    With labels t and probabilities p, ``q = t p + (1 - t) (1 - p)``: what is predicted well already
    counts little (Lin et al., "Focal Loss for Dense Object Detection", 2017).

    Parameters
    ----------
    y_true
        Labels in [0, 1].
    y_pred
        Probabilities (or logits) of the same shape; a trailing axis of size 1 may be missing.
    apply_class_balancing
        Whether to weight class 1 by `alpha` and class 0 by ``1 - alpha``.
    alpha
        The weight of class 1.
    gamma
        How strongly easy samples are played down; 0 gives the cross-entropy.
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
    >>> binary_focal_crossentropy([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]).numpy().round(3)
    array([0.33 , 0.206], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "binary_focal_crossentropy")
    true = _smoothed(true, label_smoothing)
    logits = pred if from_logits else logits_of(pred, "sigmoid")
    if logits is None:
        values = _cross_entropy(true, pred)
    else:
        values = ops.sigmoid_cross_entropy(logits, true)
        pred = ops.sigmoid(logits)
    chance = true * pred + (1.0 - true) * (1.0 - pred)
    # Not below EPSILON, where a power less than 1 would have an infinite slope.
    values = ops.power(ops.maximum(1.0 - chance, EPSILON), gamma) * values
    if apply_class_balancing:
        values = (true * alpha + (1.0 - true) * (1.0 - alpha)) * values
    return ops.mean(values, axis=axis)


def _smoothed(true: Tensor, label_smoothing: float) -> Tensor:
    return true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else true


def _cross_entropy(true: Tensor, pred: Tensor) -> Tensor:
    """Return the cross-entropy of each element, of clipped probabilities."""
    pred = ops.clip(pred, EPSILON, 1.0 - EPSILON)
    return -(true * ops.log(pred) + (1.0 - true) * ops.log(1.0 - pred))


class _BinaryLoss(ElementwiseLoss):
    """A loss of labels 0 and 1."""

    def check_targets(self, y_true: np.ndarray, output_shape: tuple[int | None, ...]) -> None:
        """Raise ValueError if a label lies outside [0, 1]."""
        if y_true.size and not (y_true.min() >= 0 and y_true.max() <= 1):
            wrong = y_true.min() if y_true.min() < 0 else y_true.max()
            raise ValueError(f"{self.name}: labels must lie in [0, 1], but y_true holds {wrong}.")


class BinaryCrossentropy(_BinaryLoss):
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
        super().__init__(
            binary_crossentropy,
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


class BinaryFocalCrossentropy(_BinaryLoss):
    """The cross-entropy of labels 0 and 1, with easy samples played down.

    Parameters
    ----------
    apply_class_balancing
        Whether to weight class 1 by `alpha` and class 0 by ``1 - alpha``.
    alpha
        The weight of class 1.
    gamma
        How strongly easy samples are played down; 0 gives the cross-entropy.
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
    >>> loss = BinaryFocalCrossentropy()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    >>> round(float(loss), 4)
    0.2678
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
        self.apply_class_balancing = apply_class_balancing
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis
