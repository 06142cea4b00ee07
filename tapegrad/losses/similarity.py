"""Losses of directions: the cosine between two vectors, and between all pairs of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.masking import set_mask
from tapegrad._core.tensor import Tensor
from tapegrad.losses.base import EPSILON, LossFunctionWrapper, aligned, float_predictions
from tapegrad.utils.tensors import as_tensor

__all__ = ["Circle", "CosineSimilarity", "circle", "cosine_similarity"]

# What stands for the logarithm of 0: minus infinity would make NaN gradients.
_NO_PAIR = -1e30


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Return minus the cosine of the angle between labels and predictions.

    -1 for the same direction, 0 for orthogonal vectors and for vectors of zeros, 1 for opposite
    ones.

    Parameters
    ----------
    y_true, y_pred
        Numbers of one shape.
    axis
        The axis of the vectors.

    Returns
    -------
    Tensor
        The shape without `axis`.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> cosine_similarity([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [2.0, 2.0]]).numpy().round(4)
    array([-0., -1.], dtype=float32)
    """
    true, pred = aligned(y_true, y_pred, "cosine_similarity")
    directions = ops.unit_norm(true, axis, EPSILON) * ops.unit_norm(pred, axis, EPSILON)
    return -ops.sum(directions, axis=axis)


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Tensor:
    """Return ``softplus(logsumexp(negatives) + logsumexp(positives))`` of all pairs of each row.

    With d, 1 minus the cosine of a pair, a pair of one class adds
    ``gamma (d + margin) (d - margin)`` to the positives, and a pair of two classes
    ``gamma max(1 + margin - d, 0) (1 - margin - d)`` to the negatives (Sun et al., "Circle Loss: A
    Unified Perspective of Pair Similarity Optimization", 2020).

    Parameters
    ----------
    y_true
        Class numbers, shape (samples,) or (samples, 1).
    y_pred
        Embeddings of length 1, shape (samples, dimensions).
    ref_labels, ref_embeddings
        What to pair each row with; by default the batch itself.
    remove_diagonal
        Whether row i makes no pair with reference i, which is itself by default.
    gamma
        The scale of the cosines.
    margin
        How far from the ideal a pair may stay.

    Returns
    -------
    Tensor
        Shape (samples,); rows of which the value is 0 are masked.

    Raises
    ------
    ValueError
        If there is not one label for each embedding.

    Examples
    --------
    >>> y_pred = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> circle([0, 0, 1], y_pred).numpy().round(2)
    array([0. , 6.4, 0. ], dtype=float32)
    """
    pred = float_predictions(y_pred)
    labels = _labels(y_true, pred)
    references = pred if ref_embeddings is None else as_tensor(ref_embeddings).astype(pred.dtype)
    other_labels = labels if ref_labels is None else _labels(ref_labels, references)
    distances = ops.maximum(1.0 - ops.matmul(pred, ops.transpose(references)), 0.0)
    same = ops.equal(labels[:, None], other_labels[None, :])
    positive = same
    if remove_diagonal:
        positive = ops.logical_and(same, ~np.eye(*same.shape, dtype=bool))
    attraction = gamma * (distances + margin) * (distances - margin)
    repulsion = gamma * ops.maximum(1.0 + margin - distances, 0.0) * (1.0 - margin - distances)
    values = ops.softplus(
        ops.logsumexp(ops.where(positive, attraction, _NO_PAIR), axis=1)
        + ops.logsumexp(ops.where(same, _NO_PAIR, repulsion), axis=1)
    )
    return set_mask(values, ops.greater(values, 0.0))


def _labels(y_true: Any, embeddings: Tensor) -> Tensor:
    """Return one class number for each embedding."""
    labels = as_tensor(y_true)
    if embeddings.ndim != 2 or labels.shape not in ((len(embeddings),), (len(embeddings), 1)):
        raise ValueError(
            f"circle: expected embeddings of shape (samples, dimensions) and one class number for "
            f"each, but the shapes are {embeddings.shape} and {labels.shape}."
        )
    return labels.reshape(-1).astype(np.int64)


class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine of the angle between labels and predictions.

    Parameters
    ----------
    axis
        The axis of the vectors.
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> round(float(CosineSimilarity()([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]])), 4)
    -0.5
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)
        self.axis = axis


class Circle(LossFunctionWrapper):
    """Draws embeddings of one class together and pushes those of different classes apart.

    The mean is one over the rows of which the value is not 0.

    Parameters
    ----------
    gamma
        The scale of the cosines.
    margin
        How far from the ideal a pair may stay.
    remove_diagonal
        Whether a row makes no pair with itself.
    reduction, name, dtype
        As for every loss.

    Examples
    --------
    >>> y_pred = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> round(float(Circle()([0, 0, 1], y_pred)), 2)
    3.2
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            circle,
            reduction,
            name,
            dtype,
            gamma=gamma,
            margin=margin,
            remove_diagonal=remove_diagonal,
        )
        self.gamma = gamma
        self.margin = margin
        self.remove_diagonal = remove_diagonal
