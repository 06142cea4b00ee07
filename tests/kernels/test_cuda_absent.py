"""What happens where the package numba-cuda is not installed."""

from __future__ import annotations

import subprocess
import sys

ABSENT = """
import sys
sys.modules["numba_cuda"] = None  # what an import finds where the package is missing

from tapegrad_kernels import cuda

assert not cuda.available()
assert "pip install" in cuda.describe(), cuda.describe()
assert not cuda.is_device_array(object())
for use, error in (
    (cuda.require, RuntimeError),
    (lambda: cuda.to_device([1.0]), RuntimeError),
    (lambda: cuda.zeros(3), RuntimeError),
    (lambda: cuda.gemm, ImportError),
):
    try:
        use()
    except error as problem:
        assert "numba-cuda" in str(problem), problem
        assert "tapegrad[cuda12]" in str(problem), problem
    else:
        raise AssertionError(f"{use} raised nothing")
print("as expected")
"""


def test_import_works_and_use_says_what_to_install():
    """The package imports; each use raises one sentence with the remedy."""
    process = subprocess.run(
        [sys.executable, "-c", ABSENT], capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == "as expected\n"
