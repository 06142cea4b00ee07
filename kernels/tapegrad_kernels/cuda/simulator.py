"""What Numba's CUDA simulator needs to be right and quick enough for tests.

It runs one Python thread for each CUDA thread. Loaded by `shim` where
``NUMBA_ENABLE_CUDASIM=1`` is set.
"""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

import numba
import numpy as np
from numba.np.numpy_support import as_dtype

_FakeArray: Any = importlib.import_module("numba.cuda.simulator.cudadrv.devicearray").FakeCUDAArray
_FakeShared: Any = importlib.import_module("numba.cuda.simulator.kernelapi").FakeCUDAShared


class SimulatedArray(_FakeArray):
    """A host array as a device array, with a plain tuple as its shape.

    The simulator's own shapes refuse ``shape[-1]``, which real device arrays allow.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(self._ary.shape)

    def __getitem__(self, index: Any) -> Any:
        part = self._ary[index]
        return SimulatedArray(part) if isinstance(part, np.ndarray) else part

    def reshape(self, *shape: Any) -> Any:
        """The same elements in another shape."""
        return SimulatedArray(self._ary.reshape(*shape))


_allocation = threading.Lock()


def _shared_array(self: Any, shape: Any, dtype: Any, alignment: int | None = None) -> Any:
    """Shared memory that all threads of a block get from one place in a kernel.

    The simulator looks whether the memory exists and makes it in two steps, between which
    another thread can come: each would then share with itself alone.
    """
    frame = sys._getframe(1)
    place = frame.f_code, frame.f_lasti
    with _allocation:
        if place not in self._allocations:
            is_numba = isinstance(dtype, numba.types.Type)
            kind = as_dtype(dtype) if is_numba else dtype
            self._allocations[place] = np.empty(shape, kind)
        return self._allocations[place]


def prepare() -> None:
    """Adjust the simulator, once in a process."""
    _FakeShared.array = _shared_array
    # Threads wait for each other at every barrier, in turns of this length.
    sys.setswitchinterval(1e-5)
