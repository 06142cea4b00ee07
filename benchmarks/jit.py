"""Whole training steps, jitted: ours, torch eager and compiled, and JAX.

Run with ``python -m benchmarks.jit``. Workloads (`_jit_workloads.WORKLOADS`), all in float32:

- ``mlp step``: 784-64-64-10 with ReLU, 32 samples, Adam; ``cnn step``: the network of
  `benchmarks.fit`; ``lstm step``, ``gru step``, ``simple rnn step``: 128 units over 28 × 28, then
  10; ``autoencoder step``: 784-128-32-128-784, 128 samples, mean squared error;
- ``gan step``: a generator 64-128-784 and a discriminator 784-128-1, an Adam for each, 128
  samples; the generator is run once for each of the two, on the same noise;
- ``linear regression``: one of 10,000 steps on 100 × 1 numbers, ours in one `fit`;
- ``mlp predict``, ``cnn predict``: one sample, 256 samples, from array to array;
- ``mlp fit``: an epoch of 8,000 samples in shuffled batches of 32; ``mlp train_on_batch``: the
  step again, as ours through the model's own method;
- ``rosenbrock hessian``, ``rosenbrock hvp``: of Rosenbrock's function of 20 numbers;
- ``first step``: of a new model, in a fresh process, the jitted one's time beyond the eager one's.

torch has the fused Adam and runs with all threads and with one; of these the table gives the
better. `torch.compile` needs a C++ compiler, and takes a while for each workload. JAX has the
whole step in one jit, to which its state is donated. All start from the same weights, and a
contender whose first losses are other ones is not timed.

``--contenders torch,jax`` leaves out the others, ``--eager`` puts our eager steps in the place of
the jitted ones.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _jit_first_step, _jit_jax, _jit_tapegrad, _jit_torch
from benchmarks import _jit_workloads as shared
from benchmarks._harness import (
    Contender,
    Outcomes,
    Times,
    Workload,
    describe_run,
    format_duration,
    measure,
    print_header,
)

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_SINGLE = " 1 thread"
PATIENCE = 0.3
"""Seconds after which a batch is not timed again, however busy the machine was."""

CONTENDERS = {
    "tapegrad": Contender(_jit_tapegrad.prepare_jitted, requires=("numba",)),
    "tapegrad eager": Contender(_jit_tapegrad.prepare_eager, requires=("numba",)),
    "torch": Contender(_jit_torch.eager(None), requires=("torch",)),
    f"torch{_SINGLE}": Contender(_jit_torch.eager(1), requires=("torch",), environment=_ONE_THREAD),
    "torch.compile": Contender(_jit_torch.inductor(None), requires=("torch",)),
    f"torch.compile{_SINGLE}": Contender(
        _jit_torch.inductor(1), requires=("torch",), environment=_ONE_THREAD
    ),
    "jax": Contender(_jit_jax.prepare, requires=("jax",)),
}
PEERS = ("torch", "torch.compile", "jax")
EAGER = "tapegrad eager"


def best(times: Times, name: str, statistic: Callable[[list[float]], float]) -> float | None:
    """Seconds of a contender with its better number of threads."""
    found = [times[kind] for kind in (name, name + _SINGLE) if kind in times]
    return min(map(statistic, found)) if found else None


def disagree(workload: Workload, outcomes: Outcomes) -> list[str]:
    """The contenders whose numbers are not those of most."""
    import numpy as np

    tolerance = shared.TOLERANCES.get(workload["kind"], shared.TOLERANCE)
    if len({len(outcome) for outcome in outcomes.values()}) > 1:
        raise ValueError(f"{workload['name']}: outcomes of several lengths, {outcomes}")
    middle = np.median(list(outcomes.values()), axis=0) if outcomes else np.zeros(1)
    margin = tolerance * np.max(np.abs(middle), initial=0.0)
    others = []
    for name, outcome in outcomes.items():
        if not np.all(np.abs(outcome - middle) <= margin):
            others.append(name)
            print(f"{name}, {workload['name']}: gives {outcome}, not {middle}", file=sys.stderr)
    return others


def row(workload: Workload, times: Times, ours: str, peers: Sequence[str]) -> str:
    """A line of the table: our time, then of each peer time, ratios and goal."""
    name = workload["name"]
    if ours not in times:
        cells = [name, "failed"]
    else:
        cells = [name, format_duration(min(times[ours]))]
    for peer in peers:
        seconds = best(times, peer, min)
        cells.append("" if seconds is None else format_duration(seconds))
        ratios = [_ratio(times, peer, ours, how) for how in (statistics.median, min)]
        cells.append(" / ".join(f"{ratio:.2f}" for ratio in ratios if ratio is not None))
        goal = shared.GOALS.get(name, {}).get(peer)
        cells.append("" if goal is None else f"≥ {goal:g}")
    return "| " + " | ".join(cells) + " |"


def _ratio(
    times: Times, peer: str, ours: str, statistic: Callable[[list[float]], float]
) -> float | None:
    theirs = best(times, peer, statistic)
    return theirs / statistic(times[ours]) if theirs is not None and ours in times else None


def conclude(results: Sequence[tuple[Workload, Times]], ours: str) -> list[str]:
    """Which goals are missed, by the medians."""
    lines, met = [], 0
    for workload, times in results:
        for peer, goal in shared.GOALS.get(workload["name"], {}).items():
            ratio = _ratio(times, peer, ours, statistics.median)
            if ratio is not None and ratio < goal:
                lines.append(f"missed: {workload['name']} against {peer}, {ratio:.2f} < {goal:g}")
            elif ratio is not None:
                met += 1
    return [f"{met} goals met by the medians, {len(lines)} missed", *lines]


def _first_steps(rounds: int, cache: Path | None) -> dict[str, Any]:
    """Measure first steps and print a table of them."""
    print("\n| first step | chains | eager | jitted | beyond, medians | minimums | goal |")
    print("|" + " --- |" * 7, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        warmed = cache or Path(folder)
        _jit_first_step.warm_up(warmed)
        results = _jit_first_step.measure(list(_jit_first_step.NETWORKS), rounds, warmed)
    for network, spent in results.items():
        for state, goal in _jit_first_step.GOALS.items():
            eager, jitted = spent[f"eager {state}"], spent[f"jitted {state}"]
            medians, minimums = (how(jitted) - how(eager) for how in (statistics.median, min))
            cells = [network, state, format_duration(min(eager)), format_duration(min(jitted))]
            cells += [f"{1e3 * beyond:+.0f} ms" for beyond in (medians, minimums)]
            print("| " + " | ".join([*cells, f"≤ {goal * 1e3:g} ms"]) + " |", flush=True)
    return results


def _chosen(options: argparse.Namespace, ours: str) -> dict[str, Contender]:
    """The contenders that are asked for and whose libraries are here; ours comes first."""
    asked = [ours, *(options.contenders or [*CONTENDERS])]
    chosen = {}
    for name, contender in CONTENDERS.items():
        missing = [m for m in contender.requires if importlib.util.find_spec(m) is None]
        if name.removesuffix(_SINGLE) not in asked or (options.eager and name == "tapegrad"):
            continue
        if missing:
            print(f"{name} is left out: no module {', '.join(missing)}\n")
        else:
            chosen[name] = contender
    return chosen


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print Markdown tables, write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jit")
    add = parser.add_argument
    add("--only", nargs="+", default=[""], help="workloads whose name contains one of these")
    add("--contenders", type=lambda text: text.split(","), help="names separated by commas")
    add("--eager", action="store_true", help="our eager steps in the place of the jitted ones")
    add("--rounds", type=int, default=25, help="batches for each (%(default)s)")
    add("--seconds", type=float, default=0.01, help="of a batch (%(default)s)")
    add("--threads", type=int, default=os.cpu_count(), help="(%(default)s)")
    add("--quick", action="store_true", help="see that it works, measure little")
    add("--warmed", type=Path, help="folder of warmed-up kernels, kept for the next `first step`")
    add("--json", type=Path, help="write all times to this file")
    options = parser.parse_args(arguments)
    workloads = [w for w in shared.WORKLOADS if any(text in w["name"] for text in options.only)]
    if options.quick:
        options.rounds, options.seconds = 2, 0.001
        workloads = [
            {**workload, **({"steps": 5} if "steps" in workload else {})}
            for workload in workloads
            if workload.get("quick", True)
        ]
    ours = EAGER if options.eager else "tapegrad"
    chosen = _chosen(options, ours)
    peers = [name for name in (EAGER, *PEERS) if name in chosen and name != ours]

    header = describe_run(chosen, options.threads)
    print_header(header)
    print("Times are minimums. Ratio: the peer's time over ours, of medians / of minimums.\n")
    titles = ["workload", ours, *(f"{p}{s}" for p in peers for s in ("", " ratio", " goal"))]
    print("| " + " | ".join(titles) + " |")
    print("|" + " --- |" * len(titles), flush=True)
    results = measure(
        "benchmarks.jit",
        chosen,
        workloads,
        rounds=options.rounds,
        seconds=options.seconds,
        threads=options.threads,
        patience=PATIENCE,
        disagree=disagree,
        on_result=lambda w, t: print(row(w, t, ours, peers), flush=True),
    )
    print()
    conclusion = conclude(results, ours)
    print("\n".join(conclusion), flush=True)
    first: dict[str, Any] = {}
    if any(text in "first step" for text in options.only) and not (options.quick or options.eager):
        first = _first_steps(max(1, options.rounds // 5), options.warmed)
    if options.json:
        report = {
            "header": header,
            "conclusion": conclusion,
            "results": [{"workload": w, "seconds": t} for w, t in results],
            "first step": first,
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
