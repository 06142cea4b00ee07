"""Compares libraries fairly: one process for each, taking turns.

Thread pools of Numba, torch and OpenBLAS spin while they wait and slow each
other down inside one process. Here each contender lives in a process of its own
(a worker), and the parent lets them time the same workload one after the other,
round after round, so that a busy moment of the machine hits all of them.

A benchmark is a module that defines ``CONTENDERS`` and calls `main`::

    # benchmarks/axpy.py, run with: python -m benchmarks.axpy --json axpy.json
    from typing import Any
    from benchmarks._harness import Contender, main

    def prepare_numpy(workload: dict[str, Any]) -> Any:
        import numpy as np
        x = np.ones(workload["n"])
        return lambda: 2.0 * x + x            # what is timed

    CONTENDERS = {"numpy": Contender(prepare_numpy, requires=("numpy",)), ...}
    WORKLOADS = [{"name": "1e3", "n": 1000}, {"name": "1e6", "n": 1_000_000}]

    if __name__ == "__main__":
        main("benchmarks.axpy", CONTENDERS, WORKLOADS, ours="tapegrad")

The names of modules in ``requires`` are imported in the worker alone; a
contender of which one is missing is skipped with a line. ``prepare`` must import
its library inside; it raises NotImplementedError for a workload that its library
does not have. A workload is a dictionary that JSON can hold, with a ``name`` and
optionally

- ``group``, over which geometric means are taken;
- ``operations``, how many operations a call does: times are then those of one;
- ``quick``: False keeps it out of ``--quick``, a run that shows that a benchmark works.

On Linux a batch during which some task of the machine had to wait for a core (by
the kernel's pressure stall information) is timed again, a few times at most.

The table gives our time and, for each peer, the ratio of its time to ours: above
1, we are faster. Both the ratio of the minimums and that of the medians stand
there; on a machine that does other work, trust the minimums.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Workload = dict[str, Any]
Times = dict[str, list[float]]
"""Seconds a call, one number for each round, by contender."""
Outcomes = dict[str, list[float]]
"""What a workload gave, by contender."""

_THREAD_VARIABLES = (
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
_PAUSE = 0.003
"""Seconds between two contenders, for the thread pool of the last to fall asleep."""


_ATTEMPTS = 25
"""How often a batch is timed at most, to catch the machine idle."""
_STALL = 0.02
"""Part of a batch's time that tasks may have waited for a core."""
_PRESSURE = Path("/proc/pressure/cpu")


@dataclasses.dataclass(frozen=True)
class Contender:
    """A library in the comparison.

    Attributes
    ----------
    prepare : callable
        Takes a workload and returns the function to time, which may be `Prepared`. Runs in the
        worker.
    requires : tuple of str
        Modules it imports.
    environment : mapping of str to str
        Environment variables of its worker.
    """

    prepare: Callable[[Workload], Callable[[], object]]
    requires: tuple[str, ...] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A function to time, with more to say than a mere function.

    Attributes
    ----------
    function : callable
        What is timed.
    outcome : sequence of float
        Numbers that the workload gave, by which contenders are seen to do the same.
    operations : int
        How many operations a call does here, beyond those that the workload tells.
    """

    function: Callable[[], object]
    outcome: Sequence[float] = ()
    operations: int = 1

    def __call__(self) -> object:
        return self.function()


def time_batch(function: Callable[[], object], seconds: float, calls: int = 0) -> tuple[float, int]:
    """Time one batch of calls.

    Parameters
    ----------
    function : callable
        What is timed.
    seconds : float
        How long a batch should take; used to find `calls`.
    calls : int, default 0
        Calls in the batch; 0 finds the number, after two calls to warm up.

    Returns
    -------
    per_call : float
        Seconds.
    calls : int
        Calls in the batch.
    """
    clock = time.perf_counter
    if not calls:
        function()
        function()
        calls = 1
        while True:
            start = clock()
            for _ in range(calls):
                function()
            spent = clock() - start
            if spent > seconds / 4 or spent > 0.05:
                break
            calls *= 2
        calls = max(1, round(calls * seconds / spent))
    start = clock()
    for _ in range(calls):
        function()
    return (clock() - start) / calls, calls


def _waited() -> float:
    """Seconds that some task had to wait for a core since the machine started, or 0."""
    try:
        return int(_PRESSURE.read_text().split("total=")[1].split()[0]) * 1e-6
    except (OSError, IndexError, ValueError):
        return 0.0


def _work(module: str, name: str) -> None:
    """Serve requests of the parent: a workload to prepare, or a batch to time."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not reach the protocol
    contender: Contender = importlib.import_module(module).CONTENDERS[name]
    function: Callable[[], object] | None = None
    calls, operations = 0, 1
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "workload" in request:
                function, calls = None, 0
                prepared = contender.prepare(request["workload"])
                if not isinstance(prepared, Prepared):
                    prepared = Prepared(prepared)
                function, operations = prepared.function, prepared.operations
                _, calls = time_batch(function, request["seconds"])
                answer: dict[str, Any] = {"outcome": list(map(float, prepared.outcome))}
            else:
                assert function is not None
                per_call, _ = time_batch(function, 0.0, calls)
                answer = {"time": per_call / operations}
        except NotImplementedError:
            answer = {"error": ""}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class _Worker:
    """A contender's process, seen from the parent."""

    def __init__(self, module: str, name: str, contender: Contender, threads: int) -> None:
        environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(threads))}
        environment.update(contender.environment)
        root = Path(__file__).resolve().parent.parent
        paths = [str(root), str(root / "kernels"), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._harness", module, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=root,
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"the process of contender {self.name!r} ended")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def _time_undisturbed(worker: _Worker, patience: float) -> float:
    """A batch's seconds a call, from a moment when the machine did nothing else."""
    fallback = math.inf
    end = time.perf_counter() + patience
    for attempt in range(_ATTEMPTS):
        if attempt and time.perf_counter() > end:
            break
        time.sleep(_PAUSE)
        waited, start = _waited(), time.perf_counter()
        per_call = worker.ask({})["time"]
        if _waited() - waited <= _STALL * (time.perf_counter() - start):
            return per_call
        fallback = min(fallback, per_call)
    return fallback


def measure(
    module: str,
    contenders: Mapping[str, Contender],
    workloads: Sequence[Workload],
    *,
    rounds: int = 7,
    seconds: float = 0.05,
    threads: int | None = None,
    patience: float = math.inf,
    disagree: Callable[[Workload, Outcomes], Sequence[str]] = lambda workload, outcomes: (),
    on_result: Callable[[Workload, Times], object] = lambda workload, times: None,
) -> list[tuple[Workload, Times]]:
    """Time all workloads with all contenders, taking turns.

    Parameters
    ----------
    module : str
        Name under which the workers import the benchmark.
    contenders : mapping of str to Contender
        By name.
    workloads : sequence of dict
        What to time.
    rounds : int, default 7
        Batches of each contender for each workload.
    seconds : float, default 0.05
        Length of a batch.
    threads : int, optional
        Threads of each contender; all cores if not given.
    patience : float, optional
        Seconds after which a batch is not timed again, however busy the machine was.
    disagree : callable, optional
        Takes a workload and what it gave each contender (`Prepared.outcome`); returns those that
        did something else, which are not timed.
    on_result : callable, optional
        Called after each workload.

    Returns
    -------
    list of (workload, times)
        A contender that cannot do a workload is absent from its times.
    """
    count = threads or os.cpu_count() or 1
    workers = [_Worker(module, name, c, count) for name, c in contenders.items()]
    results = []
    try:
        for workload in workloads:
            outcomes: Outcomes = {}
            for worker in workers:
                answer = worker.ask({"workload": workload, "seconds": seconds})
                if "error" not in answer:
                    outcomes[worker.name] = answer["outcome"]
                elif answer["error"]:
                    print(f"{worker.name}, {workload['name']}: {answer['error']}", file=sys.stderr)
            others = disagree(workload, outcomes)
            times: Times = {name: [] for name in outcomes if name not in others}
            for _ in range(rounds):
                for worker in workers:
                    if worker.name in times:
                        spent = _time_undisturbed(worker, patience)
                        times[worker.name].append(spent / workload.get("operations", 1))
            results.append((workload, times))
            on_result(workload, times)
    finally:
        for worker in workers:
            worker.close()
    return results


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def describe_run(contenders: Mapping[str, Contender], threads: int) -> dict[str, Any]:
    """Date, machine and versions."""
    wanted = {"tapegrad", "numpy", "numba", *(m for c in contenders.values() for m in c.requires)}
    versions = {}
    for module in sorted(wanted):
        try:
            versions[module.split(".")[0]] = importlib.metadata.version(module.split(".")[0])
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
    }


def print_header(header: dict[str, Any]) -> None:
    """Print what `describe_run` found."""
    versions = ", ".join(f"{name} {version}" for name, version in header["versions"].items())
    threads = f"{header['cores']} cores, {header['threads']} threads"
    print(f"{header['date']}, {header['cpu']}, {threads}")
    print(f"Python {header['python']}, {versions}\n", flush=True)


def geometric_mean(values: Sequence[float]) -> float:
    """``(x1 * ... * xn) ** (1 / n)``."""
    return math.exp(sum(map(math.log, values)) / len(values))


def _ratio(times: Times, peer: str, ours: str, statistic: Callable[[list[float]], float]) -> float:
    return statistic(times[peer]) / statistic(times[ours])


def format_duration(seconds: float) -> str:
    """Three digits and a unit.

    Examples
    --------
    >>> format_duration(0.00123)
    '1.23 ms'
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _row(name: str, times: Times, ours: str, peers: Sequence[str]) -> str:
    cells = [name, format_duration(min(times[ours])) if ours in times else "failed"]
    for peer in peers:
        if peer in times and ours in times:
            cells.append(f"{_ratio(times, peer, ours, min):.2f}")
            cells.append(f"{_ratio(times, peer, ours, statistics.median):.2f}")
        else:
            cells += ["", ""]
    return "| " + " | ".join(cells) + " |"


def _summary(
    results: Sequence[tuple[Workload, Times]], ours: str, peers: Sequence[str]
) -> dict[str, dict[str, dict[str, float]]]:
    """Geometric means of the ratios, by group and peer."""
    groups: dict[str, list[Times]] = {}
    for workload, times in results:
        if ours in times:
            groups.setdefault(str(workload.get("group", "all")), []).append(times)
    summary: dict[str, dict[str, dict[str, float]]] = {}
    for group, members in groups.items():
        for peer in peers:
            both = [times for times in members if peer in times]
            if both:
                summary.setdefault(group, {})[peer] = {
                    "min": geometric_mean([_ratio(t, peer, ours, min) for t in both]),
                    "median": geometric_mean(
                        [_ratio(t, peer, ours, statistics.median) for t in both]
                    ),
                    "lowest_min": min(_ratio(t, peer, ours, min) for t in both),
                }
    return summary


def main(
    module: str,
    contenders: Mapping[str, Contender],
    workloads: Sequence[Workload],
    *,
    ours: str = "tapegrad",
    conclude: Callable[[Sequence[tuple[Workload, Times]]], Sequence[str]] = lambda results: (),
    rounds: int = 7,
    seconds: float = 0.05,
    takes_data: bool = False,
    arguments: Sequence[str] | None = None,
) -> None:
    """Command line of a benchmark: measure, print a Markdown table, write JSON.

    Parameters
    ----------
    module : str
        Name of the benchmark's module, ``"benchmarks.gemm"``.
    contenders : mapping of str to Contender
        By name.
    workloads : sequence of dict
        What to time.
    ours : str, default "tapegrad"
        The contender that the others are compared with.
    conclude : callable, optional
        Lines to print under the table, from all results.
    rounds, seconds : int, float
        Batches of each contender, and the length of one, where the command line does not
        say. Many short batches find the quiet moments of a busy machine.
    takes_data : bool, default False
        Whether there is an option ``--data``; its value is added to the workloads as ``"data"``.
    arguments : sequence of str, optional
        Command line; that of the process if not given.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--rounds", type=int, default=rounds, help="batches for each (%(default)s)")
    parser.add_argument("--seconds", type=float, default=seconds, help="of a batch (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(%(default)s)")
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    parser.add_argument("--peers", help="contenders to compare with, separated by commas")
    parser.add_argument("--quick", action="store_true", help="see that it works, measure little")
    if takes_data:
        parser.add_argument("--data", type=Path, help=".npz file with x_train and y_train")
    parser.add_argument("--json", type=Path, help="write all times to this file")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 2, 0.001
        workloads = [workload for workload in workloads if workload.get("quick", True)]
    if takes_data and options.data is not None:
        workloads = [{**workload, "data": str(options.data.resolve())} for workload in workloads]

    chosen = {}
    asked = None if options.peers is None else {ours, *options.peers.split(",")}
    for name, contender in contenders.items():
        missing = [m for m in contender.requires if importlib.util.find_spec(m) is None]
        if missing:
            print(f"{name} is left out: no module {', '.join(missing)}\n")
        elif asked is None or name in asked:
            chosen[name] = contender
    peers = [name for name in chosen if name != ours]
    selected = [w for w in workloads if options.only in w["name"]]

    header = describe_run(chosen, options.threads)
    print_header(header)
    print("Ratio: the peer's time over ours, of minimums and of medians.\n")
    titles = ["workload", ours, *(f"{p} {s}" for p in peers for s in ("min", "median"))]
    print("| " + " | ".join(titles) + " |")
    print("|" + " --- |" * len(titles), flush=True)
    results = measure(
        module,
        chosen,
        selected,
        rounds=options.rounds,
        seconds=options.seconds,
        threads=options.threads,
        on_result=lambda w, t: print(_row(w["name"], t, ours, peers), flush=True),
    )
    summary = _summary(results, ours, peers)
    print()
    for group, by_peer in summary.items():
        if sum(str(w.get("group", "all")) == group for w in selected) == 1:
            continue  # the table says it already
        for peer, ratios in by_peer.items():
            print(
                f"{group}, {peer}: geometric mean {ratios['min']:.3f} (minimums), "
                f"{ratios['median']:.3f} (medians); lowest {ratios['lowest_min']:.2f}"
            )
    conclusion = list(conclude(results))
    print("\n".join(conclusion), flush=True)
    if options.json:
        report = {
            "header": header,
            "summary": summary,
            "conclusion": conclusion,
            "results": [{"workload": w, "seconds": t} for w, t in results],
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    # Not in `__main__`, whose classes are other ones than those that contenders import.
    importlib.import_module("benchmarks._harness")._work(*sys.argv[1:3])
