"""No kernel touches what lies beside its arrays, and none leaves an element unwritten."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WORKLOADS = sorted(HERE.glob("workloads/*.py"))


@pytest.mark.skipif(sys.platform != "linux", reason="closes pages through Linux's own calls")
@pytest.mark.parametrize("where", ["start", "end"])
@pytest.mark.parametrize("workload", WORKLOADS, ids=[path.stem for path in WORKLOADS])
def test_memory_beside_arrays(workload, where):
    command = [sys.executable, str(HERE / "guarded.py"), where, str(workload)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
