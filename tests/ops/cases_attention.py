"""Attention and its gradient: plain formulas with the whole matrix of scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from case import Structured


def _weights(q: Any, k: Any, mask: Any, scale: float, causal: bool) -> tuple[Any, Any]:
    scores = scale * q @ np.swapaxes(k, -1, -2)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    largest = scores.max(-1, keepdims=True)
    shifted = np.exp(scores - np.where(np.isfinite(largest), largest, 0))
    total = shifted.sum(-1, keepdims=True)
    with np.errstate(divide="ignore"):
        logsumexp = (np.log(total) + largest)[..., 0]
    return shifted / np.where(total == 0, 1, total), logsumexp


def _attention(q: Any, k: Any, v: Any, mask: Any = None, *, scale: float, causal: bool) -> Any:
    weights, logsumexp = _weights(q, k, mask, scale, causal)
    return weights @ v, logsumexp


def _unbroadcast(x: Any, shape: tuple[int, ...]) -> Any:
    x = x.sum(tuple(range(x.ndim - len(shape))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1)
    return x.sum(axes, keepdims=True)


def _attention_grad(
    g: Any, h: Any, q: Any, k: Any, v: Any, out: Any, lse: Any, mask: Any = None, **params: Any
) -> Any:
    scores = params["scale"] * q @ np.swapaxes(k, -1, -2)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if params["causal"]:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    weights = np.exp(scores - lse[..., None])
    delta = (g * out).sum(-1, keepdims=True) - h[..., None]
    changes = weights * (g @ np.swapaxes(v, -1, -2) - delta) * params["scale"]
    gradients = changes @ k, np.swapaxes(changes, -1, -2) @ q, np.swapaxes(weights, -1, -2) @ g
    return tuple(_unbroadcast(x, like.shape) for x, like in zip(gradients, (q, k, v), strict=True))


_BOOLEAN = np.array([[1, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]], bool)
_LEADING: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "one": ((), ()),
    "heads": ((2,), (2,)),
    "shared keys": ((2, 2), (2, 1)),
}
_SETTINGS: dict[str, tuple[str, bool]] = {
    "": ("", False),
    "causal": ("", True),
    "boolean mask": ("boolean", False),
    "added mask": ("added", True),
}


def _make(kind: str, leading: str, grad: bool, causal: bool) -> Callable[..., tuple[Any, ...]]:
    of_query, of_key = _LEADING[leading]

    def make(generator: np.random.Generator) -> tuple[Any, ...]:
        draw = generator.standard_normal
        q, k, v = draw((*of_query, 3, 2)), draw((*of_key, 4, 2)), draw((*of_key, 4, 5))
        mask = {"": (), "boolean": (_BOOLEAN,), "added": (draw((3, 4)),)}[kind]
        if not grad:
            return (q, k, v, *mask)
        out, logsumexp = _attention(q, k, v, *mask, scale=0.7, causal=causal)
        g, h = draw(out.shape), draw(logsumexp.shape)
        return (g, h, q, k, v, out, logsumexp, *mask)

    return make


def _cases(grad: bool) -> list[Structured]:
    cases = []
    for leading in _LEADING:
        for label, (kind, causal) in _SETTINGS.items():
            if leading != "heads" and label in ("causal", "boolean mask"):
                continue
            count = 7 if grad else 3
            smooth = tuple(range(count + (kind == "added")))
            cases.append(
                Structured(
                    f"{leading} {label}".strip(),
                    _make(kind, leading, grad, causal),
                    _attention_grad if grad else _attention,
                    {"scale": 0.7, "causal": causal},
                    smooth,
                    loosen=4.0,
                )
            )
    return cases


STRUCTURED = {"attention": _cases(False), "attention_grad": _cases(True)}
