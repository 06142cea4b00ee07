"""How much labelled and predicted regions have in common: intersection over union."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad.losses.reduction import leading
from tapegrad.metrics.base import Metric, align, to_host
from tapegrad.metrics.counts import divide

__all__ = ["BinaryIoU", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"]


class IoU(Metric):
    """The mean over some classes of ``true positives / (true positives + all errors)``.

    A class that is neither labelled nor predicted does not count.

    Parameters
    ----------
    num_classes
        How many classes there are. Labels and predictions outside 0 … num_classes - 1 do not count.
    target_class_ids
        The classes to average over.
    name, dtype
        As for every metric.
    ignore_class
        Labels of this number do not count.
    sparse_y_true
        Whether labels are class numbers; otherwise their largest entry along `axis` is taken.
    sparse_y_pred
        Whether predictions are class numbers; otherwise their largest entry along `axis` is taken.
    axis
        The axis of the classes.

    Raises
    ------
    ValueError
        If a target class is not one of the classes.

    Examples
    --------
    >>> metric = IoU(num_classes=2, target_class_ids=[0])
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(metric.result()), 4)
    0.3333
    """

    direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype, name)
        if self.dtype.kind != "f":  # Keras's dtype of the counts, which are float64 here
            self.dtype = np.dtype(np.float64)
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        outside = [i for i in self.target_class_ids if not 0 <= i < num_classes]
        if outside:
            raise ValueError(
                f"{type(self).__name__}: target class {outside[0]} lies outside 0 to "
                f"{num_classes - 1}."
            )
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.counts = self.add_state("counts", (num_classes, num_classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch.

        Parameters
        ----------
        y_true, y_pred
            Class numbers of one shape; or, where they are not sparse, scores with an axis of the
            classes.
        sample_weight
            A weight an element, or one a sample.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        true, pred = to_host(y_true), to_host(y_pred)
        if not self.sparse_y_true:
            true = true.argmax(self.axis)
        if not self.sparse_y_pred:
            pred = pred.argmax(self.axis)
        self._count(true, pred, sample_weight)

    def _count(self, true: np.ndarray, pred: np.ndarray, sample_weight: Any) -> None:
        true, pred = align(true, pred, self.name)
        weights = None
        if sample_weight is not None:
            weights = to_host(sample_weight)
            if weights.size == true.size:
                weights = weights.reshape(true.shape)
            elif weights.shape != true.shape[: weights.ndim]:
                raise ValueError(
                    f"{self.name}: sample_weight has shape {weights.shape}, which does not begin "
                    f"the shape of the labels, {true.shape}."
                )
            weights = np.broadcast_to(leading(weights, true.shape), true.shape)
        true, pred = true.astype(np.int64), pred.astype(np.int64)
        size = self.num_classes
        counted = (true >= 0) & (true < size) & (pred >= 0) & (pred < size)
        if self.ignore_class is not None:
            counted &= true != self.ignore_class
        pairs = true[counted] * size + pred[counted]
        chosen = None if weights is None else weights[counted]
        self.counts += np.bincount(pairs, chosen, minlength=size * size).reshape(size, size)

    def result(self) -> Tensor:
        """Return the mean over the target classes that occur; 0 if none does."""
        hits = np.diag(self.counts)
        union = (self.counts.sum(axis=0) + self.counts.sum(axis=1) - hits)[self.target_class_ids]
        shares = divide(hits[self.target_class_ids], union)
        return self._as_result(divide(shares.sum(), np.count_nonzero(union > 1e-9)))


class BinaryIoU(IoU):
    """Intersection over union of the classes 0 and 1, from probabilities.

    Parameters
    ----------
    target_class_ids
        The classes to average over: ``[0]``, ``[1]`` or both.
    threshold
        Predictions of at least this are class 1.
    name, dtype
        As for every metric.

    Raises
    ------
    ValueError
        If a target class is neither 0 nor 1.

    Examples
    --------
    >>> metric = BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
    >>> metric.update_state([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
    >>> round(float(metric.result()), 4)
    0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch of labels 0 and 1 and of probabilities of their shape."""
        self._count(to_host(y_true), to_host(y_pred) >= self.threshold, sample_weight)


class MeanIoU(IoU):
    """The mean over all classes of intersection over union.

    Parameters
    ----------
    num_classes
        How many classes there are.
    name, dtype
        As for every metric.
    ignore_class, sparse_y_true, sparse_y_pred, axis
        As for `IoU`.

    Examples
    --------
    >>> metric = MeanIoU(num_classes=2)
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(metric.result()), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            range(num_classes),
            name,
            dtype,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        )


class OneHotIoU(IoU):
    """The mean over some classes of intersection over union, with labels as one-hot rows.

    Parameters
    ----------
    num_classes, target_class_ids
        As for `IoU`.
    name, dtype
        As for every metric.
    ignore_class, axis
        As for `IoU`.
    sparse_y_pred
        Whether predictions are class numbers rather than scores.

    Raises
    ------
    ValueError
        If a target class is not one of the classes.

    Examples
    --------
    >>> metric = OneHotIoU(num_classes=3, target_class_ids=[0, 2])
    >>> y_pred = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
    >>> metric.update_state([[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]], y_pred)
    >>> round(float(metric.result()), 4)
    0.1667
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )


class OneHotMeanIoU(MeanIoU):
    """The mean over all classes of intersection over union, with labels as one-hot rows.

    Parameters
    ----------
    num_classes
        How many classes there are.
    name, dtype
        As for every metric.
    ignore_class, axis
        As for `IoU`.
    sparse_y_pred
        Whether predictions are class numbers rather than scores.

    Examples
    --------
    >>> metric = OneHotMeanIoU(num_classes=3)
    >>> y_pred = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
    >>> metric.update_state([[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]], y_pred)
    >>> round(float(metric.result()), 4)
    0.1111
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
