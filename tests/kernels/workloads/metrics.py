"""Sums of metrics, over batches large enough for many threads."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels import cpu


def results() -> dict[str, list[np.ndarray]]:
    """Return what each kernel adds up, by its public name."""
    found: dict[str, list[np.ndarray]] = {}
    generator = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        pred = generator.random((30_011, 11)).astype(dtype)
        weights, labels = generator.random(30_011), generator.integers(0, 11, 30_011)
        counted = np.zeros(2)
        cpu.accumulate_mean(counted, pred)
        cpu.accumulate_mean(counted, pred, weights)
        cpu.accumulate_mean(counted, pred, 0.3)
        found.setdefault("accumulate_mean", []).append(counted)
        counted = np.zeros(2)
        for kind, true in (
            ("sparse", labels),
            ("categorical", pred[::-1]),
            ("binary", pred > 0.4),
            ("equal", pred.round()),
        ):
            cpu.count_matches(counted, true, pred, weights, kind=kind)
        found.setdefault("count_matches", []).append(counted)
        counted = np.zeros(2)
        cpu.accumulate_loss(counted, pred[0, 0], samples=32)
        found.setdefault("accumulate_loss", []).append(counted)
    return found
