"""Kernels for NVIDIA GPUs: a table of contents.

===================  ===========================================================
module               subject
===================  ===========================================================
``arrays``           arrays on the GPU: transfers, allocation, views
``tiled_gemm``       matrix products: gemm, matmul, dense
``elementwise``      NumPy's universal functions, activations, derivatives
``reductions``       sum, mean, prod, max, min, all, any, argmax, argmin
``scans``            cumsum, cumprod
``row_softmax``      softmax, cross-entropies and their derivatives
``optimizers``       in-place parameter updates
``random``           counter-based random numbers (Philox), the CPU's bits
``shaping``          shape, indexing, selection
``scalar``           what elementwise operations do to one element
``layout``           broadcasting and merging of axes, before a launch
``library``          the device's math library, and its basis for shared formulas
``shim``             the one place that imports Numba's CUDA target
``simulator``        what Numba's simulator needs to be right and quick
===================  ===========================================================

The functions have the names and arguments of `tapegrad_kernels.cpu`; they take
and return device arrays. What a GPU lacks is absent here, and asking for it
raises AttributeError.

Numba is imported when a kernel is first asked for. Without the package
``numba-cuda`` that raises ImportError, and without a GPU `to_device` raises
RuntimeError; both say what to install.

Examples
--------
>>> from tapegrad_kernels import cuda
>>> isinstance(cuda.available(), bool)
True
"""

from __future__ import annotations

import importlib
from typing import Any

from tapegrad_kernels.cuda.arrays import (
    available,
    describe,
    empty,
    from_device,
    full,
    is_device_array,
    ones,
    require,
    to_device,
    to_host,
    zeros,
)

_KERNEL_MODULES = (
    "elementwise",
    "tiled_gemm",
    "reductions",
    "scans",
    "row_softmax",
    "optimizers",
    "random",
    "shaping",
)

_SUBMODULES = frozenset(
    {*_KERNEL_MODULES, "arrays", "layout", "library", "scalar", "shim", "simulator"}
)

__all__ = [
    "available",
    "describe",
    "empty",
    "from_device",
    "full",
    "is_device_array",
    "ones",
    "require",
    "to_device",
    "to_host",
    "zeros",
]


def _kernel_modules() -> list[Any]:
    return [importlib.import_module(f"{__name__}.{module}") for module in _KERNEL_MODULES]


def __getattr__(name: str) -> Any:
    # Python asks for dunder names at inspections, and for submodules before it imports them.
    if not name.startswith("_") and name not in _SUBMODULES:
        for module in _kernel_modules():
            if name in module.__all__:
                function = getattr(module, name)
                globals()[name] = function
                return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for module in _kernel_modules() for name in module.__all__)})
