"""Thread layer and number of threads.

Numba can run ``prange`` on three layers. TBB starts a region in 1.5 µs, also
when all cores are busy, and several Python threads may enter it at once. OpenMP
is as quick on an idle machine. The third, workqueue, needs 50 µs a region and
aborts the process when two Python threads meet in it; it is used only if asked
for by ``NUMBA_THREADING_LAYER=workqueue``, and kernels run serially otherwise.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import sys
import warnings
from typing import Any

import numba
from numba.np.ufunc import parallel as _numba_parallel

from tapegrad_kernels._compile.features import config

_layer: str | None = None
_loaded_library: Any = None  # keeps the handle of TBB alive


def _load_tbb() -> None:
    """Load the TBB library of the `tbb` distribution into the process.

    pip puts ``libtbb.so.12`` into the environment's ``lib`` folder, which the
    dynamic loader does not search; once loaded globally, Numba's own request for
    it by name succeeds.
    """
    global _loaded_library
    wanted = {"win32": "tbb12.dll", "darwin": "libtbb.12.dylib"}.get(sys.platform, "libtbb.so.12")
    try:
        files = importlib.metadata.files("tbb") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for entry in files:
        if entry.name == wanted:
            try:
                _loaded_library = ctypes.CDLL(
                    os.path.realpath(entry.locate()), mode=ctypes.RTLD_GLOBAL
                )
            except OSError:
                continue
            return


def _start() -> str:
    """Choose and start the thread layer; called once, before any parallel kernel."""
    asked = str(config.THREADING_LAYER).lower()
    if asked == "default":
        _load_tbb()
        config.THREADING_LAYER = "threadsafe"
    elif asked == "tbb":
        _load_tbb()
    try:
        _numba_parallel._launch_threads()
    except ValueError:
        warnings.warn(
            "neither TBB nor OpenMP could be loaded: kernels run on one thread. "
            "`pip install tbb` brings TBB",
            RuntimeWarning,
            stacklevel=3,
        )
        # One thread never meets itself, so the third layer is safe here.
        config.THREADING_LAYER = "workqueue"
        config.NUMBA_NUM_THREADS = 1
        _numba_parallel._launch_threads()
        return "serial"
    return str(_numba_parallel.threading_layer())


def thread_layer() -> str:
    """Name of the thread layer in use: ``tbb``, ``omp``, ``workqueue`` or ``serial``."""
    global _layer
    if _layer is None:
        _layer = _start()
    return _layer


def get_num_threads() -> int:
    """Number of threads that parallel kernels use in this Python thread."""
    thread_layer()
    return int(numba.get_num_threads())


def most_threads() -> int:
    """Largest number of threads that this process can use."""
    thread_layer()
    return int(config.NUMBA_NUM_THREADS)


def set_num_threads(count: int) -> None:
    """Use `count` threads for kernels called from this Python thread.

    Parameters
    ----------
    count : int
        From 1 to the number the process started with (the number of cores, or
        ``NUMBA_NUM_THREADS``). The results of kernels do not depend on it.

    Raises
    ------
    ValueError
        If `count` is outside that range.
    """
    most = most_threads()
    if not 1 <= int(count) <= most:
        raise ValueError(
            f"set_num_threads: got {count}, but this process can use 1 to {most} threads; "
            "start it with the environment variable NUMBA_NUM_THREADS set for more"
        )
    numba.set_num_threads(int(count))


thread_layer()
