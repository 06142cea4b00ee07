"""Scaled dot-product attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.primitive import defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._exponential import exp
from tapegrad.ops._inspection import zeros_like
from tapegrad.ops._linear_algebra import matmul
from tapegrad.ops._reduction import sum
from tapegrad.ops._selection import where
from tapegrad.ops._shape import as_tensor, expand_dims

_attention_grad = primitive(
    "attention_grad", saves="inputs", doc="Gradients of attention by query, key and value."
)
_attention = primitive(
    "attention", saves="both", doc="Attention, and the logarithms of the sums of its weights."
)


def _weights(
    query: Any, key: Any, logsumexp: Any, mask: Sequence[Any], scale: float, causal: bool
) -> Any:
    """The matrix of weights, for derivatives that need it as a whole."""
    scores = matmul(query * scale, key, transpose_b=True)
    if mask and mask[0].dtype.kind == "b":
        scores = where(mask[0], scores, -np.inf)
    elif mask:
        scores = scores + mask[0]
    if causal:
        scores = where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    # A query that attends to nothing: exp(score - Inf) is zero.
    logsumexp = where(logsumexp == -np.inf, np.inf, logsumexp)
    return exp(scores - expand_dims(logsumexp, -1))


def _add(total: Any, term: Any) -> Any:
    return term if total is None else total + term


def _grad_rule(
    h: Any,
    answer: Any,
    g: Any,
    g_logsumexp: Any,
    query: Any,
    key: Any,
    value: Any,
    out: Any,
    logsumexp: Any,
    *mask: Any,
    needs: Sequence[bool],
    scale: float,
    causal: bool,
) -> list[Any]:
    # With weights P, slopes D = g V' and d = sum(g * out) - g_logsumexp, the gradients of
    # attention are S K, S' Q and P' g for S = scale * P * (D - d). Here the derivatives of
    # all of these, from h's three parts; the matrices are as large as the scores.
    h_query, h_key, h_value = h
    weights = _weights(query, key, logsumexp, mask, scale, causal)
    delta = expand_dims(sum(g * out, axis=-1) - g_logsumexp, -1)
    slopes = matmul(g, value, transpose_b=True) - delta
    changes = weights * slopes * scale
    by_g = by_query = by_key = by_changes = by_weights = None
    if h_query is not None:
        by_changes = matmul(h_query, key, transpose_b=True)
        by_key = matmul(changes, h_query, transpose_a=True)
    if h_key is not None:
        by_changes = _add(by_changes, matmul(query, h_key, transpose_b=True))
        by_query = matmul(changes, h_key)
    if h_value is not None:
        by_weights = matmul(g, h_value, transpose_b=True)
        by_g = matmul(weights, h_value)
    by_value = by_out = by_g_logsumexp = None
    if by_changes is not None:
        by_changes = by_changes * scale
        by_weights = _add(by_weights, by_changes * slopes)
        by_slopes = by_changes * weights
        by_delta = -sum(by_slopes, axis=-1, keepdims=True)
        by_g = _add(by_g, matmul(by_slopes, value) + by_delta * out)
        by_value = matmul(by_slopes, g, transpose_a=True)
        by_out = by_delta * g
        by_g_logsumexp = -by_delta[..., 0]
    by_scores = by_weights * weights
    by_query = _add(by_query, matmul(by_scores, key) * scale)
    by_key = _add(by_key, matmul(by_scores, query, transpose_a=True) * scale)
    by_logsumexp = -sum(by_scores, axis=-1)
    gradients = [by_g, by_g_logsumexp, by_query, by_key, by_value, by_out, by_logsumexp]
    return gradients + [by_scores for _ in mask]


defvjp_joint(_attention_grad, _grad_rule)


def _rule(
    g: Any,
    answer: Any,
    query: Any,
    key: Any,
    value: Any,
    *mask: Any,
    needs: Sequence[bool],
    scale: float,
    causal: bool,
) -> list[Any]:
    g_out, g_logsumexp = g
    out, logsumexp = answer
    if g_out is None:
        g_out = zeros_like(out)
    if g_logsumexp is None:
        g_logsumexp = 0.0
    results: list[Any] = [None] * len(needs)
    if any(needs[:3]):
        results[:3] = _attention_grad(
            g_out, g_logsumexp, query, key, value, out, logsumexp, *mask, scale=scale, causal=causal
        )
    if any(needs[3:]):
        # An added mask that is learned, such as a bias for relative positions, is as large
        # as the scores, so they may be formed as a whole.
        weights = _weights(query, key, logsumexp, mask, scale, causal)
        delta = expand_dims(sum(g_out * out, axis=-1) - g_logsumexp, -1)
        results[3] = weights * (matmul(g_out, value, transpose_b=True) - delta)
    return results


defvjp_joint(_attention, _rule)


@operation()
def attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    scale: float | None = None,
    causal: bool = False,
) -> Tensor:
    """Scaled dot-product attention, ``softmax(scale * query @ key.T + mask) @ value``.

    Memory grows with the number of positions, not with its square; so it does for the
    gradient by query, key and value. Derivatives of second order, and by a mask, form the
    matrix of scores.

    Parameters
    ----------
    query : array_like, shape (..., queries, features)
        The leading axes are batches and heads.
    key : array_like, shape (..., keys, features)
        Its leading axes broadcast against those of `query`: with a length of 1, several
        heads of queries share one of keys.
    value : array_like, shape (..., keys, values)
        As `key`.
    mask : array_like, optional
        Broadcast to (..., queries, keys). Booleans tell which keys a query attends to, as
        in Keras; real numbers are added to the scores.
    scale : float, optional
        ``1 / sqrt(features)`` by default.
    causal : bool, default False
        Whether query i attends to the keys up to i only.

    Returns
    -------
    Tensor, shape (..., queries, values)
        A query that may attend to no key has a row of zeros, and gradients of zero. (Keras
        gives it the mean of all values, PyTorch NaN.)

    Raises
    ------
    ValueError
        If shapes do not fit.

    References
    ----------
    A. Vaswani et al., *Attention Is All You Need*, arXiv:1706.03762.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> tg.ops.attention(x, x, x, scale=0.0)
    Tensor([[0.5, 0.5],
            [0.5, 0.5]], dtype=float64)
    """
    query, key, value = as_tensor(query), as_tensor(key), as_tensor(value)
    if scale is None:
        features = query.shape[-1] if query.ndim else 1
        scale = 1 / math.sqrt(features or 1)
    masks = () if mask is None else (as_tensor(mask),)
    return _attention(query, key, value, *masks, scale=float(scale), causal=bool(causal))[0]
