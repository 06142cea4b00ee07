"""The CUDA device in Numba's simulator, each test in a process of its own.

The simulator is chosen when Numba is imported, so ``NUMBA_ENABLE_CUDASIM=1`` must be
in the environment from the start.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent


def run_simulated(*arguments: str) -> str:
    """Run Python with the simulator; returns its output, or fails with it."""
    environment = dict(os.environ, NUMBA_ENABLE_CUDASIM="1")
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
        environment.pop(name, None)
    process = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stdout[-4000:] + process.stderr[-4000:]
    return process.stdout


def test_cuda_kernels_conform():
    """The conformance tests pass on the simulated GPU, as many as on the CPU."""
    said = run_simulated(
        "-m", "pytest", "tests/kernels/conformance", "-k", "[cuda", "-q", "-p", "no:cacheprovider"
    )
    found = re.search(r"(\d+) passed, (\d+) deselected", said)
    assert found is not None, said
    assert found[1] == found[2]


THREE_STEPS = """
import sys
import numpy as np
import tapegrad as tg
from tapegrad import layers

x = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
labels = np.random.default_rng(1).integers(0, 3, 8)
results = {}
for device in ("cpu", "cuda"):
    tg.set_seed(0)
    with tg.device(device):
        model = tg.Sequential(
            [
                layers.Input((5,)),
                layers.Dense(6, activation="relu", kernel_regularizer="l2"),
                layers.Dense(4, activation="tanh"),
                layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile(
            optimizer=tg.optimizers.Adam(learning_rate=0.01),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        for step in range(3):
            logs = model.train_on_batch(x, labels)
            results[f"{device} logs {step}"] = np.array(logs, np.float64)
        assert {w.device for w in model.weights} == {device}
        for number, weight in enumerate(model.get_weights()):
            results[f"{device} weight {number}"] = weight
        results[f"{device} prediction"] = np.asarray(model.predict(x, verbose=0))
np.savez(sys.argv[1], **results)
"""


def test_three_training_steps_equal_the_cpus(tmp_path):
    """A small network takes the same steps on both devices, to rounding."""
    path = tmp_path / "steps.npz"
    run_simulated("-W", "ignore:.*encountered in:RuntimeWarning", "-c", THREE_STEPS, str(path))
    with np.load(path, allow_pickle=False) as results:
        names = [name.removeprefix("cpu ") for name in results.files if name.startswith("cpu ")]
        assert len(names) == 3 + 6 + 1
        for name in names:
            np.testing.assert_allclose(
                results[f"cuda {name}"], results[f"cpu {name}"], rtol=2e-5, atol=1e-6, err_msg=name
            )
        first, last = results["cpu logs 0"][0], results["cpu logs 2"][0]
        assert last < first
