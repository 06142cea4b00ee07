"""Recurrent networks over sequences against torch, forward and forward with all gradients.

Run with ``python -m benchmarks.recurrent``. torch is given the batch first and time first and
keeps whichever is quicker.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks._harness import Contender, Workload, main

SHAPES = ((32, 28, 28, 128), (32, 100, 64, 128), (8, 20, 16, 20))
"""Batch, steps, features, units."""
CELLS = {"lstm": 4, "gru": 3, "simple_rnn": 1}
"""Gates of each network."""

WORKLOADS: list[Workload] = [
    {"name": f"{cell} {b}x{t}x{f} to {units} {task}", "group": f"{cell} {task}", "cell": cell}
    | {"shape": [b, t, f, units], "task": task, "quick": b == 8}
    for cell in CELLS
    for task in ("forward", "forward + backward")
    for b, t, f, units in SHAPES
]


def _arrays(workload: Workload) -> dict[str, Any]:
    import numpy as np

    batch, steps, features, units = workload["shape"]
    gates = CELLS[workload["cell"]]
    generator = np.random.default_rng(0)

    def draw(*shape: int, scale: float = 1.0) -> Any:
        return generator.normal(scale=scale, size=shape).astype(np.float32)

    bias = (2, gates * units) if workload["cell"] == "gru" else (gates * units,)
    return {
        "x": draw(batch, steps, features),
        "w": draw(features, gates * units, scale=features**-0.5),
        "u": draw(units, gates * units, scale=units**-0.5),
        "b": draw(*bias, scale=0.1),
        "g": draw(batch, steps, units),
    }


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """One kernel call forward and one backward."""
    from tapegrad_kernels import cpu

    arrays = _arrays(workload)
    g = arrays.pop("g")
    arguments = tuple(arrays.values())
    forward = getattr(cpu, f"{workload['cell']}_forward")
    if workload["task"] == "forward":
        return lambda: forward(*arguments)
    backward = getattr(cpu, f"{workload['cell']}_backward")
    nothing = (None,) * (4 if workload["cell"] == "lstm" else 3)

    def both() -> object:
        outputs, _, *kept = forward(*arguments)
        return backward(*arguments, *nothing, outputs, *kept, g)

    return both


def prepare_torch(workload: Workload) -> Callable[[], object]:
    """Torch's module, eagerly, in the quicker of its two layouts."""
    calls = [_torch_call(workload, batch_first) for batch_first in (True, False)]
    return min(calls, key=_shortest)


def _torch_call(workload: Workload, batch_first: bool) -> Callable[[], object]:
    import torch

    _, _, features, units = workload["shape"]
    kinds = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple_rnn": torch.nn.RNN}
    module = kinds[workload["cell"]](features, units, batch_first=batch_first)
    arrays = _arrays(workload)
    x, g = (torch.from_numpy(arrays[name]) for name in ("x", "g"))
    if not batch_first:
        x, g = x.transpose(0, 1).contiguous(), g.transpose(0, 1).contiguous()
    if workload["task"] == "forward":

        def forward() -> object:
            with torch.no_grad():
                return module(x)

        return forward
    x.requires_grad_()

    def both() -> object:
        module.zero_grad()
        x.grad = None
        module(x)[0].backward(g)
        return x.grad

    return both


def _shortest(call: Callable[[], object]) -> float:
    times = []
    for _ in range(12):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    "torch": Contender(prepare_torch, requires=("torch",)),
}

if __name__ == "__main__":
    main("benchmarks.recurrent", CONTENDERS, WORKLOADS, ours="tapegrad")
