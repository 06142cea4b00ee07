"""Normalizations, of arrays large enough for many threads."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels import cpu

# Narrow and wide channels with rows left over, and one array of several samples.
_SHAPES = [(10_007, 3), (30, 17, 13, 48), (131, 1030)]


def results() -> dict[str, list[np.ndarray]]:
    """Return what each kernel computes, by its public name."""
    found: dict[str, list[np.ndarray]] = {}
    for dtype in (np.float32, np.float64):
        for shape in _SHAPES:
            for name, arrays in _of(shape, dtype).items():
                found.setdefault(name, []).extend(arrays)
    return found


def _of(shape: tuple[int, ...], dtype: type) -> dict[str, list[np.ndarray]]:
    generator = np.random.default_rng(0)
    x, dy = (generator.normal(2, 3, shape).astype(dtype) for _ in range(2))
    gamma, beta = (generator.normal(size=shape[-1]).astype(dtype) for _ in range(2))
    groups = shape[-1] // 2 if shape[-1] % 2 == 0 else 1
    batch = cpu.batch_norm(x, gamma, beta)
    group = cpu.group_norm(x, gamma, beta, groups=groups)
    average = beta.copy()
    cpu.moving_average_update(average, batch[1], 0.9)
    inference = (gamma, beta, batch[1], batch[2])
    return {
        "batch_norm": list(batch),
        "batch_norm_grad": list(cpu.batch_norm_grad(dy, x, gamma, *batch[1:])),
        "batch_norm_inference": [cpu.batch_norm_inference(x, *inference)],
        "batch_norm_inference_grad": list(cpu.batch_norm_inference_grad(dy, x, gamma, *batch[1:])),
        "group_norm": list(group),
        "group_norm_grad": list(cpu.group_norm_grad(dy, x, gamma, *group[1:], groups=groups)),
        "layer_norm": [cpu.layer_norm(x, gamma, beta)],
        "layer_norm_grad": list(cpu.layer_norm_grad(dy, x, gamma)),
        "moving_average_update": [average],
        "rms_norm": [cpu.rms_norm(x, gamma)],
        "rms_norm_grad": list(cpu.rms_norm_grad(dy, x, gamma)),
        "unit_norm": [cpu.unit_norm(x)],
        "unit_norm_grad": [cpu.unit_norm_grad(dy, x)],
    }
