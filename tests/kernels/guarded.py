"""Arrays beside memory that must not be touched: a script that `test_memory_bounds` runs.

Kernels take addresses, which no bounds check sees. Here every array, those that
kernels make for themselves included, ends (or starts) at a page that the process may neither
read nor write: one element too far ends the process.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import runpy
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
PAGE = mmap.PAGESIZE
_empty = np.empty


class _Memory:
    """Pages between two that are closed, for numpy to hold on to."""

    def __init__(self, count: int, at_end: bool) -> None:
        inside = max(1, -(-count // PAGE)) * PAGE
        whole = inside + 2 * PAGE
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        address = _libc.mmap(None, whole, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        if address == ctypes.c_void_p(-1).value:
            raise MemoryError
        for closed in (address, address + PAGE + inside):
            if _libc.mprotect(closed, PAGE, 0):
                raise OSError(ctypes.get_errno(), "mprotect")
        weakref.finalize(self, _libc.munmap, address, whole)
        first = address + PAGE + (inside - count if at_end else 0)
        self.__array_interface__ = {
            "shape": (count,),
            "typestr": "|u1",
            "data": (first, False),
            "version": 3,
        }


def guard(at_end: bool) -> None:
    """Make `numpy.empty` give guarded arrays from now on."""

    def empty(shape: Any, dtype: Any = float, order: str = "C", **more: Any) -> np.ndarray:
        dtype = np.dtype(dtype)
        sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        if dtype.hasobject or order != "C" or more:
            return _empty(shape, dtype, order, **more)
        count = int(np.prod(sizes, dtype=np.int64)) * dtype.itemsize
        if count == 0:
            return _empty(shape, dtype)
        memory = np.asarray(_Memory(count, at_end))
        memory[...] = 0xFF  # integers of -1 and floats of NaN, should anything read them
        return memory.view(dtype).reshape(sizes)

    np.empty = empty


def guarded(value: Any) -> Any:
    """An array's copy in guarded memory; anything else as it is."""
    if type(value) is not np.ndarray or not value.flags.c_contiguous:
        return value
    copy = np.empty(value.shape, value.dtype)
    copy[...] = value
    return copy


def main(where: str, workload: str) -> None:
    """Run a workload with all arguments and results of kernels guarded."""
    guard(where == "end")
    from tapegrad_kernels import cpu  # binds the guarded `numpy.empty`

    for name in cpu.__all__:
        function = getattr(cpu, name)
        if isinstance(function, np.ufunc):
            continue

        @functools.wraps(function)
        def call(*args: Any, _function: Any = function, **params: Any) -> Any:
            params = {key: guarded(value) for key, value in params.items()}
            return _function(*map(guarded, args), **params)

        setattr(cpu, name, call)
    results = runpy.run_path(workload)["results"]()
    for name, arrays in results.items():
        for array in arrays:
            if array.dtype.kind == "f" and np.isnan(array).any():
                raise AssertionError(f"{name}: an element of the result was not written")
    print(Path(workload).stem, sum(len(arrays) for arrays in results.values()))


if __name__ == "__main__":
    main(*sys.argv[1:])
