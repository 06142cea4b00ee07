"""Same bits with any number of threads, and right results on a CPU without wide vectors.

Both need a process of their own: the number of threads and the target CPU are fixed when
Numba starts.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tapegrad_kernels import cpu


def digests() -> dict[str, str]:
    """A hash of the bits of each kernel's results, over sizes that run in parallel."""
    generator = np.random.default_rng(0)
    results: dict[str, list[np.ndarray]] = {}
    for dtype in (np.float32, np.float64):
        x = generator.normal(size=70_003).astype(dtype)
        g = generator.normal(size=x.size).astype(dtype)
        # Both types run the same launcher: float64 is here for the compensated sums.
        all_of_them = dtype is np.float32
        unary = ["exp", "tanh", "erf", "sigmoid", "softplus", "gelu", "relu"]
        for name in unary if all_of_them else ["exp"]:
            results.setdefault(name, []).append(getattr(cpu, name)(x))
        table = x[:70_000].reshape(700, 100)
        for name in ("sum", "max") if all_of_them else ("sum",):
            reduced = [getattr(cpu, name)(table, axis=axis) for axis in (None, 0, 1)]
            results.setdefault(name, []).extend(reduced)
        if not all_of_them:
            continue
        for name in ("tanh_grad", "sigmoid_grad", "relu_grad", "softplus_grad", "gelu_grad"):
            results.setdefault(name, []).append(getattr(cpu, name)(g, x))
        labels = np.arange(700) % 100
        y = cpu.softmax(table)
        gradient = g[:70_000].reshape(700, 100)
        results["softmax"] = [y, cpu.softmax_grad(gradient, y)]
        losses, p = cpu.softmax_cross_entropy(table, labels)
        gradient = cpu.softmax_cross_entropy_grad(losses, p, labels)
        results["cross_entropy"] = [losses, p, gradient]
        m, v, parameters = np.zeros_like(x), np.zeros_like(x), x.copy()
        cpu.adam_update(parameters, g, m, v, 0.1, 0.9, 0.999, 1e-7, 1)
        cpu.sgd_update(parameters, g, m, 0.1, 0.9)
        results["updates"] = [parameters, m, v]
        for name in ("random_uniform", "random_normal"):
            results[name] = [getattr(cpu, name)(1, 2, shape=70_003, dtype=dtype)]
    return {
        name: hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
        for name, arrays in results.items()
    }


_THREADS = """
from tapegrad_kernels._compile import set_num_threads
found = []
for count in (1, 2, 8):
    set_num_threads(count)
    found.append(tests.digests())
for name in found[0]:
    assert found[0][name] == found[1][name] == found[2][name], name
"""

_TARGET = """
import numpy as np
from tapegrad_kernels import cpu
import scipy.special
for dtype in (np.float32, np.float64):
    eps = np.finfo(dtype).eps
    x = np.linspace(-6, 6, 1001, dtype=dtype)
    wide = x.astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-wide))
    def check(got, want, factor=8):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, factor * eps, factor * eps * 1e-3)
    check(cpu.exp(x), np.exp(wide))
    above = np.abs(x) + dtype(1)
    check(cpu.log(above), np.log(above.astype(np.float64)))
    check(cpu.tanh(x), np.tanh(wide))
    check(cpu.sigmoid(x), sigmoid)
    z = 2 * np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3)
    check(cpu.gelu(x, approximate=True), wide / (1 + np.exp(-z)), 200)
    check(cpu.gelu(x), wide * scipy.special.ndtr(wide), 20)
    check(cpu.sum(above), np.sum(above.astype(np.float64)))
    check(cpu.softmax(x), np.exp(wide - 6) / np.exp(wide - 6).sum(), 40)
"""

_UNIFORM = "cpu.random_normal(5, 6, shape=5000, dtype='float32').tobytes()"


def run(script: str, **variables: str) -> str:
    environment = {**os.environ, **variables}
    here = str(Path(__file__).parent)
    header = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('tests_here', {__file__!r})\n"
        "tests = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(tests)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", header + script],
        env=environment,
        cwd=here,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_same_bits_with_any_number_of_threads():
    run(_THREADS, NUMBA_NUM_THREADS="8")


@pytest.mark.parametrize(
    "variables",
    [
        {"TAPEGRAD_VECTOR_BITS": "128"},
        {
            "TAPEGRAD_VECTOR_BITS": "128",
            "NUMBA_CPU_NAME": "generic",
            "NUMBA_CPU_FEATURES": "",
        },
    ],
    ids=["narrow", "generic"],
)
def test_other_targets(variables):
    run(_TARGET, **variables)
    hashed = f"import hashlib\nprint(hashlib.sha256(tests.{_UNIFORM}).hexdigest())"
    here = cpu.random_normal(5, 6, shape=5000, dtype="float32").tobytes()
    # Random numbers keep their bits on another CPU, with and without fused instructions.
    assert run(hashed, **variables).strip() == hashlib.sha256(here).hexdigest()
