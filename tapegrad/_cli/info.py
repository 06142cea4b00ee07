"""The command ``info``: what a report of a fault, or of a speed, should say."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path

_LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "tbb", "numba-cuda", "matplotlib")
_SHOWN_FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512vl", "neon", "sve")


def run() -> int:
    """Print versions, CPU, threads, the kernel cache and CUDA devices."""
    from tapegrad import __version__
    from tapegrad_kernels._compile import features, get_num_threads, thread_layer
    from tapegrad_kernels._compile.cache import folder

    lines = [
        ("tapegrad", __version__),
        ("Python", f"{platform.python_version()} ({sys.executable})"),
        *((name, _version(name)) for name in _LIBRARIES),
        ("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("CPU", features.cpu_name()),
        ("CPU features", _features(features.cpu_features())),
        ("vector width", f"{features.vector_bits()} bits"),
        ("cores", str(os.cpu_count())),
        ("threads", f"{get_num_threads()}, layer {thread_layer()}"),
        ("kernel cache", _cache(folder())),
        ("CUDA", _cuda()),
    ]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:{width}}  {value}")
    return 0


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _features(present: frozenset[str]) -> str:
    shown = [name for name in _SHOWN_FEATURES if name in present]
    return " ".join(shown) or "none of " + " ".join(_SHOWN_FEATURES)


def _cache(place: Path | None) -> str:
    if place is None:
        return "none: no folder can be written; TAPEGRAD_CACHE_DIR chooses one"
    sizes = [file.stat().st_size for file in place.iterdir() if file.is_file()]
    return f"{place} ({len(sizes)} files, {sum(sizes) / 2**20:.1f} MiB)"


def _cuda() -> str:
    from tapegrad_kernels import cuda

    return cuda.describe()
