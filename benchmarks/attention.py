"""Scaled dot-product attention, forward and backward, against torch and a plain NumPy formula.

Run with ``python -m benchmarks.attention``. One batch of 8 heads with 64 features each, as
long as the workload's name says; torch runs its blocked kernel for the processor. Below the
table stands by how much the peak of resident memory grows during one forward and backward
pass over 4,096 positions, whose matrices of weights alone would take 512 MiB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks._harness import Contender, Times, Workload, main
from benchmarks.memory import peak

HEADS, FEATURES = 8, 64
LENGTHS = (256, 1024, 4096)
PASSES = ("forward", "forward + backward")

WORKLOADS: list[Workload] = [
    {
        "name": f"{done} {length}{' causal' if causal else ''} {dtype}",
        "group": f"{dtype} {done}",
        "length": length,
        "causal": causal,
        "dtype": dtype,
        "backward": done != "forward",
        "quick": length == LENGTHS[0],
    }
    for dtype in ("float32", "float64")
    for done in PASSES
    for causal in (False, True)
    for length in LENGTHS
    if dtype == "float32" or length <= 1024
]


def _operands(workload: Workload) -> list[Any]:
    """Queries, keys, values and the gradient by the result."""
    import numpy as np

    generator = np.random.default_rng(0)
    shape = (1, HEADS, workload["length"], FEATURES)
    return [generator.standard_normal(shape).astype(workload["dtype"]) for _ in range(4)]


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """Attention through this project's kernels."""
    from tapegrad_kernels import cpu

    q, k, v, g = _operands(workload)
    causal = workload["causal"]
    if not workload["backward"]:
        return lambda: cpu.attention(q, k, v, causal=causal)

    def both() -> object:
        out, logsumexp = cpu.attention(q, k, v, causal=causal)
        return cpu.attention_grad(g, 0.0, q, k, v, out, logsumexp, causal=causal)

    return both


def prepare_torch(workload: Workload) -> Callable[[], object]:
    """The fused function of torch, and its gradients by queries, keys and values."""
    import torch

    q, k, v, g = map(torch.from_numpy, _operands(workload))
    attend = torch.nn.functional.scaled_dot_product_attention
    causal = workload["causal"]
    if not workload["backward"]:
        return lambda: attend(q, k, v, is_causal=causal)
    inputs = [x.requires_grad_() for x in (q, k, v)]
    return lambda: torch.autograd.grad(attend(q, k, v, is_causal=causal), inputs, g)


def prepare_numpy(workload: Workload) -> Callable[[], object]:
    """The formula with the whole matrix of scores."""
    import numpy as np

    if workload["length"] > 1024:
        raise NotImplementedError("would need gigabytes")
    q, k, v, g = _operands(workload)
    scale = FEATURES**-0.5
    length = workload["length"]
    hidden = np.where(np.tri(length, dtype=bool), 0, -np.inf).astype(q.dtype)

    def both() -> object:
        scores = q @ np.swapaxes(k, -1, -2) * scale
        if workload["causal"]:
            scores += hidden
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        out = weights @ v
        if not workload["backward"]:
            return out
        slopes = g @ np.swapaxes(v, -1, -2) - (g * out).sum(-1, keepdims=True)
        slopes *= weights * scale
        return slopes @ k, np.swapaxes(slopes, -1, -2) @ q, np.swapaxes(weights, -1, -2) @ g

    return both


CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    "torch": Contender(prepare_torch, requires=("torch",)),
    "numpy": Contender(prepare_numpy, requires=("numpy",)),
}


def growth(name: str) -> int:
    """Bytes by which the peak of this process grows in a pass over 4,096 positions."""
    workload = {"causal": False, "dtype": "float32", "backward": True}
    prepare = CONTENDERS[name].prepare
    prepare({**workload, "length": 64})()
    run = prepare({**workload, "length": LENGTHS[-1]})
    before = peak()
    run()
    return peak() - before


def conclude(results: Sequence[tuple[Workload, Times]]) -> list[str]:
    """Lines about memory, if the longest workload was among those timed."""
    names = {name for w, t in results if w["length"] == LENGTHS[-1] for name in t}
    root = Path(__file__).resolve().parent.parent
    paths = [str(root), str(root / "kernels"), os.environ.get("PYTHONPATH", "")]
    lines = []
    for name in CONTENDERS:
        if name in names and name != "numpy":
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.attention", "--growth", name],
                cwd=root,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            mebi = json.loads(done.stdout) / 1024**2
            lines.append(f"{name}: the peak of memory grows by {mebi:.1f} MiB")
    return lines


if __name__ == "__main__":
    if sys.argv[1:2] == ["--growth"]:
        print(growth(sys.argv[2]))
    else:
        main("benchmarks.attention", CONTENDERS, WORKLOADS, conclude=conclude)
