"""Memory that is freed and taken again is not paged in again."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

_FAULTS = """
import resource
import numpy as np
import tapegrad_kernels.cpu

def step():
    arrays = [np.ones(4_000_000, np.float32) for _ in range(4)]
    arrays.clear()

for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(**variables: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _FAULTS],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return int(done.stdout)


GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


@pytest.mark.skipif(not GLIBC, reason="about glibc")
def test_freed_memory_is_kept():
    kept = _faults()
    assert kept < 100
    # As many as there are pages without: 160,000 small ones, or 320 huge ones.
    assert _faults(TAPEGRAD_KEEP_MEMORY="0") > kept + 100
    own = {"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}
    assert _faults(**own) > kept + 100
