"""Matrix products against OpenBLAS (NumPy) and MKL (torch).

Run with ``python -m benchmarks.gemm``. Sizes are M×N×K: the result is M×N. The
layouts say which operand is stored transposed: NT is a forward or input-gradient
product, TN a weight gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks._harness import Contender, Workload, main

SHAPES = [
    (1024, 1024, 1024),
    (512, 512, 512),
    (256, 256, 256),
    (128, 128, 128),
    (64, 64, 64),
    (32, 64, 784),
    (32, 784, 64),
    (32, 64, 64),
    (256, 512, 784),
    (256, 784, 512),
    (128, 2048, 2048),
]


def _workloads() -> list[Workload]:
    return [
        {
            "name": f"{dtype} {m}×{n}×{k} {layout}",
            "group": dtype,
            "m": m,
            "n": n,
            "k": k,
            "layout": layout,
            "dtype": dtype,
        }
        for dtype in ("float32", "float64")
        for m, n, k in SHAPES
        for layout in ("NN", "NT", "TN")
    ]


WORKLOADS = _workloads()


def _operands(workload: Workload) -> tuple[Any, Any, bool, bool]:
    import numpy as np

    m, n, k = workload["m"], workload["n"], workload["k"]
    transpose_a, transpose_b = (letter == "T" for letter in workload["layout"])
    generator = np.random.default_rng(0)
    a = generator.standard_normal((k, m) if transpose_a else (m, k)).astype(workload["dtype"])
    b = generator.standard_normal((n, k) if transpose_b else (k, n)).astype(workload["dtype"])
    return a, b, transpose_a, transpose_b


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """The product through this project's kernels."""
    from tapegrad_kernels.cpu import gemm

    a, b, transpose_a, transpose_b = _operands(workload)
    return lambda: gemm(a, b, transpose_a=transpose_a, transpose_b=transpose_b)


def prepare_openblas(workload: Workload) -> Callable[[], object]:
    """The product through NumPy, whose wheels bring OpenBLAS."""
    a, b, transpose_a, transpose_b = _operands(workload)
    left, right = a.T if transpose_a else a, b.T if transpose_b else b
    return lambda: left @ right


def prepare_torch(workload: Workload) -> Callable[[], object]:
    """The product through torch, whose wheels bring MKL."""
    import torch

    a, b, transpose_a, transpose_b = _operands(workload)
    a, b = torch.from_numpy(a), torch.from_numpy(b)
    left, right = a.T if transpose_a else a, b.T if transpose_b else b
    return lambda: left @ right


CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    "openblas": Contender(prepare_openblas, requires=("numpy",)),
    "torch": Contender(prepare_torch, requires=("torch",)),
}

if __name__ == "__main__":
    main("benchmarks.gemm", CONTENDERS, WORKLOADS)
