"""Compile every CUDA kernel to machine code, without a GPU, and look at what came out.

``python -m benchmarks.cuda_static`` compiles each registered kernel for the
compute capabilities 8.0 (A100) and 9.0 (H100) to PTX with Numba and from there
to machine code with NVIDIA's ``ptxas``. It prints the registers, shared memory,
stack and spills of each, and exits with 1 if a kernel spills registers or has a
stack frame where none is expected: accumulators that fall out of registers cost
an order of magnitude, and no test of results would notice.

It needs ``pip install "numba-cuda[cu12]"``, which brings ptxas, and no GPU. Exit
code 2 says that these tools are missing.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapegrad_kernels.cuda.shim import Specimen

TARGETS = ((8, 0), (9, 0))
"""Compute capabilities: A100 and H100."""

MOST_REGISTERS = 255

NEEDED = 'pip install "numba-cuda[cu12]" brings the compiler and ptxas; a GPU is not needed'


@dataclass(frozen=True)
class Report:
    """What ptxas says about one kernel."""

    name: str
    target: str
    registers: int
    shared: int
    stack: int
    spilled: int
    allowed_stack: int
    ptx_instructions: int
    seconds: float
    error: str = ""

    @property
    def good(self) -> bool:
        """Whether the kernel compiled, spills nothing and keeps its stack frame as expected."""
        return not self.error and self.spilled == 0 and self.stack <= self.allowed_stack


def find_ptxas() -> str | None:
    """Path of ptxas: from pip's packages first, then from a toolkit on the path."""
    for package in ("nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvcc"):
        try:
            files = importlib.metadata.files(package) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for entry in files:
            if entry.name in ("ptxas", "ptxas.exe"):
                return str(Path(str(entry.locate())).resolve())
    return shutil.which("ptxas")


def _assemble(ptx: str, target: str, ptxas: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        run = subprocess.run(
            [ptxas, "-v", f"-arch={target}", "-o", str(Path(folder) / "kernel.cubin"), str(source)],
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode:
        raise RuntimeError(f"ptxas: {run.stderr.strip()}")
    return run.stderr


def _number(pattern: str, text: str) -> int:
    """The largest number that a pattern finds, over all functions in the file."""
    return max((int(found) for found in re.findall(pattern, text)), default=0)


def examine(specimen: Specimen, capability: tuple[int, int], ptxas: str) -> Report:
    """Compile one kernel for one compute capability."""
    from tapegrad_kernels.cuda.shim import cuda

    target = f"sm_{capability[0]}{capability[1]}"
    start = time.perf_counter()
    ptx = said = error = ""
    try:
        bounds = {} if specimen.threads is None else {"launch_bounds": specimen.threads}
        ptx, _ = cuda.compile(
            specimen.kernel.py_func,
            specimen.signature,
            cc=capability,
            device=False,
            abi="numba",
            output="ptx",
            **bounds,
        )
        said = _assemble(ptx, target, ptxas)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    return Report(
        name=specimen.name,
        target=target,
        registers=_number(r"Used (\d+) registers", said),
        shared=_number(r"(\d+) bytes smem", said),
        stack=_number(r"(\d+) bytes stack frame", said),
        spilled=_number(r"(\d+) bytes spill", said),
        allowed_stack=specimen.stack,
        ptx_instructions=sum(
            line.startswith("\t") and line.endswith(";") for line in ptx.splitlines()
        ),
        seconds=time.perf_counter() - start,
        error=error,
    )


def _specimens(only: str) -> list[Specimen]:
    from tapegrad_kernels import cuda
    from tapegrad_kernels.cuda import shim

    dir(cuda)  # imports every module with kernels
    return [specimen for specimen in shim.all_specimens() if only in specimen.name]


def _pretend_device(capability: tuple[int, int]) -> None:
    """Let Numba compile the functions that kernels call as if such a GPU were there."""
    dispatcher: Any = importlib.import_module("numba.cuda.dispatcher")
    device = SimpleNamespace(compute_capability=capability)
    dispatcher.get_current_device = lambda: device


def _examine_share(
    capability: tuple[int, int], share: int, shares: int, only: str, ptxas: str
) -> list[Report]:
    """One process's part of the work; each finds the kernels anew, since they do not pickle."""
    _pretend_device(capability)
    return [examine(chosen, capability, ptxas) for chosen in _specimens(only)[share::shares]]


def examine_all(only: str = "", processes: int | None = None) -> list[Report]:
    """Compile all kernels whose name contains `only`, on all cores."""
    ptxas = find_ptxas()
    if ptxas is None:
        raise RuntimeError(f"ptxas is missing: {NEEDED}")
    processes = processes or os.cpu_count() or 1
    shares = max(1, processes // len(TARGETS))
    # One task a process: what a kernel calls is compiled once in it, for one target.
    with ProcessPoolExecutor(processes, max_tasks_per_child=1) as pool:
        parts = [
            pool.submit(_examine_share, capability, share, shares, only, ptxas)
            for capability in TARGETS
            for share in range(shares)
        ]
        reports = [report for part in parts for report in part.result()]
    order = {specimen.name: place for place, specimen in enumerate(_specimens(only))}
    return sorted(reports, key=lambda report: (order[report.name], report.target))


def table(reports: Iterable[Report]) -> str:
    """The reports as text, a kernel and target a line."""
    lines = [
        f"{'kernel':<52} {'target':<6} {'registers':>9} {'shared':>7} {'stack':>6} "
        f"{'spilled':>8} {'PTX':>6}"
    ]
    for report in reports:
        lines.append(
            f"{report.name:<52} {report.target:<6} {report.registers:>9} {report.shared:>7} "
            f"{report.stack:>6} {report.spilled:>8} {report.ptx_instructions:>6}"
            + ("" if report.good else "  <-- " + (report.error or "spills or has a stack frame"))
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the check; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cuda_static", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--only", default="", help="check only kernels whose name contains this")
    parser.add_argument("--processes", type=int, help="number of processes (default: the cores)")
    chosen = parser.parse_args(arguments)

    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0"):
        print("cuda_static: the simulator has no compiler: unset NUMBA_ENABLE_CUDASIM")
        return 2
    for package in ("numba-cuda", "nvidia-cuda-nvrtc-cu12"):
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            print(f"cuda_static: the package {package} is missing: {NEEDED}")
            return 2
    start = time.perf_counter()
    try:
        reports = examine_all(chosen.only, chosen.processes)
    except RuntimeError as problem:
        print(f"cuda_static: {problem}")
        return 2
    if not reports:
        print(f"cuda_static: no kernel's name contains {chosen.only!r}")
        return 2
    print(table(reports))
    bad = [report for report in reports if not report.good]
    print(
        f"\n{len({r.name for r in reports})} kernels for {len(TARGETS)} targets in "
        f"{time.perf_counter() - start:.0f} s; most registers "
        f"{max(report.registers for report in reports)} of {MOST_REGISTERS}; "
        + (f"{len(bad)} with spills, stack frames or errors" if bad else "no spills")
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
