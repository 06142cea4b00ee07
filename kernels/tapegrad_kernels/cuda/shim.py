"""The one place that imports Numba's CUDA target.

``numba-cuda`` installs itself as ``numba.cuda``. Everything that this package
takes from it goes through this file, so that a change of compiler stays small.

Kernels are compiled lazily, for the GPU that is there, when first launched. With
``NUMBA_ENABLE_CUDASIM=1`` in the environment Numba runs them in Python instead,
one Python thread for each CUDA thread: slow, but right, and without a GPU.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba.core import config

INSTALL = 'pip install "tapegrad[cuda12]" (or "tapegrad[cuda13]" for a CUDA 13 driver)'

SIMULATED = bool(getattr(config, "ENABLE_CUDASIM", 0))
"""Whether kernels run in Numba's simulator."""

cuda: Any = None
libdevice: Any = None
"""NVIDIA's math library; the simulator has none."""

if importlib.util.find_spec("numba_cuda") is not None:
    cuda = importlib.import_module("numba.cuda")
    # A small grid is what a small array needs; a warning at each one helps nobody.
    setattr(importlib.import_module("numba.cuda.core.config"), "CUDA_LOW_OCCUPANCY_WARNINGS", 0)  # noqa: B010
    if SIMULATED:
        importlib.import_module("tapegrad_kernels.cuda.simulator").prepare()
    else:
        libdevice = importlib.import_module("numba.cuda.libdevice")

SHARED_ALIGNMENT = 16
"""Alignment of shared memory in bytes, so that it can be read 16 bytes at a time."""


_INLINE: dict[str, Any] = {} if SIMULATED else {"forceinline": True}


def simulated_array(array: np.ndarray[Any, Any]) -> Any:
    """A host array as the simulator's device array."""
    from tapegrad_kernels.cuda.simulator import SimulatedArray

    return SimulatedArray(array)


def _require_numba_cuda() -> None:
    if cuda is None:
        raise ImportError(f"CUDA kernels need the package numba-cuda, which is missing: {INSTALL}")


def why_unavailable() -> str | None:
    """One sentence that says why CUDA cannot be used here, or None if it can."""
    if cuda is None:
        return f"CUDA kernels need the package numba-cuda, which is missing: {INSTALL}"
    if SIMULATED:
        return None
    try:
        if cuda.is_available():
            return None
    except Exception as error:  # a broken driver can raise nearly anything
        reason = " ".join(str(error).split())
        return f"no CUDA GPU can be used ({reason}): update the NVIDIA driver, or {INSTALL}"
    return (
        "no CUDA GPU or no driver was found: install the NVIDIA driver and "
        f"{INSTALL}, or set NUMBA_ENABLE_CUDASIM=1 to run the kernels, slowly, in Numba's simulator"
    )


def kernel(function: Callable[..., Any] | None = None, *, threads: int | None = None) -> Any:
    """Compile a function as a kernel when it is first launched.

    Parameters
    ----------
    threads : int, optional
        The largest block it will be launched with. The compiler then knows how
        many registers a thread may use.
    """
    _require_numba_cuda()
    options = {} if threads is None or SIMULATED else {"launch_bounds": threads}

    def compile_lazily(function: Callable[..., Any]) -> Any:
        return cuda.jit(**options)(function)

    return compile_lazily if function is None else compile_lazily(function)


def device_function(function: Callable[..., Any]) -> Any:
    """Make a function callable from kernels; it is inlined into them."""
    _require_numba_cuda()
    return cuda.jit(device=True, **_INLINE)(function)


THREADS = 4 if SIMULATED else 256
"""Threads of a block in kernels without a shape of their own. The simulator pays
for each thread, so it gets few, yet enough for several blocks and a ragged end."""

_MOST_BLOCKS = 2 if SIMULATED else 4096


def grid_for(count: int, threads: int = THREADS) -> tuple[int, int]:
    """Grid and block for a kernel that strides over `count` elements."""
    return max(1, min(-(-count // threads), _MOST_BLOCKS)), threads


@dataclass(frozen=True)
class Specimen:
    """A kernel with representative argument types, for the static check.

    Attributes
    ----------
    name : str
        What the check's table calls it.
    kernel : dispatcher
        The kernel, as `kernel` made it.
    signature : tuple of numba types
        Types of the arguments.
    threads : int, optional
        Launch bounds it was made with.
    stack : int, default 0
        Bytes of stack frame that are expected, for kernels that need local memory.
    """

    name: str
    kernel: Any
    signature: tuple[Any, ...]
    threads: int | None = None
    stack: int = 0


_specimens: list[Callable[[], Iterator[Specimen]]] = []


def specimens(source: Callable[[], Iterator[Specimen]]) -> Callable[[], Iterator[Specimen]]:
    """Register a generator of a module's kernels for the static check."""
    _specimens.append(source)
    return source


def all_specimens() -> Iterator[Specimen]:
    """Every registered kernel of the modules that are imported."""
    for source in _specimens:
        yield from source()
