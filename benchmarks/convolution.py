"""Convolutions, forward and both gradients, against torch.

Run with ``python -m benchmarks.convolution``. Torch computes in its own layout (NCHW) and in
channels-last; the faster of the two stands for it, chosen for each workload.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks._harness import Contender, Workload, main

PASSES = ("forward", "kernel gradient", "input gradient")

# batch, height, width, channels, filters, window, stride, padding
SHAPES = (
    (32, 28, 28, 1, 32, 3, 1, "valid"),
    (32, 13, 13, 32, 64, 3, 1, "valid"),
    (32, 5, 5, 64, 64, 3, 1, "valid"),
    (16, 32, 32, 64, 128, 3, 1, "same"),
    (8, 56, 56, 64, 64, 3, 1, "same"),
    (16, 32, 32, 64, 128, 3, 2, "same"),
    (8, 56, 56, 64, 64, 3, 2, "same"),
    (8, 56, 56, 64, 128, 1, 1, "valid"),
    (8, 28, 28, 128, 128, 1, 2, "valid"),
)


def _name(shape: tuple[Any, ...]) -> str:
    n, h, w, c, o, k, s, padding = shape
    return f"{n}×{h}×{w}×{c}→{o} {k}×{k}" + (f" stride {s}" if s > 1 else "") + f" {padding}"


WORKLOADS: list[Workload] = [
    {"name": f"{direction} {_name(shape)}", "group": direction, "shape": list(shape)}
    for direction in PASSES
    for shape in SHAPES
]


def _operands(workload: Workload) -> tuple[Any, Any]:
    import numpy as np

    n, h, w, c, o, k, _, _ = workload["shape"]
    generator = np.random.default_rng(0)
    x = generator.standard_normal((n, h, w, c)).astype(np.float32)
    return x, generator.standard_normal((k, k, c, o)).astype(np.float32)


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """Kernels of tapegrad."""
    from tapegrad_kernels import cpu

    x, w = _operands(workload)
    stride, padding = workload["shape"][6:]
    y = cpu.conv2d(x, w, strides=stride, padding=padding)
    if workload["group"] == "forward":
        return lambda: cpu.conv2d(x, w, strides=stride, padding=padding)
    if workload["group"] == "kernel gradient":
        return lambda: cpu.conv2d_kernel_grad(x, y, w.shape, strides=stride, padding=padding)
    return lambda: cpu.conv2d_input_grad(y, w, x.shape, strides=stride, padding=padding)


def prepare_torch(workload: Workload) -> Callable[[], object]:
    """Torch in the faster of its two layouts."""
    import torch

    candidates = [
        _torch_in_layout(workload, layout)
        for layout in (torch.contiguous_format, torch.channels_last)
    ]
    return min(candidates, key=_shortest_time)


def _shortest_time(function: Callable[[], object]) -> float:
    function()
    times = []
    for _ in range(7):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def _torch_in_layout(workload: Workload, layout: Any) -> Callable[[], object]:
    import torch

    functional = torch.nn.functional
    k, stride, padding = workload["shape"][5:]
    image, weights = _operands(workload)
    x = torch.from_numpy(image).permute(0, 3, 1, 2)
    pad = k // 2 if padding == "same" else 0
    if pad and stride == 2:  # even sizes: the one zero lies at the end
        x, pad = functional.pad(x, (0, 1, 0, 1)), 0
    x = x.contiguous(memory_format=layout)
    w = torch.from_numpy(weights).permute(3, 2, 0, 1).contiguous(memory_format=layout)
    torch.set_grad_enabled(False)
    y = functional.conv2d(x, w, stride=stride, padding=pad)
    if workload["group"] == "forward":
        return lambda: functional.conv2d(x, w, stride=stride, padding=pad)
    wanted = [workload["group"] == "input gradient", workload["group"] == "kernel gradient", False]
    backward = torch.ops.aten.convolution_backward
    return lambda: backward(
        y, x, w, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1, wanted
    )


CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    "torch": Contender(prepare_torch, requires=("torch",)),
}

if __name__ == "__main__":
    main("benchmarks.convolution", CONTENDERS, WORKLOADS, rounds=15, seconds=0.03)
