"""Indexing, ordering and running operations, large enough for many threads."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels import cpu


def results() -> dict[str, list[np.ndarray]]:
    """Return what each kernel computes, by its public name."""
    found: dict[str, list[np.ndarray]] = {}
    for dtype in (np.float32, np.float64):
        generator = np.random.default_rng(0)
        table = generator.normal(size=(3000, 40)).astype(dtype)
        line = generator.normal(size=70_003).astype(dtype)
        ids = generator.integers(0, 300, 3000)
        few = generator.integers(0, 40, (3000, 20))
        y = cpu.logsumexp(table, axis=1, keepdims=True)
        z = cpu.logsumexp(table, axis=0, keepdims=True)
        computed = {
            "gather": [cpu.gather(table, ids), cpu.gather(line, np.tile(ids, 30))],
            "scatter_add": [
                cpu.scatter_add(table, ids, rows=300),
                cpu.scatter_add(table[:, 0], ids, rows=300),
            ],
            "index_add": [cpu.index_add(table, index=ids - 5, shape=(300, 40))],
            "gather_along_axis": [cpu.gather_along_axis(table, few, axis=1)],
            "scatter_along_axis": [cpu.scatter_along_axis(table[:, :20], few, axis=1, length=40)],
            "one_hot": [cpu.one_hot(np.tile(ids, 10), depth=5, dtype=dtype)],
            "bincount": [cpu.bincount(ids, length=300)],
            "argsort": [cpu.argsort(table), cpu.argsort(line, descending=True)],
            "sort": [cpu.sort(table), cpu.sort(line)],
            "top_k": [*cpu.top_k(table, k=3), *cpu.top_k(table, k=30)],
            "cumsum": [
                *(cpu.cumsum(table, axis=axis) for axis in (0, 1)),
                cpu.cumsum(line, reverse=True),
            ],
            "cumprod": [cpu.cumprod(table, axis=1)],
            "cummax": [*cpu.cummax(table, axis=1)],
            "cummin": [*cpu.cummin(table, axis=0)],
            "logcumsumexp": [cpu.logcumsumexp(table, axis=1)],
            "linear_scan": [cpu.linear_scan(table, table, axis=1)],
            "logsumexp": [y, z, cpu.logsumexp(line), cpu.logsumexp(table.T.copy(), axis=1)],
            "logsumexp_grad": [
                cpu.logsumexp_grad(y, table, y, axis=1),
                cpu.logsumexp_grad(z, table, z, axis=0),
            ],
        }
        for name in ("sum", "max", "min", "prod"):
            kernel = getattr(cpu, f"segment_{name}")
            computed[f"segment_{name}"] = [kernel(table, ids, num_segments=301)]
        for name, arrays in computed.items():
            found.setdefault(name, []).extend(arrays)
    return found
