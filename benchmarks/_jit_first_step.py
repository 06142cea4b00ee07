"""How long the first jitted step of a new model takes beyond the first eager one.

Each step is the first of a fresh interpreter. ``cold``: the cache of kernels holds what
``python -m tapegrad warmup`` leaves there and nothing else, as when a model is run for the first
time ever; ``warm``: the same model has been run before.

Run by `benchmarks.jit`; ``python -m benchmarks._jit_first_step mlp jitted`` prints the seconds of
one first step.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NETWORKS = ("mlp", "cnn", "lstm", "autoencoder")
GOALS = {"cold": 0.5, "warm": 0.05}
"""At most so many seconds."""
BATCH = 32


def first_step(network: str, *, jitted: bool) -> float:
    """Seconds of this interpreter's first step; the model is there, and nothing has run."""
    import tapegrad as tg
    from benchmarks import _jit_tapegrad as ours
    from benchmarks import _jit_workloads as shared

    step = ours.training_step(network, ours.jit(jitted))
    x, y = map(tg.tensor, shared.samples(network, BATCH))
    start = time.perf_counter()
    float(step(x, y))
    return time.perf_counter() - start


def _python(*arguments: str, cache: Path) -> str:
    root = Path(__file__).resolve().parent.parent
    paths = [str(root), str(root / "kernels"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "TAPEGRAD_CACHE_DIR": str(cache),
    }
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return done.stdout


def _run(network: str, mode: str, cache: Path) -> float:
    return json.loads(_python("benchmarks._jit_first_step", network, mode, cache=cache))


def warm_up(cache: Path) -> None:
    """Fill a cache of kernels with the command ``warmup``, which leaves what is there."""
    _python("tapegrad", "warmup", cache=cache)


def measure(networks: list[str], rounds: int, warmed: Path) -> dict[str, dict[str, list[float]]]:
    """Seconds of first steps.

    Parameters
    ----------
    networks : list of str
        Of `NETWORKS`.
    rounds : int
        Runs of each.
    warmed : Path
        A cache that `warm_up` filled; it stays as it is.

    Returns
    -------
    dict
        By network, the times ``eager cold``, ``eager warm``, ``jitted cold``, ``jitted warm``.
    """
    times: dict[str, dict[str, list[float]]] = {}
    for network in networks:
        spent = times[network] = {}
        for _ in range(rounds):
            for mode in ("eager", "jitted"):
                with tempfile.TemporaryDirectory() as used:
                    # What was just written is read from memory: disks have no part in this.
                    shutil.copytree(warmed, used, dirs_exist_ok=True)
                    for state in ("cold", "warm"):
                        seconds = _run(network, mode, Path(used))
                        spent.setdefault(f"{mode} {state}", []).append(seconds)
    return times


if __name__ == "__main__":
    print(json.dumps(first_step(sys.argv[1], jitted=sys.argv[2] == "jitted")))
