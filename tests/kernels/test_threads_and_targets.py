"""Same bits with any number of threads, and right results on a CPU without wide vectors.

Both need a process of their own: the number of threads and the target CPU are fixed when
Numba starts.
"""

from __future__ import annotations

import hashlib
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tapegrad_kernels import cpu

WORKLOADS = Path(__file__).parent / "workloads"

_NAMES = """
all any argmax argmin array_split assign astype broadcast_to clip concatenate copy diagonal
diff einsum expand_dims flip full_like gather_flat getitem identity imag moveaxis note_step
ones_like pad put_at ravel real repeat reshape roll sinc split squeeze stack sum_to_shape swapaxes
take take_along_axis tile transpose tril triu where zeros_like
"""
BY_NUMPY = frozenset(_NAMES.split())
"""What NumPy does, on one thread, or what only arranges calls of other kernels."""


def digests() -> dict[str, str]:
    """A hash of the bits of each kernel's results, over sizes that run in parallel."""
    hashes: dict[str, Any] = {}
    for file in sorted(WORKLOADS.glob("*.py")):
        for name, arrays in runpy.run_path(str(file))["results"]().items():
            digest = hashes.setdefault(name, hashlib.sha256())
            for array in arrays:
                digest.update(np.ascontiguousarray(array).tobytes())
    return {name: digest.hexdigest() for name, digest in hashes.items()}


def test_every_kernel_has_a_workload():
    own = {name for name in cpu.__all__ if not isinstance(getattr(cpu, name), np.ufunc)}
    assert own - BY_NUMPY == set(digests())


_THREADS = """
from tapegrad_kernels._compile import set_num_threads
found = []
for count in (1, 2, 8):
    set_num_threads(count)
    found.append(tests.digests())
different = [n for n in found[0] if not found[0][n] == found[1][n] == found[2][n]]
assert not different, different
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
