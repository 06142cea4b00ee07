"""Memory that is freed and taken again is not paged in again."""

from __future__ import annotations

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


@pytest.mark.skipif(sys.platform != "linux", reason="about glibc")
def test_freed_memory_is_kept():
    assert _faults() < 200


@pytest.mark.skipif(sys.platform != "linux", reason="about glibc")
def test_the_environment_decides():
    assert _faults(TAPEGRAD_KEEP_MEMORY="0") > 1_000
    assert _faults(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072") > 1_000
