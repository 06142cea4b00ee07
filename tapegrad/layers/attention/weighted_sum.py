"""What layers of attention compute once queries, keys and values are there."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor

__all__ = ["attend", "explicit_weights", "has_empty_row"]


def has_empty_row(mask: Any) -> bool:
    """Whether a mask leaves some query no key at all.

    Examples
    --------
    >>> has_empty_row(np.array([[True, False], [False, False]]))
    True
    """
    return not bool(np.asarray(mask).any(axis=-1).all())


def explicit_weights(query: Any, key: Any, mask: Any, scale: float) -> Tensor:
    """Return the matrix of attention weights; a query without keys has a row of zeros.

    Parameters
    ----------
    query
        Shape (..., queries, features).
    key
        Shape (..., keys, features).
    mask
        Booleans that are broadcast to (..., queries, keys), or None.
    scale
        A factor on the scores.
    """
    scores = ops.matmul(query * scale, key, transpose_b=True)
    if mask is None:
        return ops.softmax(scores)
    return ops.where(mask, ops.softmax(ops.where(mask, scores, -1e9)), 0.0)


def attend(
    query: Any, key: Any, value: Any, mask: Any, scale: float, causal: bool = False
) -> Tensor:
    """Return values, weighted; a query without keys gets the mean of all values, as in Keras.

    Its scores take no part in that mean and get no gradient, as in Keras on JAX and TensorFlow. The
    matrix of scores is formed where there are such queries (of padding, mostly); otherwise the
    fused operation needs memory for the positions only.

    Parameters
    ----------
    query
        Shape (..., queries, features).
    key
        Shape (..., keys, features).
    value
        Shape (..., keys, values).
    mask
        Booleans that are broadcast to (..., queries, keys), or None.
    scale
        A factor on the scores.
    causal
        Whether query i attends to the keys up to i only; not together with a mask.
    """
    if mask is None or not has_empty_row(mask):
        return ops.attention(query, key, value, mask=mask, scale=scale, causal=causal)
    scores = ops.matmul(query * scale, key, transpose_b=True)
    hidden = 0.7 * float(np.finfo(scores.dtype).min)  # a number, so that all may be equal to it
    return ops.matmul(ops.softmax(ops.where(mask, scores, hidden)), value)
