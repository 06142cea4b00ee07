"""Attention as rows of a program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernels.program.native import assert_same_bits

from tapegrad_kernels import cpu

G = np.random.default_rng(0)
# (leading axes, queries, keys, features, values); in the fourth the keys are cut into segments,
# the last but two run in parallel, rows of the third fall into the same sets of the cache.
SIZES = [
    ((2, 3), 5, 7, 3, 2),
    ((), 70, 40, 20, 33),
    ((2,), 33, 31, 512, 17),
    ((), 64, 600, 8, 9),
    ((4, 2), 130, 150, 64, 64),
    ((2, 0), 3, 4, 5, 6),
    ((2,), 3, 0, 5, 6),
]


def draw(*shape: int, dtype: str = "float32") -> np.ndarray:
    return G.normal(size=shape).astype(dtype)


def check(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    mask: Any = None,
    g_logsumexp: Any = 0.0,
    **params: Any,
) -> None:
    """Compare results and gradients."""
    assert_same_bits("attention", q, k, v, mask, **params)
    out, logsumexp = cpu.attention(q, k, v, mask, **params)
    g = G.normal(size=out.shape).astype(out.dtype)
    if g_logsumexp is None:
        g_logsumexp = G.normal(size=logsumexp.shape).astype(out.dtype)
    assert_same_bits("attention_grad", g, g_logsumexp, q, k, v, out, logsumexp, mask, **params)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("leading", "queries", "keys", "depth", "values"), SIZES)
def test_sizes(leading, queries, keys, depth, values, causal, dtype):
    q = draw(*leading, queries, depth, dtype=dtype)
    k = draw(*leading, keys, depth, dtype=dtype)
    v = draw(*leading, keys, values, dtype=dtype)
    check(q, k, v, causal=causal)
    check(q, k, v, g_logsumexp=None, causal=causal, scale=0.3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "shape", [(2, 3, 9, 11), (9, 11), (2, 1, 1, 11), (2, 1, 9, 1), (3, 1, 1), ()]
)
def test_masks(shape, causal, dtype):
    q, k, v = (draw(2, 3, n, 6, dtype=dtype) for n in (9, 11, 11))
    allowed = np.asarray(G.random(shape) < 0.7)
    check(q, k, v, allowed, causal=causal)
    added = np.asarray(np.where(allowed, G.normal(size=shape), -np.inf))
    check(q, k, v, added.astype(dtype), causal=causal)
    check(q, k, v, added.astype("float64"), causal=causal)
    if len(shape) > 1:
        check(q, k, v, np.asfortranarray(allowed), causal=causal)


def test_leading_axes_that_broadcast():
    q, k, v = draw(3, 2, 5, 4), draw(2, 6, 4), draw(3, 1, 6, 7)
    check(q, k, v)
    check(q[:1], k, v, G.random((3, 1, 5, 6)) < 0.5)


def test_views_and_several_dtypes():
    heads = draw(2, 9, 3, 8)
    q = heads.transpose(0, 2, 1, 3)
    check(q, q, q, causal=True)
    check(q[..., ::2], q[..., ::-2], q.astype("float64"))
    check(draw(4, 5)[::-1], draw(6, 5), draw(7, 6).T)


def test_gradients_by_the_logarithm_broadcast():
    q, k, v = draw(2, 5, 4), draw(2, 6, 4), draw(2, 6, 7)
    for direct in (np.float32(1.5), 2.0, draw(5), draw(2, 1, dtype="float64")):
        check(q, k, v, g_logsumexp=direct)
