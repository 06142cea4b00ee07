"""Each benchmark runs, prints a table and writes JSON: not how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks._data import images_and_labels
from benchmarks._harness import geometric_mean, time_batch

ROOT = Path(__file__).resolve().parent.parent.parent


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'kernels'}"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("gemm", ["--peers", "openblas", "--only", "float32 32×64×64"]),
        ("convolution", ["--peers", "", "--only", "32×5×5"]),
        ("windows", ["--peers", "", "--only", "2×2"]),
        ("recurrent", ["--peers", "", "--only", "8x20"]),
        ("normalization", ["--peers", "", "--only", "32x64"]),
        ("attention", ["--peers", "", "--only", " 256"]),
        ("indexing", ["--peers", "numpy", "--only", "gather"]),
        ("optimizers", ["--peers", "", "--only", "lion 100,000"]),
        ("operation_overhead", ["--peers", "numpy"]),
        ("training_step", ["--peers", "numpy"]),
        ("fit", ["--peers", "", "--only", "predict"]),
        (
            "jit",
            ["--eager", "--contenders", "", "--only", "mlp", "rnn", "gan", "regression"],
        ),
        ("jit", ["--eager", "--contenders", "", "--only", "rosenbrock"]),
        ("start_up", []),
        ("memory", []),
    ],
)
def test_runs(name, arguments, tmp_path):
    done = run(name, "--quick", *arguments, "--json", str(tmp_path / "report.json"))
    assert done.returncode == 0, done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(table) > 2, done.stdout
    assert "failed" not in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["header"]["versions"]["numpy"] == np.__version__


def test_training_step_takes_data(tmp_path):
    generator = np.random.default_rng(0)
    path = tmp_path / "images.npz"
    x = generator.integers(0, 256, (40, 28, 28), dtype=np.uint8)
    np.savez(path, x_train=x, y_train=generator.integers(0, 10, 40))
    done = run("training_step", "--quick", "--peers", "numpy", "--data", str(path))
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout


def test_images_and_labels(tmp_path):
    x, y = images_and_labels(None, samples=50, features=6)
    assert x.shape == (50, 6)
    assert x.dtype == np.float32
    assert set(y) <= set(range(10))

    path = tmp_path / "images.npz"
    np.savez(path, x_train=np.full((4, 2, 3), 255, np.uint8), y_train=np.arange(4))
    x, y = images_and_labels(str(path), samples=6, features=6)
    np.testing.assert_array_equal(x, np.ones((6, 6), np.float32))
    np.testing.assert_array_equal(y, [0, 1, 2, 3, 0, 1])
    with pytest.raises(ValueError, match="6 features, expected 5"):
        images_and_labels(str(path), samples=6, features=5)


def test_time_batch_counts_calls():
    calls = []
    per_call, count = time_batch(lambda: calls.append(0), 0.001, calls=7)
    assert count == len(calls) == 7
    assert per_call > 0


def test_geometric_mean():
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
