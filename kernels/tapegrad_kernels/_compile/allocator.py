"""Keeping freed memory for the next array, where the C library is glibc.

A training step frees and makes arrays of the same sizes again and again. By default
glibc hands freed memory at the end of the heap back to the system, and each array that
takes it again is paged in anew: for results of some megabytes that takes longer than
many a kernel. Here up to `KEPT_BYTES` of freed memory stay with the process.

Nothing is changed if the environment sets glibc's own variables (``MALLOC_…_``,
``GLIBC_TUNABLES``) or ``TAPEGRAD_KEEP_MEMORY=0``.
"""

from __future__ import annotations

import ctypes
import os
import sys

KEPT_BYTES = 256 << 20
"""Free memory at the end of the heap that is kept."""
LARGEST_IN_HEAP = 32 << 20
"""Arrays above this are given back when they are freed, as glibc does by itself."""

# Numbers of the parameters in glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_OWN_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed memory; return whether it will."""
    if not sys.platform.startswith("linux") or os.environ.get("TAPEGRAD_KEEP_MEMORY") == "0":
        return False
    tuned = "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if tuned or any(name in os.environ for name in _OWN_VARIABLES):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False  # musl, whose allocator has no such parameters
    library.mallopt.argtypes = [ctypes.c_int, ctypes.c_int]
    kept = library.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
    return bool(kept and library.mallopt(_M_MMAP_THRESHOLD, LARGEST_IN_HEAP))
