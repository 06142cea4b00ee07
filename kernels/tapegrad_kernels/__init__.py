"""Numba kernels for arrays: floor 0 of tapegrad.

Arrays in, arrays out. Nothing here knows of tensors, tapes or layers, and the
package can be used without the rest of tapegrad::

    from tapegrad_kernels import cpu

    cpu.gemm(a, b, bias=c, activation="relu")

``cpu`` holds the kernels for the processor and ``cuda`` their twins for NVIDIA
GPUs, under the same names and with the same arguments. Both are imported when
first asked for, because importing Numba takes a third of a second.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapegrad_kernels import cpu, cuda

__all__ = ["cpu", "cuda"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
