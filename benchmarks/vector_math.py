"""Elementwise functions, reductions, softmax, updates and random numbers against NumPy and torch.

Run with ``python -m benchmarks.vector_math``. A size of 16 shows what a call costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks._harness import Contender, Workload, main

UNARY = ("exp", "log", "tanh", "sigmoid", "softplus", "erf", "gelu", "gelu_tanh", "relu")
OTHERS = ("sum", "sum_columns", "max", "softmax", "cross_entropy", "adam", "normal")
SIZES = (16, 10_000, 1_000_000)

WORKLOADS: list[Workload] = [
    {"name": f"{name} {size:,} {dtype}", "group": f"{dtype} {size:,}", "function": name}
    | {"size": size, "dtype": dtype}
    for dtype in ("float32", "float64")
    for size in SIZES
    for name in UNARY + OTHERS
]


def _operand(workload: Workload) -> Any:
    """Positive numbers for log, a table with 100 columns for what works on rows."""
    import numpy as np

    x = 3 * np.random.default_rng(0).standard_normal(workload["size"])
    if workload["function"] == "log":
        x = np.abs(x)
    if workload["function"] in ("sum_columns", "softmax", "cross_entropy"):
        x = x[: x.size // 4 * 4].reshape(-1, min(100, x.size // 4))
    return x.astype(workload["dtype"])


def _labels(x: Any) -> Any:
    import numpy as np

    return np.arange(x.shape[0]) % x.shape[1]


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """The function through this project's kernels."""
    import numpy as np

    from tapegrad_kernels import cpu

    name, x = workload["function"], _operand(workload)
    if name == "gelu_tanh":
        return lambda: cpu.gelu(x, approximate=True)
    if name == "sum_columns":
        return lambda: cpu.sum(x, axis=0)
    if name == "cross_entropy":
        labels = _labels(x)
        return lambda: cpu.softmax_cross_entropy(x, labels)
    if name == "adam":
        g, m, v = x / 2, np.zeros_like(x), np.zeros_like(x)
        return lambda: cpu.adam_update(x, g, m, v, 1e-3, 0.9, 0.999, 1e-7, 10)
    if name == "normal":
        return lambda: cpu.random_normal(1, 2, shape=x.shape, dtype=x.dtype)
    function = getattr(cpu, name)
    return lambda: function(x)


def prepare_numpy(workload: Workload) -> Callable[[], object]:
    """The function in NumPy, written as one would."""
    import numpy as np

    name, x = workload["function"], _operand(workload)
    if name == "sigmoid":
        return lambda: 1 / (1 + np.exp(-x))
    if name == "softplus":
        return lambda: np.logaddexp(0, x)
    if name == "relu":
        return lambda: np.maximum(x, 0)
    if name == "gelu_tanh":
        scale = float(np.sqrt(2 / np.pi))
        return lambda: 0.5 * x * (1 + np.tanh(scale * (x + 0.044715 * (x * x * x))))
    if name == "sum_columns":
        return lambda: np.sum(x, axis=0)
    if name == "softmax":

        def softmax() -> object:
            y = np.exp(x - x.max(-1, keepdims=True))
            return y / y.sum(-1, keepdims=True)

        return softmax
    if name == "normal":
        generator = np.random.default_rng(0)
        return lambda: generator.standard_normal(x.shape, x.dtype)
    if name in ("exp", "log", "tanh", "sum", "max"):
        function = getattr(np, name)
        return lambda: function(x)
    raise NotImplementedError(name)


def prepare_torch(workload: Workload) -> Callable[[], object]:
    """The function in torch, eagerly."""
    import torch

    name, array = workload["function"], _operand(workload)
    x = torch.from_numpy(array)
    functional = torch.nn.functional
    if name == "gelu_tanh":
        return lambda: functional.gelu(x, approximate="tanh")
    if name == "sum_columns":
        return lambda: torch.sum(x, 0)
    if name == "softmax":
        return lambda: torch.softmax(x, -1)
    if name == "cross_entropy":
        labels = torch.from_numpy(_labels(array))
        return lambda: functional.cross_entropy(x, labels, reduction="none")
    if name == "adam":
        parameter = torch.nn.Parameter(x)
        parameter.grad = x / 2
        optimizer = torch.optim.Adam([parameter], fused=True)
        return optimizer.step
    if name == "normal":
        return lambda: torch.randn(x.shape, dtype=x.dtype)
    if name in ("gelu", "softplus"):
        activation = getattr(functional, name)
        return lambda: activation(x)
    function = getattr(torch, name)
    return lambda: function(x)


CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    "numpy": Contender(prepare_numpy, requires=("numpy",)),
    "torch": Contender(prepare_torch, requires=("torch",)),
}

if __name__ == "__main__":
    main("benchmarks.vector_math", CONTENDERS, WORKLOADS, ours="tapegrad")
