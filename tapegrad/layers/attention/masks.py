"""Which query attends to which key, from the masks of a call."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad.utils.tensors import as_tensor

__all__ = ["as_mask", "causal_mask", "joined_mask", "mask_of_positions", "sliding_window_mask"]


def as_mask(mask: Any) -> Any:
    """Return a mask as booleans, or None."""
    if mask is None:
        return None
    mask = as_tensor(mask)
    return mask if mask.dtype.kind == "b" else mask.astype("bool")


def causal_mask(queries: int, keys: int) -> np.ndarray:
    """Return which keys come no later than each query, shape (1, queries, keys).

    Examples
    --------
    >>> causal_mask(2, 2)
    array([[[ True, False],
            [ True,  True]]])
    """
    return np.tri(queries, keys, dtype=bool)[None]


def sliding_window_mask(queries: int, keys: int, window: int) -> np.ndarray:
    """Return which keys lie nearer than `window` positions, shape (1, queries, keys).

    Examples
    --------
    >>> sliding_window_mask(3, 3, 2)[0, 0]
    array([ True,  True, False])
    """
    distances = np.abs(np.arange(queries)[:, None] - np.arange(keys)[None, :])
    return (distances < window)[None]


def joined_mask(
    query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any, *further: Any
) -> Any:
    """Return where all masks allow attention, or None without any mask.

    Parameters
    ----------
    query_mask
        Shape (samples, queries).
    value_mask, key_mask
        Shape (samples, keys).
    attention_mask, *further
        Of shapes that are broadcast to (samples, queries, keys).
    """
    parts = []
    if query_mask is not None:
        parts.append(ops.expand_dims(as_mask(query_mask), -1))
    parts += [ops.expand_dims(as_mask(m), -2) for m in (value_mask, key_mask) if m is not None]
    parts += [as_mask(mask) for mask in (*further, attention_mask) if mask is not None]
    joined = None
    for part in parts:
        joined = part if joined is None else ops.logical_and(joined, part)
    return joined


def mask_of_positions(mask: Any, rest: int, queries: tuple[int, ...], keys: tuple[int, ...]) -> Any:
    """Return a mask with `rest` leading axes (the last of them heads), then queries and keys."""
    pairs = len(queries) + len(keys)
    leading = mask.shape[: max(0, mask.ndim - pairs)]
    positions = mask.shape[len(leading) :]
    mask = mask.reshape((*leading, *(1,) * (rest - len(leading)), *positions))
    if len(queries) == 1:
        return mask
    mask = ops.broadcast_to(mask, (*mask.shape[:rest], *queries, *keys))
    return mask.reshape((*mask.shape[:rest], math.prod(queries), math.prod(keys)))
