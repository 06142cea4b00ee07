"""Memory of a training loop over 10,000 steps, and of as many predictions: it must not grow.

Run with ``python -m benchmarks.memory``. The network is 784-64-64-10, batch 32, Adam, on
the eager tape; predictions are for one sample. Each contender runs in a process of its own,
which reports

- its resident memory after 1,000 steps, and how much that has changed at the end;
- for tapegrad, the memory that Python objects hold, NumPy's arrays included, by
  `tracemalloc` in a second run, which is slower: after 1,000 steps, and the change at
  the end;
- the peak of resident memory.

``--data PATH`` trains on images from a ``.npz`` file.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import fit, training_step
from benchmarks._harness import Contender, describe_run, print_header

STEPS = 10_000
_MEBI = 1024 * 1024

_PREDICTIONS = next(workload for workload in fit.WORKLOADS if workload.get("predict"))

PREPARE: dict[str, tuple[Contender, dict[str, Any]]] = {
    "tapegrad, by hand": (training_step.CONTENDERS["tapegrad"], {"name": "by hand"}),
    "tapegrad, train_on_batch": (training_step.CONTENDERS["tapegrad"], {"name": "train_on_batch"}),
    "tapegrad, predict_on_batch": (fit.CONTENDERS["tapegrad"], _PREDICTIONS),
    "torch": (training_step.CONTENDERS["torch fused"], {"name": "by hand"}),
}
"""Contender and workload."""


def resident() -> int:
    """Bytes of memory that the process holds now (Linux), or its peak elsewhere."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return peak()


def peak() -> int:
    """Bytes of memory that the process held at most, 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def train(name: str, *, steps: int, trace: bool, data: str | None) -> dict[str, Any]:
    """Train in this process.

    Parameters
    ----------
    name : str
        A key of `PREPARE`.
    steps : int
        How many; measured at a tenth of them and at the end.
    trace : bool
        Whether to follow Python's allocations.
    data : str or None
        File of images.

    Returns
    -------
    dict
        Bytes: ``warm`` and ``end``, by `tracemalloc` or resident, and ``peak``.
    """
    contender, workload = PREPARE[name]
    step = contender.prepare(workload if data is None else {**workload, "data": data})
    measured = {}
    if trace:
        step()
        tracemalloc.start()
    for count in range(1, steps + 1):
        step()
        if count in (steps // 10, steps):
            gc.collect()
            held = tracemalloc.get_traced_memory()[0] if trace else resident()
            measured["end" if count == steps else "warm"] = held
    return {**measured, "peak": peak()}


def _in_process(name: str, options: argparse.Namespace, *, trace: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.memory", "--train", name]
    command += ["--steps", str(options.steps), *(["--trace"] if trace else [])]
    if options.data is not None:
        command += ["--data", str(options.data)]
    root = Path(__file__).resolve().parent.parent
    paths = [str(root), str(root / "kernels"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        command, cwd=root, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a Markdown table, write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("--steps", type=int, default=STEPS, help="(%(default)s)")
    parser.add_argument("--quick", action="store_true", help="see that it works, measure little")
    parser.add_argument("--data", type=lambda text: Path(text).resolve(), help=".npz of images")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("--train", choices=PREPARE, help=argparse.SUPPRESS)
    parser.add_argument("--trace", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.train is not None:
        data = None if options.data is None else str(options.data)
        print(json.dumps(train(options.train, steps=options.steps, trace=options.trace, data=data)))
        return
    names = list(PREPARE)
    if options.quick:
        options.steps = 100
    if options.quick or importlib.util.find_spec("torch") is None:
        names.remove("torch")
    requires = ("torch",) if "torch" in names else ()
    header = describe_run(
        {"memory": Contender(lambda workload: lambda: None, requires)}, os.cpu_count() or 1
    )
    print_header(header)
    early = options.steps // 10
    print(f"| training | measure | after {early:,} steps | change to {options.steps:,} | peak |")
    print("|" + " --- |" * 5, flush=True)
    results = []
    for name in names:
        for trace in (False, True) if name.startswith("tapegrad") else (False,):
            found = _in_process(name, options, trace=trace)
            results.append({"training": name, "traced": trace, **found})
            change = (found["end"] - found["warm"]) / 1024
            print(
                f"| {name} | {'Python objects' if trace else 'resident'} "
                f"| {found['warm'] / _MEBI:.2f} MiB | {change:+.1f} KiB "
                f"| {'' if trace else format(found['peak'] / _MEBI, '.1f') + ' MiB'} |",
                flush=True,
            )
    if options.json:
        report = {"header": header, "steps": options.steps, "bytes": results}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
