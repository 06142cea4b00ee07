"""What layers of attention compute once queries, keys and values are there."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor

__all__ = ["attend", "explicit_weights", "has_empty_row", "may_have_empty_row"]


def has_empty_row(mask: Any) -> bool:
    """Whether a mask leaves some query no key at all.

    Examples
    --------
    >>> has_empty_row(np.array([[True, False], [False, False]]))
    True
    """
    return not bool(np.asarray(mask).any(axis=-1).all())


def may_have_empty_row(mask: Any) -> bool:
    """Whether a mask may leave some query no key: while a call is recorded, nobody looks."""
    return thread.recorder is not None or has_empty_row(mask)


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

    Its scores take no part in that mean and get no gradient, as in Keras on JAX and TensorFlow.

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
    attended = ops.attention(query, key, value, mask=mask, scale=scale, causal=causal)
    if mask is None or not may_have_empty_row(mask):
        return attended
    some = ops.any(mask, axis=-1, keepdims=True)
    return ops.where(some, attended, ops.mean(value, axis=-2, keepdims=True))
