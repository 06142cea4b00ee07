"""What one recorded operation costs, beyond the arithmetic itself.

Run with ``python -m benchmarks.operation_overhead``. Chains of 1,000 elementwise
operations on 16 float32 are recorded, each chain on a fresh tape; then the
gradient of a chain is taken, over and over from one record. Times are those of
one operation. On 16 numbers the arithmetic takes next to nothing, so what is
left is bookkeeping: finding the kernel, wrapping the result, recording.

NumPy's time for the same chain, which nothing records, is subtracted below the
table.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks._harness import Contender, Times, Workload, format_duration, main

LENGTH = 1000
SIZE = 16
FACTOR = 1.0001
"""Second operand of every operation; near one, so that no chain overflows."""

_BINARY = ("multiply", "add", "subtract", "divide", "maximum")
_UNARY = ("negative", "tanh", "exp")


def _workloads() -> list[Workload]:
    recorded: list[Workload] = [
        {"name": f"record {name}", "group": "record", "kind": "record", "operation": name}
        for name in (*_BINARY, *_UNARY)
    ]
    backward: list[Workload] = [
        {"name": f"backward {name}", "group": "backward", "kind": "backward", "operation": name}
        for name in ("multiply", "add", "tanh")
    ]
    for workload in recorded + backward:
        workload["operations"] = LENGTH
        workload["quick"] = workload["operation"] in ("multiply", "tanh")
    return recorded + backward


WORKLOADS = _workloads()


def _chain(operation: Callable[..., Any], name: str, constant: Any) -> Callable[[Any], Any]:
    """The operation applied `LENGTH` times, of whichever library it is."""
    if name in _BINARY:

        def chain(x: Any) -> Any:
            for _ in range(LENGTH):
                x = operation(x, constant)
            return x

    elif name == "exp":
        # exp alone would overflow in five steps; the same argument is used each time.
        def chain(x: Any) -> Any:
            y = x
            for _ in range(LENGTH):
                y = operation(x)
            return y

    else:

        def chain(x: Any) -> Any:
            for _ in range(LENGTH):
                x = operation(x)
            return x

    return chain


def _numbers() -> Any:
    import numpy as np

    return np.full(SIZE, FACTOR, np.float32)


def prepare_tapegrad(workload: Workload) -> Callable[[], object]:
    """Recording on a tape."""
    import tapegrad as tg

    name = workload["operation"]
    x = tg.Variable(_numbers())
    chain = _chain(getattr(tg.ops, name), name, tg.tensor(_numbers()))

    def record() -> object:
        with tg.Tape() as tape:
            y = chain(x)
        return tape, y

    if workload["kind"] == "record":
        return record
    with tg.Tape(persistent=True) as tape:
        y = chain(x)
    return lambda: tape.gradient(y, x)


def prepare_numpy(workload: Workload) -> Callable[[], object]:
    """The arithmetic alone."""
    import numpy as np

    if workload["kind"] != "record":
        raise NotImplementedError
    name = workload["operation"]
    chain = _chain(getattr(np, name), name, _numbers())
    x = _numbers()
    return lambda: chain(x)


def prepare_torch(workload: Workload) -> Callable[[], object]:
    """Recording in the graph that hangs on the result."""
    import torch

    name = workload["operation"]
    x = torch.from_numpy(_numbers()).requires_grad_()
    chain = _chain(getattr(torch, name), name, torch.from_numpy(_numbers()))
    if workload["kind"] == "record":
        return lambda: chain(x)
    y = chain(x)
    ones = torch.ones_like(y)
    return lambda: torch.autograd.grad(y, x, ones, retain_graph=True)


def prepare_jax(workload: Workload) -> Callable[[], object]:
    """Operation by operation, without jit; recorded by ``jax.vjp``."""
    import jax

    name = workload["operation"]
    x = jax.numpy.asarray(_numbers())
    chain = _chain(getattr(jax.numpy, name), name, jax.numpy.asarray(_numbers()))
    if workload["kind"] == "record":
        return lambda: jax.block_until_ready(jax.vjp(chain, x)[0])
    y, pull_back = jax.vjp(chain, x)
    ones = jax.numpy.ones_like(y)
    return lambda: jax.block_until_ready(pull_back(ones))


def prepare_autograd(workload: Workload) -> Callable[[], object]:
    """Recording by HIPS/autograd, whose arithmetic is NumPy's."""
    # autograd makes its functions at run time, where type checkers cannot see them.
    autograd: Any = importlib.import_module("autograd")
    anp: Any = importlib.import_module("autograd.numpy")

    name = workload["operation"]
    x = _numbers()
    chain = _chain(getattr(anp, name), name, _numbers())
    if workload["kind"] == "record":
        return lambda: autograd.make_vjp(chain)(x)
    pull_back, y = autograd.make_vjp(chain)(x)
    ones = 0 * y + 1
    return lambda: pull_back(ones)


CONTENDERS = {
    "tapegrad": Contender(prepare_tapegrad, requires=("numba",)),
    "numpy": Contender(prepare_numpy, requires=("numpy",)),
    "torch": Contender(prepare_torch, requires=("torch",)),
    "autograd": Contender(prepare_autograd, requires=("autograd",)),
    "jax": Contender(prepare_jax, requires=("jax",)),
}


def conclude(results: Sequence[tuple[Workload, Times]]) -> list[str]:
    """Time of a recorded operation beyond NumPy's for the same one, by contender."""
    lines = ["Beyond NumPy's own time, of minimums:\n"]
    for workload, times in results:
        if "numpy" in times:
            own = min(times["numpy"])
            beyond = ", ".join(
                f"{name} {format_duration(min(spent) - own)}"
                for name, spent in times.items()
                if name != "numpy"
            )
            lines.append(f"- {workload['name']} (numpy {format_duration(own)}): {beyond}")
    return lines


if __name__ == "__main__":
    main(
        "benchmarks.operation_overhead",
        CONTENDERS,
        WORKLOADS,
        conclude=conclude,
        rounds=40,
        seconds=0.003,
    )
