"""Depthwise convolution, pooling and upsampling, forward and backward, against torch.

Run with ``python -m benchmarks.windows``. Torch computes in its own layout (NCHW) and in
channels-last; both are shown, and the faster one is the peer to compare with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks._harness import Contender, Workload, main

Calls = tuple[Callable[[], object], ...]

# batch, height, width, channels, window, stride; padding keeps the size
_FILTERED = ((8, 56, 56, 128, 3, 1), (8, 56, 56, 128, 3, 2), (32, 28, 28, 64, 5, 1))
# batch, height, width, channels, window, stride; no padding
_POOLED = ((32, 26, 26, 32, 2, 2), (32, 26, 26, 32, 3, 2), (32, 26, 26, 32, 3, 1))
# batch, height, width, channels, factor
_ENLARGED = ((16, 28, 28, 64, 2),)


def _workloads() -> list[Workload]:
    found: list[Workload] = []
    for direction in ("forward", "input gradient", "kernel gradient"):
        for n, h, w, c, k, s in _FILTERED:
            name = f"depthwise {direction} {n}×{h}×{w}×{c} {k}×{k}" + (f" stride {s}" * (s > 1))
            found.append(
                {"name": name, "group": f"depthwise {direction}", "shape": (n, h, w, c, k, s)}
            )
    for kind in ("max-pool", "average-pool"):
        for n, h, w, c, k, s in _POOLED:
            name = f"{kind} {n}×{h}×{w}×{c} {k}×{k} stride {s}, forward and backward"
            found.append({"name": name, "group": kind, "shape": (n, h, w, c, k, s)})
    for kind in ("nearest", "bilinear"):
        for n, h, w, c, f in _ENLARGED:
            name = f"{kind} upsampling {n}×{h}×{w}×{c} by {f}, forward and backward"
            found.append({"name": name, "group": f"{kind} upsampling", "shape": (n, h, w, c, f)})
    return found


WORKLOADS = _workloads()


def _images(workload: Workload) -> Any:
    import numpy as np

    shape = tuple(workload["shape"][:4])
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _one_after_the_other(calls: Calls) -> Callable[[], object]:
    def run() -> None:
        for call in calls:
            call()

    return calls[0] if len(calls) == 1 else run


def _ours(workload: Workload) -> Calls:
    import numpy as np

    from tapegrad_kernels import cpu

    x, group = _images(workload), workload["group"]
    if group.endswith("upsampling"):
        how = {"size": workload["shape"][4], "interpolation": group.split()[0]}
        y = cpu.upsample2d(x, **how)
        return (lambda: cpu.upsample2d(x, **how), lambda: cpu.upsample2d_grad(y, **how))
    window, stride = workload["shape"][4:]
    if group.endswith("pool"):
        how = {"pool_size": window, "strides": stride}
        y, places = cpu.max_pool2d(x, **how)
        if group == "max-pool":
            return (
                lambda: cpu.max_pool2d(x, **how),
                lambda: cpu.max_pool2d_grad(y, places, x_shape=x.shape, **how),
            )
        return (
            lambda: cpu.avg_pool2d(x, **how),
            lambda: cpu.avg_pool2d_grad(y, x_shape=x.shape, **how),
        )
    w = np.random.default_rng(1).standard_normal((window, window, x.shape[3], 1), np.float32)
    side = (window // 2, window // 2)
    how = {"strides": stride, "padding": (side, side)}
    y = cpu.depthwise_conv2d(x, w, **how)
    if group == "depthwise forward":
        return (lambda: cpu.depthwise_conv2d(x, w, **how),)
    if group == "depthwise input gradient":
        return (lambda: cpu.depthwise_conv2d_input_grad(y, w, x_shape=x.shape, **how),)
    return (lambda: cpu.depthwise_conv2d_kernel_grad(x, y, w_shape=w.shape, **how),)


def _torchs(workload: Workload, layout: str) -> Calls:
    import torch

    torch.set_grad_enabled(False)
    functional, aten = torch.nn.functional, torch.ops.aten
    memory_format = getattr(torch, layout)
    group = workload["group"]
    x = torch.from_numpy(_images(workload)).permute(0, 3, 1, 2)
    x = x.contiguous(memory_format=memory_format)
    if group.endswith("upsampling"):
        factor, mode = workload["shape"][4], group.split()[0]
        size = [factor * x.shape[2], factor * x.shape[3]]
        if mode == "nearest":
            y = aten.upsample_nearest2d(x, size)
            return (
                lambda: aten.upsample_nearest2d(x, size),
                lambda: aten.upsample_nearest2d_backward(y, size, list(x.shape)),
            )
        y = aten.upsample_bilinear2d(x, size, False)
        return (
            lambda: aten.upsample_bilinear2d(x, size, False),
            lambda: aten.upsample_bilinear2d_backward(y, size, list(x.shape), False),
        )
    window, stride = workload["shape"][4:]
    k, s = [window] * 2, [stride] * 2
    if group == "max-pool":
        y, places = functional.max_pool2d(x, window, stride, return_indices=True)
        backward = aten.max_pool2d_with_indices_backward
        return (
            lambda: functional.max_pool2d(x, window, stride, return_indices=True),
            lambda: backward(y, x, k, s, [0, 0], [1, 1], False, places),
        )
    if group == "average-pool":
        y = functional.avg_pool2d(x, window, stride)
        return (
            lambda: functional.avg_pool2d(x, window, stride),
            lambda: aten.avg_pool2d_backward(y, x, k, s, [0, 0], False, True, None),
        )
    channels, pad = x.shape[1], window // 2
    w = torch.randn(channels, 1, window, window).contiguous(memory_format=memory_format)
    y = functional.conv2d(x, w, None, stride, pad, 1, channels)
    if group == "depthwise forward":
        return (lambda: functional.conv2d(x, w, None, stride, pad, 1, channels),)
    wanted = [group == "depthwise input gradient", group == "depthwise kernel gradient", False]
    return (
        lambda: aten.convolution_backward(
            y, x, w, None, s, [pad, pad], [1, 1], False, [0, 0], channels, wanted
        ),
    )


CONTENDERS = {
    "tapegrad": Contender(lambda w: _one_after_the_other(_ours(w)), requires=("numba",)),
    "torch": Contender(
        lambda w: _one_after_the_other(_torchs(w, "contiguous_format")), requires=("torch",)
    ),
    "torch channels-last": Contender(
        lambda w: _one_after_the_other(_torchs(w, "channels_last")), requires=("torch",)
    ),
}

if __name__ == "__main__":
    main("benchmarks.windows", CONTENDERS, WORKLOADS, ours="tapegrad")
