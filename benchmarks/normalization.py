"""Normalizations and softmax, forward and backward, against torch in both of its layouts.

Run with ``python -m benchmarks.normalization``. Both sides run recorded operations: ours on a
tape, torch's with autograd. For images torch is timed with its default layout (NCHW) and with
channels last; the better of the two is the one to compare with. SciPy has softmax alone, and
no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks._harness import Contender, Workload, main

ROWS = [(4096, 1024), (21632, 32), (256, 768), (32, 64)]
IMAGES = [(32, 26, 26, 32), (32, 7, 7, 1024), (8, 56, 56, 64)]
GROUPS = 8

_KINDS: list[tuple[str, list[tuple[int, ...]]]] = [
    ("batch_norm", [*IMAGES, (256, 768), (32, 64)]),
    ("group_norm", IMAGES),
    ("layer_norm", ROWS),
    ("rms_norm", ROWS),
    ("softmax", ROWS),
]

WORKLOADS: list[Workload] = [
    {
        "name": f"{kind} {'x'.join(map(str, shape))} {done} {dtype}",
        "group": f"{kind} {done} {dtype}",
        "kind": kind,
        "shape": shape,
        "dtype": dtype,
        "backward": done != "forward",
        "quick": shape == shapes[-1] and dtype == "float32",
    }
    for dtype in ("float32", "float64")
    for done in ("forward + backward", "forward")
    for kind, shapes in _KINDS
    for shape in shapes
    if dtype == "float32" or shape in (ROWS[0], IMAGES[0])
]


def _operands(workload: Workload) -> tuple[Any, Any, Any, Any]:
    """Numbers, the gradient by the result, factors and summands."""
    import numpy as np

    generator = np.random.default_rng(0)
    shape, dtype = workload["shape"], workload["dtype"]
    x, g = (generator.standard_normal(shape).astype(dtype) for _ in range(2))
    return x, g, np.ones(shape[-1], dtype), np.zeros(shape[-1], dtype)


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """The operations of this project, recorded on a tape."""
    import tapegrad as tg
    from tapegrad import ops

    x, g, gamma, beta = map(tg.tensor, _operands(workload))
    kind = workload["kind"]
    calls: dict[str, Callable[[], Any]] = {
        "batch_norm": lambda: ops.batch_norm(x, gamma, beta)[0],
        "group_norm": lambda: ops.group_norm(x, gamma, beta, groups=GROUPS),
        "layer_norm": lambda: ops.layer_norm(x, gamma, beta),
        "rms_norm": lambda: ops.rms_norm(x, gamma),
        "softmax": lambda: ops.softmax(x),
    }
    call = calls[kind]
    if not workload["backward"]:
        return call
    sources = {"softmax": [x], "rms_norm": [x, gamma]}.get(kind, [x, gamma, beta])

    def both() -> object:
        with tg.Tape() as tape:
            tape.watch(sources)
            y = call()
        return tape.gradient(y, sources, output_gradients=g)

    return both


def _prepare_torch(workload: Workload, channels_last: bool) -> Callable[[], object]:
    import torch

    kind = workload["kind"]
    image = len(workload["shape"]) == 4
    if not image and not channels_last:
        raise NotImplementedError("rows have one layout")
    x, g, gamma, beta = map(torch.from_numpy, _operands(workload))
    if image:
        x, g = x.permute(0, 3, 1, 2), g.permute(0, 3, 1, 2)  # channels last in memory
        if not channels_last:
            x, g = x.contiguous(), g.contiguous()
    functional = torch.nn.functional
    width = x.shape[-1:]
    calls: dict[str, Callable[[], Any]] = {
        "batch_norm": lambda: functional.batch_norm(x, None, None, gamma, beta, True, 0.1, 1e-3),
        "group_norm": lambda: functional.group_norm(x, GROUPS, gamma, beta, 1e-3),
        "layer_norm": lambda: functional.layer_norm(x, width, gamma, beta, 1e-3),
        "rms_norm": lambda: functional.rms_norm(x, width, gamma, 1e-6),
        "softmax": lambda: torch.softmax(x, -1),
    }
    call = calls[kind]
    if not workload["backward"]:
        return call
    sources = {"softmax": [x], "rms_norm": [x, gamma]}.get(kind, [x, gamma, beta])
    for source in sources:
        source.requires_grad_()
    return lambda: torch.autograd.grad(call(), sources, g)


def prepare_torch(workload: Workload) -> Callable[[], object]:
    """The functions of torch, images in the layout that it calls channels last."""
    return _prepare_torch(workload, channels_last=True)


def prepare_torch_nchw(workload: Workload) -> Callable[[], object]:
    """The functions of torch, images in its default layout."""
    return _prepare_torch(workload, channels_last=False)


def prepare_scipy(workload: Workload) -> Callable[[], object]:
    """The softmax of SciPy."""
    if workload["kind"] != "softmax" or workload["backward"]:
        raise NotImplementedError(workload["kind"])
    import scipy.special

    x = _operands(workload)[0]
    return lambda: scipy.special.softmax(x, axis=-1)


CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    "torch": Contender(prepare_torch, requires=("torch",)),
    "torch nchw": Contender(prepare_torch_nchw, requires=("torch",)),
    "scipy": Contender(prepare_scipy, requires=("scipy",)),
}

if __name__ == "__main__":
    main("benchmarks.normalization", CONTENDERS, WORKLOADS, ours="tapegrad")
