"""Attention, cut into many tasks: few heads and many, causal and masked."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels import cpu

Results = dict[str, list[np.ndarray]]
SHAPES = [((1,), 301, 700), ((3, 4), 130, 140)]


def results() -> Results:
    """Return what each kernel computes, by its public name."""
    found: Results = {"attention": [], "attention_grad": []}
    generator = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for leading, queries, keys in SHAPES:
            shapes = [(queries, 24), (keys, 24), (keys, 20), (queries, 20)]
            q, k, v, g = (
                generator.normal(size=(*leading, *shape)).astype(dtype) for shape in shapes
            )
            mask = generator.random((queries, keys)) < 0.7
            for causal, masks in ((False, ()), (True, ()), (False, (mask,))):
                forward = cpu.attention(q, k, v, *masks, causal=causal)
                found["attention"] += forward
                found["attention_grad"] += cpu.attention_grad(
                    g, 0.0, q, k, v, *forward, *masks, causal=causal
                )
    return found
