"""How long a user waits: for the import, and for the first step of training.

Run with ``python -m benchmarks.start_up``. Every measurement is a fresh interpreter,
contenders taking turns. Given is the time beyond that of an interpreter that does
nothing.

- ``import``: ``import tapegrad`` and so on;
- ``first step, warm``: import, make a dense network, take one step on 32 samples,
  with the compiled kernels on disk;
- ``first step, cold``: the same with an empty cache of kernels, as on the first day.
  torch comes compiled, and JAX compiles the step in either case.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks._harness import Contender, describe_run, format_duration, print_header

_TAPEGRAD_STEP = """
import numpy as np
import tapegrad as tg
model = tg.Sequential([
    tg.Input((784,)),
    tg.layers.Dense(64, activation="relu"),
    tg.layers.Dense(64, activation="relu"),
    tg.layers.Dense(10, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy")
model.train_on_batch(np.zeros((32, 784), np.float32), np.zeros(32, np.int64))
"""

_TORCH_STEP = """
import torch
nn = torch.nn
model = nn.Sequential(
    nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
)
optimizer = torch.optim.Adam(model.parameters())
x, y = torch.zeros(32, 784), torch.zeros(32, dtype=torch.long)
nn.functional.cross_entropy(model(x), y).backward()
optimizer.step()
"""

_JAX_STEP = """
import jax
import jax.numpy as jnp

@jax.jit
def step(parameters, x, y):
    def loss(parameters):
        for kernel, bias in parameters[:-1]:
            hidden = jax.nn.relu((x if kernel.shape[0] == 784 else hidden) @ kernel + bias)
        scores = jax.nn.log_softmax(hidden @ parameters[-1][0] + parameters[-1][1])
        return -jnp.take_along_axis(scores, y[:, None], axis=1).mean()
    gradients = jax.grad(loss)(parameters)
    return jax.tree.map(lambda p, g: p - 0.1 * g, parameters, gradients)

sizes = (784, 64, 64, 10)
parameters = [(jnp.ones(shape), jnp.zeros(shape[1])) for shape in zip(sizes, sizes[1:])]
jax.block_until_ready(step(parameters, jnp.zeros((32, 784)), jnp.zeros(32, jnp.int32)))
"""

_KERAS_STEP = _TAPEGRAD_STEP.replace("import tapegrad as tg", "import keras as tg")

INTERPRETER = "interpreter"

STEPS: dict[str, dict[str, str]] = {
    "import": {
        INTERPRETER: "",
        "tapegrad": "import tapegrad",
        "numpy": "import numpy",
        "autograd": "import autograd.numpy",
        "torch": "import torch",
        "jax": "import jax.numpy",
        "keras": "import keras",
    },
    "first step, warm": {
        INTERPRETER: "",
        "tapegrad": _TAPEGRAD_STEP,
        "torch": _TORCH_STEP,
        "jax": _JAX_STEP,
        "keras": _KERAS_STEP,
    },
    "first step, cold": {INTERPRETER: "", "tapegrad": _TAPEGRAD_STEP},
}
"""Code to run, by what is measured and by contender."""


def run_once(code: str, *, cache: str | None = None) -> float:
    """Seconds from the start to the end of an interpreter that runs `code`.

    Parameters
    ----------
    code : str
        What it runs.
    cache : str, optional
        Folder of compiled kernels, if not the user's own.

    Raises
    ------
    RuntimeError
        If the code fails.
    """
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    # As installed by pip: compiled to bytecode once, not at each import.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    root = Path(__file__).resolve().parent.parent
    paths = [str(root), str(root / "kernels"), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    if cache is not None:
        environment["TAPEGRAD_CACHE_DIR"] = cache
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True
    )
    spent = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return spent


def measure(what: str, contenders: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run, by contender.

    Parameters
    ----------
    what : str
        A key of `STEPS`.
    contenders : sequence of str
        Who takes part.
    rounds : int
        Runs of each.
    """
    codes = {name: code for name, code in STEPS[what].items() if name in contenders}
    times: dict[str, list[float]] = {name: [] for name in codes}
    warm = what != "first step, cold"
    if warm:
        for code in codes.values():  # fills the caches of the system, and that of kernels
            run_once(code)
    for _ in range(rounds):
        for name, code in codes.items():
            if warm or name == INTERPRETER:
                times[name].append(run_once(code))
            else:
                with tempfile.TemporaryDirectory() as folder:
                    times[name].append(run_once(code, cache=folder))
    return times


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a Markdown table, write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start_up")
    parser.add_argument("--rounds", type=int, default=10, help="runs of each (%(default)s)")
    parser.add_argument("--cold-rounds", type=int, default=1, help="with no cache (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="see that it works, measure little")
    parser.add_argument("--json", type=Path, help="write all times to this file")
    options = parser.parse_args(arguments)
    rounds = dict.fromkeys(STEPS, 1 if options.quick else options.rounds)
    rounds["first step, cold"] = 0 if options.quick else options.cold_rounds

    peers = [name for name in STEPS["import"] if name not in (INTERPRETER, "tapegrad")]
    peers = [name for name in peers if importlib.util.find_spec(name) is not None]
    if options.quick:
        peers = ["numpy"]
    header = describe_run(
        {name: Contender(lambda workload: lambda: None, requires=(name,)) for name in peers},
        os.cpu_count() or 1,
    )
    print_header(header)
    print("| what | contender | beyond the interpreter: minimum | median |\n|" + " --- |" * 4)
    results = {}
    for what, count in rounds.items():
        if not count:
            continue
        results[what] = times = measure(what, [INTERPRETER, "tapegrad", *peers], count)
        for name, spent in times.items():
            if name != INTERPRETER:
                cells = [
                    format_duration(max(statistic(spent) - statistic(times[INTERPRETER]), 0.0))
                    for statistic in (min, statistics.median)
                ]
                print(f"| {what} | {name} | {cells[0]} | {cells[1]} |", flush=True)
    if options.json:
        report = {"header": header, "seconds": results}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
