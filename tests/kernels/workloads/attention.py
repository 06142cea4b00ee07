"""Attention: few heads and many, causal and masked, long and short."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels import cpu

Results = dict[str, list[np.ndarray]]
# Leading axes, queries, keys, features, values: large, for many threads, and small, for ends.
SHAPES = [
    ((1,), 301, 700, 24, 20),
    ((3, 4), 130, 140, 24, 20),
    ((2,), 1, 1, 1, 1),
    ((), 5, 7, 3, 2),
    ((2,), 40, 17, 16, 33),
]


def results() -> Results:
    """Return what each kernel computes, by its public name."""
    found: Results = {"attention": [], "attention_grad": []}
    generator = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for leading, queries, keys, depth, width in SHAPES:
            shapes = [(queries, depth), (keys, depth), (keys, width), (queries, width)]
            q, k, v, g = (
                generator.normal(size=(*leading, *shape)).astype(dtype) for shape in shapes
            )
            mask = generator.random((queries, keys)) < 0.7
            added = generator.normal(size=(queries, keys)).astype(dtype)
            for causal, masks in ((False, ()), (True, ()), (False, (mask,)), (True, (added,))):
                forward = cpu.attention(q, k, v, *masks, causal=causal)
                found["attention"] += forward
                found["attention_grad"] += cpu.attention_grad(
                    g, 0.0, q, k, v, *forward, *masks, causal=causal
                )
    return found
