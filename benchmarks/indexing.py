"""Rows by index, sums by index, ordering and running operations against torch, NumPy and SciPy.

Run with ``python -m benchmarks.indexing``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks._harness import Contender, Workload, main


def _workload(function: str, shape: tuple[int, ...], **options: Any) -> Workload:
    sizes = " × ".join(f"{n:,}" for n in shape)
    settings = "".join(f" {key} {value:,}" for key, value in options.items())
    name = f"{function} {sizes}{settings}"
    return {"name": name, "group": function.split(" ")[0], "function": function} | {
        "shape": shape,
        "options": options,
    }


WORKLOADS: list[Workload] = [
    *(
        _workload(function, (rows, width), indices=count)
        for function in ("gather", "scatter_add", "segment_sum")
        for rows, width, count in [
            (50_000, 64, 32_768),
            (1_000, 128, 32_768),
            (100, 16, 100_000),
            (10_000, 1, 1_000_000),
        ]
    ),
    _workload("one_hot", (10_000,), depth=100),
    *(
        _workload("top_k", shape, k=k)
        for shape in [(1_000_000,), (4096, 100), (64, 10_000)]
        for k in (1, 10)
    ),
    *(
        _workload(function, shape)
        for function in ("argsort", "sort")
        for shape in [(1_000_000,), (4096, 100), (64, 10_000)]
    ),
    *(
        _workload(function, shape, axis=axis)
        for function in ("cumsum", "cumprod", "cummax", "logcumsumexp")
        for shape, axis in [((1_000_000,), 0), ((4096, 100), 1), ((1000, 1000), 0)]
    ),
    *(
        _workload(function, shape, axis=axis)
        for function in ("logsumexp", "logsumexp_gradient")
        for shape, axis in [
            ((1_000_000,), 0),
            ((10_000, 100), 1),
            ((1000, 1000), 0),
            ((100_000, 10), 0),
        ]
    ),
]

_BY_ROWS = ("gather", "scatter_add", "segment_sum")


def _operands(workload: Workload) -> tuple[Any, Any]:
    """The array, and indices of its rows where they are wanted."""
    import numpy as np

    generator = np.random.default_rng(0)
    shape, options = workload["shape"], workload["options"]
    if workload["function"] == "one_hot":
        return None, generator.integers(0, options["depth"], shape)
    if workload["function"] not in _BY_ROWS:
        return generator.standard_normal(shape, np.float32), None
    indices = generator.integers(0, shape[0], options["indices"])
    if workload["function"] == "gather":
        return generator.standard_normal(shape, np.float32), indices
    return generator.standard_normal((len(indices), shape[1]), np.float32), indices


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """The function through this project's kernels."""
    from tapegrad_kernels import cpu

    x, indices = _operands(workload)
    name, options, rows = workload["function"], workload["options"], workload["shape"][0]
    if name == "gather":
        return lambda: cpu.gather(x, indices)
    if name == "scatter_add":
        return lambda: cpu.scatter_add(x, indices, rows=rows)
    if name == "segment_sum":
        return lambda: cpu.segment_sum(x, indices, num_segments=rows)
    if name == "one_hot":
        return lambda: cpu.one_hot(indices, depth=options["depth"], dtype="float32")
    if name == "logsumexp_gradient":
        y = cpu.logsumexp(x, keepdims=True, **options)
        return lambda: cpu.logsumexp_grad(y, x, y, **options)
    function = getattr(cpu, name)
    return lambda: function(x, **options)


def prepare_numpy(workload: Workload) -> Callable[[], object]:
    """The function in NumPy or SciPy."""
    import numpy as np

    x, indices = _operands(workload)
    name, options, shape = workload["function"], workload["options"], workload["shape"]
    if name == "gather":
        return lambda: np.take(x, indices, axis=0)
    if name in ("scatter_add", "segment_sum"):

        def add() -> object:
            y = np.zeros(shape, np.float32)
            np.add.at(y, indices, x)
            return y

        return add
    if name == "one_hot":
        return lambda: np.eye(options["depth"], dtype=np.float32)[indices]
    if name == "top_k":
        k = options["k"]
        return lambda: np.sort(np.partition(x, -k, axis=-1)[..., -k:], axis=-1)
    if name == "argsort":
        return lambda: np.argsort(x, axis=-1, kind="stable")
    if name == "sort":
        return lambda: np.sort(x, axis=-1)
    if name == "logsumexp":
        from scipy.special import logsumexp

        return lambda: logsumexp(x, **options)
    accumulate = {
        "cumsum": np.add,
        "cumprod": np.multiply,
        "cummax": np.maximum,
        "logcumsumexp": np.logaddexp,
    }
    if name not in accumulate:
        raise NotImplementedError(name)
    return lambda: accumulate[name].accumulate(x, **options)


def prepare_torch(workload: Workload) -> Callable[[], object]:
    """The function in torch, the quicker one where it has two."""
    import torch

    array, numbers = _operands(workload)
    name, options, shape = workload["function"], workload["options"], workload["shape"]
    if name == "one_hot":
        labels, depth = torch.from_numpy(numbers), options["depth"]
        return lambda: torch.nn.functional.one_hot(labels, depth).float()
    x = torch.from_numpy(array)
    if name in _BY_ROWS:
        indices = torch.from_numpy(numbers)
        if name == "gather":
            return lambda: torch.nn.functional.embedding(indices, x)
        return lambda: torch.zeros(shape).index_add_(0, indices, x)
    if name == "top_k":
        return lambda: torch.topk(x, options["k"])
    if name == "argsort":
        return lambda: torch.argsort(x, dim=-1, stable=True)
    if name == "sort":
        return lambda: torch.sort(x, dim=-1)
    axis = options["axis"]
    if name == "logsumexp_gradient":
        x.requires_grad_()
        y = torch.logsumexp(x, axis)
        seed = y.detach()
        return lambda: torch.autograd.grad(y, x, seed, retain_graph=True)
    function = getattr(torch, name)
    return lambda: function(x, axis)


CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    "numpy": Contender(prepare_numpy, requires=("numpy", "scipy")),
    "torch": Contender(prepare_torch, requires=("torch",)),
}

if __name__ == "__main__":
    main("benchmarks.indexing", CONTENDERS, WORKLOADS, ours="tapegrad")
