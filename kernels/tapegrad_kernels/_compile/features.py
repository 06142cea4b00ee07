"""What the CPU that kernels are compiled for can do."""

from __future__ import annotations

import functools
import os
import platform
from typing import Any

import llvmlite.binding as llvm
from numba.core import config as _numba_config

config: Any = _numba_config
"""Numba's settings, which it makes at import from the environment."""


@functools.cache
def cpu_name() -> str:
    """Name of the CPU that Numba generates code for, as LLVM spells it."""
    return str(config.CPU_NAME or llvm.get_host_cpu_name())


@functools.cache
def cpu_features() -> frozenset[str]:
    """Instruction set extensions that Numba generates code for.

    ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` win over what the machine
    reports: LLVM's own query knows nothing of them, and code with wider vectors
    than Numba compiles for would be split, or would not run at all.
    """
    if config.CPU_FEATURES is not None:
        listed = str(config.CPU_FEATURES)
        return frozenset(part[1:] for part in listed.split(",") if part.startswith("+"))
    return frozenset(name for name, present in llvm.get_host_cpu_features().items() if present)


@functools.cache
def vector_bits() -> int:
    """Width in bits of the vectors that kernels are written for: 128, 256 or 512.

    ``TAPEGRAD_VECTOR_BITS`` forces a width. Narrower than the CPU's is always
    right; that is how the portable code is tested on a wide machine.
    """
    forced = os.environ.get("TAPEGRAD_VECTOR_BITS")
    if forced:
        if forced not in {"128", "256", "512"}:
            raise ValueError(f"TAPEGRAD_VECTOR_BITS is {forced!r}; it must be 128, 256 or 512")
        return int(forced)
    features = cpu_features()
    if "avx512f" in features:
        return 512
    # Without fused multiply-add the 256-bit tile gains nothing over plain SSE.
    if "avx2" in features and "fma" in features:
        return 256
    return 128


def describe() -> str:
    """One line for reports: CPU, its vector width and the system."""
    return f"{cpu_name()} ({vector_bits()}-bit vectors), {platform.system()} {platform.machine()}"
