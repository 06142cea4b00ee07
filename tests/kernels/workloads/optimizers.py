"""Optimizer updates and what goes with them, large enough for many threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad_kernels import cpu
from tapegrad_kernels._scalar.schedules import EXPONENTIAL
from tapegrad_kernels.cpu.optimizers.factored import adafactor_statistics

SHAPES = ((700, 100), (40_003,), (2, 150, 200), (300, 33))
SIZES = [int(np.prod(shape)) for shape in SHAPES]
OFFSETS = tuple(int(n) for n in np.cumsum([0, *SIZES[:-1]]))
SIZE = sum(SIZES)
STATISTICS = adafactor_statistics(SHAPES)
MATRICES = {"offsets": (OFFSETS[0], OFFSETS[3]), "shapes": (SHAPES[0], SHAPES[3])}

# Sizes of the slots, and the settings after them.
UPDATES: dict[str, tuple[tuple[int, ...], tuple[Any, ...], dict[str, Any]]] = {
    "sgd_update": ((SIZE,), (0.1, 0.9, True, 0.1), {}),
    "lion_update": ((SIZE,), (0.1, 0.9, 0.99), {}),
    "adagrad_update": ((SIZE,), (0.1, 1e-7), {}),
    "adadelta_update": ((SIZE, SIZE), (0.1, 0.9, 1e-7), {}),
    "rmsprop_update": ((SIZE, SIZE, SIZE), (0.1, 0.9, 1e-3, 0.5), {}),
    "ftrl_update": ((SIZE, SIZE), (0.1, -0.6), {}),
    "adam_update": ((SIZE, SIZE), (0.1, 0.9, 0.99, 1e-7, 2), {}),
    "nadam_update": ((SIZE, SIZE), (0.1, 0.9, 0.99, 1e-7, 2), {}),
    "adamax_update": ((SIZE, SIZE), (0.1, 0.9, 0.99, 1e-7, 2), {}),
    "lamb_update": ((SIZE, SIZE), (0.1, 0.9, 0.99, 1e-7, 2), {"offsets": OFFSETS}),
    "muon_update": ((SIZE,), (0.1,), MATRICES),
    "adafactor_update": (
        (STATISTICS,),
        (0.1, -0.8, 1e-30, 1e-3, 1.0, 2),
        {"offsets": OFFSETS, "shapes": SHAPES},
    ),
}

IN_PLACE: dict[str, Callable[[np.ndarray], None]] = {
    "clip_by_value_update": lambda g: cpu.clip_by_value_update(g, -0.5, 0.5),
    "clip_by_norm_update": lambda g: cpu.clip_by_norm_update(g, 1.5, offsets=OFFSETS),
    "clip_by_global_norm_update": lambda g: cpu.clip_by_global_norm_update(g, 1.5),
    "scale_update": lambda g: cpu.scale_update(g, 0.3),
    "weight_decay_update": lambda g: cpu.weight_decay_update(g, 0.1, 0.3),
    "ema_update": lambda g: cpu.ema_update(g, g[::-1].copy(), 0.3, 2),
}


def results() -> dict[str, list[np.ndarray]]:
    """Return what each kernel computes, by its public name."""
    found: dict[str, list[np.ndarray]] = {}
    for dtype in (np.float32, np.float64):
        generator = np.random.default_rng(0)
        start, g = (generator.normal(size=SIZE).astype(dtype) for _ in range(2))
        for name, (sizes, settings, params) in UPDATES.items():
            p, slots = start.copy(), [np.full(size, 0.1, dtype) for size in sizes]
            getattr(cpu, name)(p, g, *slots, *settings, **params)
            found.setdefault(name, []).extend([p, *slots])
        for name, change in IN_PLACE.items():
            changed = g.copy()
            change(changed)
            found.setdefault(name, []).append(changed)
        found.setdefault("global_norm", []).append(cpu.global_norm(g))
        found.setdefault("variable_norms", []).append(cpu.variable_norms(g, offsets=OFFSETS))
    found.update(_counters())
    return found


def _counters() -> dict[str, list[np.ndarray]]:
    """Numbers that change from step to step."""
    count, update, rate = np.array(4), np.array(0), np.array(0.0)
    cpu.increment(count)
    cpu.number_update(update, count, every=2)
    cpu.schedule_update(rate, count, schedule=(0, EXPONENTIAL, 0.1, 10, 0.5, 0))
    parameters = np.zeros(3)
    cpu.overwrite_update(parameters, np.ones(3), update, every=3)
    found = {"overwrite_update": [parameters]}
    return found | {"increment": [count], "number_update": [update], "schedule_update": [rate]}
