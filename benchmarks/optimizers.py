"""Optimizer updates over one flat buffer of float32 against torch's optimizers.

Run with ``python -m benchmarks.optimizers``. The buffer holds matrices of 1,000 rows where an
update needs to know variables. Torch runs its fused update where it has one for the CPU, and
otherwise the quicker of its loop and its foreach form.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks._harness import Contender, Workload, main

NAMES = (
    *("sgd", "momentum", "adam", "adamw", "amsgrad", "nadam", "adamax", "adagrad", "adadelta"),
    *("rmsprop", "rmsprop_centered", "lion", "ftrl", "lamb", "adafactor"),
    *("clip_by_norm", "ema"),
)
WORKLOADS: list[Workload] = [
    {"name": f"{name} {size:,}", "group": f"{size:,}", "function": name, "size": size}
    for size in (100_000, 10_000_000)
    for name in NAMES
] + [
    {"name": f"muon {side} × {side}", "group": "muon", "function": "muon", "size": side * side}
    for side in (100, 500)
]


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """The update through this project's kernels."""
    import numpy as np

    from tapegrad_kernels import cpu

    name, size = workload["function"], workload["size"]
    generator = np.random.default_rng(0)
    p, g = (generator.standard_normal(size, np.float32) for _ in range(2))
    a, b, c = (np.full(size, 0.1, np.float32) for _ in range(3))
    adam = (1e-3, 0.9, 0.999, 1e-7, 10)
    side = int(size**0.5) if name == "muon" else 1000
    matrices: Any = {"offsets": (0,), "shapes": ((side, size // side),)}
    statistics = np.full(side + size // side, 0.1, np.float32)
    updates: dict[str, Callable[[], object]] = {
        "sgd": lambda: cpu.sgd_update(p, g, None, 1e-3),
        "momentum": lambda: cpu.sgd_update(p, g, a, 1e-3, 0.9),
        "adam": lambda: cpu.adam_update(p, g, a, b, *adam),
        "adamw": lambda: cpu.adam_update(p, g, a, b, *adam, weight_decay=0.01),
        "amsgrad": lambda: cpu.adam_update(p, g, a, b, *adam, c),
        "nadam": lambda: cpu.nadam_update(p, g, a, b, *adam),
        "adamax": lambda: cpu.adamax_update(p, g, a, b, *adam),
        "adagrad": lambda: cpu.adagrad_update(p, g, a, 1e-3, 1e-7),
        "adadelta": lambda: cpu.adadelta_update(p, g, a, b, 1e-3, 0.95, 1e-7),
        "rmsprop": lambda: cpu.rmsprop_update(p, g, a, None, None, 1e-3, 0.9, 1e-3),
        "rmsprop_centered": lambda: cpu.rmsprop_update(p, g, a, None, b, 1e-3, 0.9, 1e-1),
        "lion": lambda: cpu.lion_update(p, g, a, 1e-3, 0.9, 0.99),
        "ftrl": lambda: cpu.ftrl_update(p, g, a, b, 1e-3),
        "lamb": lambda: cpu.lamb_update(p, g, a, b, *adam, offsets=(0,)),
        "adafactor": lambda: cpu.adafactor_update(
            *(p, g, statistics, 1e-3, -0.8, 1e-30, 1e-3, 1.0, 10), **matrices
        ),
        "muon": lambda: cpu.muon_update(p, g, a, 1e-3, **matrices),
        "clip_by_norm": lambda: cpu.clip_by_global_norm_update(g, 1e9),
        "ema": lambda: cpu.ema_update(a, p, 0.99, 10),
    }
    return updates[name]


def _quicker(first: Callable[[], object], second: Callable[[], object]) -> Callable[[], object]:
    times = []
    for function in (first, second):
        function()
        start = time.perf_counter()
        for _ in range(3):
            function()
        times.append(time.perf_counter() - start)
    return first if times[0] <= times[1] else second


def prepare_torch(workload: Workload) -> Callable[[], object]:
    """The update in torch."""
    import torch

    name, size = workload["function"], workload["size"]
    optimizers = torch.optim
    side = int(size**0.5) if name == "muon" else 1000
    shape = (side, size // side) if name in ("muon", "adafactor") else (size,)

    def parameter() -> Any:
        made = torch.nn.Parameter(torch.randn(shape))
        made.grad = torch.randn(shape)
        return made

    if name == "clip_by_norm":
        held = parameter()
        return lambda: torch.nn.utils.clip_grad_norm_([held], 1e9)
    if name == "ema":
        average, current = torch.randn(size), torch.randn(size)
        return lambda: average.lerp_(current, 0.01)
    fused = {
        "sgd": lambda p: optimizers.SGD(p, 1e-3, fused=True),
        "momentum": lambda p: optimizers.SGD(p, 1e-3, momentum=0.9, fused=True),
        "adam": lambda p: optimizers.Adam(p, fused=True),
        "adamw": lambda p: optimizers.AdamW(p, fused=True),
        "amsgrad": lambda p: optimizers.Adam(p, amsgrad=True, fused=True),
        "adagrad": lambda p: optimizers.Adagrad(p, fused=True),
    }
    if name in fused:
        return fused[name]([parameter()]).step
    others: dict[str, Callable[..., Any]] = {
        "nadam": optimizers.NAdam,
        "adamax": optimizers.Adamax,
        "adadelta": optimizers.Adadelta,
        "rmsprop": optimizers.RMSprop,
        "rmsprop_centered": lambda p, **options: optimizers.RMSprop(p, centered=True, **options),
        "adafactor": optimizers.Adafactor,
    }
    if name == "muon" and hasattr(optimizers, "Muon"):
        return optimizers.Muon([parameter()]).step
    if name not in others:
        raise NotImplementedError(name)
    loop, foreach = (others[name]([parameter()], foreach=flag).step for flag in (False, True))
    return _quicker(loop, foreach)


CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    "torch": Contender(prepare_torch, requires=("torch",)),
}

if __name__ == "__main__":
    main("benchmarks.optimizers", CONTENDERS, WORKLOADS, ours="tapegrad")
