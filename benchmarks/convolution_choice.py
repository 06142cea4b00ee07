"""How near the cost rule of convolutions comes to the fastest of their algorithms.

Run with ``python -m benchmarks.convolution_choice``. One thread, one process: the algorithms
take turns, and the table gives each one's time over that of the fastest. The chosen one is
in brackets; what it loses against the fastest is summed up at the end.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ["NUMBA_NUM_THREADS"] = "1"

import numpy as np

from tapegrad_kernels.cpu import _memory
from tapegrad_kernels.cpu.convolution import plan as p
from tapegrad_kernels.cpu.convolution.geometry import make_window

# batch, height, width, channels, filters, window, stride, padding
SHAPES = (
    (32, 28, 28, 1, 32, 3, 1, "valid"),
    (32, 13, 13, 32, 64, 3, 1, "valid"),
    (32, 5, 5, 64, 64, 3, 1, "valid"),
    (4, 32, 32, 64, 128, 3, 1, "same"),
    (4, 56, 56, 64, 64, 3, 2, "same"),
    (16, 7, 7, 64, 64, 3, 1, "same"),
    (16, 8, 8, 32, 32, 3, 1, "same"),
    (16, 14, 14, 32, 128, 3, 1, "same"),
    (8, 28, 28, 3, 32, 5, 1, "same"),
    (8, 28, 28, 16, 16, 3, 1, "same"),
    (8, 33, 33, 8, 64, 7, 4, "valid"),
    (64, 4, 4, 128, 128, 2, 1, "valid"),
    (8, 1, 200, 32, 64, (1, 9), 1, "same"),
    (8, 15, 15, 64, 32, 5, 1, "valid"),
    (64, 3, 3, 64, 64, 3, 1, "valid"),
    (64, 4, 4, 64, 32, 3, 1, "valid"),
    (64, 3, 3, 32, 128, 3, 2, "same"),
)

KINDS: dict[str, tuple[Callable[..., p.Plan], tuple[str, ...]]] = {
    "forward": (p.plan_forward, (p.IN_PLACE, p.GATHERED)),
    "input gradient": (p.plan_input_grad, (p.IN_PLACE, p.GATHERED, p.SCATTERED)),
    "kernel gradient": (p.plan_kernel_grad, (p.IN_PLACE, p.PADDED, p.BY_PLACE, p.GATHERED)),
}


Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


def _arrays(kind: str, window: Any) -> Arrays:
    g = np.random.default_rng(0)
    shapes = (window.x_shape, window.w_shape, window.y_shape)
    x, w, y = (g.standard_normal(shape).astype(np.float32) for shape in shapes)
    return {"forward": (x, w, y), "input gradient": (y, w, x), "kernel gradient": (x, y, w)}[kind]


def _time(plan: p.Plan, arrays: Arrays) -> float:
    loan = _memory.borrow(plan.workspace_bytes)
    plan.call(plan.record, *arrays, plan.no_bias, 0, loan[0])
    start = time.thread_time()
    plan.call(plan.record, *arrays, plan.no_bias, 0, loan[0])
    spent = time.thread_time() - start
    _memory.give_back(loan)
    return spent


def _compare(kind: str, shape: tuple[Any, ...], rounds: int) -> tuple[str, float] | None:
    """A row of the table, and what the chosen algorithm loses."""
    n, h, w, c, o, k, stride, padding = shape
    kernel = k if isinstance(k, tuple) else (k, k)
    window = make_window(kind, (n, h, w, c), (*kernel, c, o), stride, padding, 1, 1)
    planner, names = KINDS[kind]
    plans = {name: planner(window, "float32", name) for name in names}
    distinct = {plan.record.tobytes(): name for name, plan in plans.items()}
    if len(distinct) < 2:
        return None  # there is nothing to choose
    arrays = _arrays(kind, window)
    times: dict[str, list[float]] = {name: [] for name in distinct.values()}
    for _ in range(rounds):
        for name, found in times.items():
            found.append(_time(plans[name], arrays))
    best = {name: min(found) for name, found in times.items()}
    fastest = min(best.values())
    chosen = distinct[planner(window, "float32").record.tobytes()]
    cells = []
    for name in names:
        cell = f"{best[name] / fastest:.2f}" if name in best else ""
        cells.append(f"[{cell}]" if name == chosen else cell)
    label = f"{n}×{h}×{w}×{c}→{o} {kernel[0]}×{kernel[1]} stride {stride} {padding}"
    row = f"| {label} | {fastest * 1e6:.0f} µs | " + " | ".join(cells) + " |"
    return row, best[chosen] / fastest


def main() -> None:
    """Print a table for each kind of call."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolution_choice")
    parser.add_argument("--rounds", type=int, default=30, help="(%(default)s)")
    parser.add_argument("--quick", action="store_true", help="see that it works, measure little")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    for kind, (_, names) in KINDS.items():
        print(f"\n| {kind} | fastest | " + " | ".join(names) + " |")
        print("|" + " --- |" * (2 + len(names)))
        losses = []
        for shape in SHAPES:
            row = _compare(kind, shape, rounds)
            if row is not None:
                print(row[0], flush=True)
                losses.append(row[1])
        mean = float(np.exp(np.mean(np.log(losses))))
        print(f"\nchosen over fastest: geometric mean {mean:.3f}, largest {max(losses):.2f}")


if __name__ == "__main__":
    main()
