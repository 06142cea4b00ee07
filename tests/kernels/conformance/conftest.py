"""The devices on which the conformance tests run.

The CPU always; CUDA where a GPU is, or under ``NUMBA_ENABLE_CUDASIM=1``, which
`tests/test_cuda_simulator.py` sets in a process of its own.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from tapegrad_kernels import cuda
from tapegrad_kernels.cuda import arrays

BACKENDS = ["cpu", "cuda"] if cuda.available() else ["cpu"]


class Backend:
    """Kernels of one device, called with NumPy arrays and giving NumPy arrays."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kernels = importlib.import_module(f"tapegrad_kernels.{name}")

    def array(self, x: Any) -> Any:
        """Bring an array to the device, with its strides if it is transposed or sliced."""
        if self.name == "cpu" or not isinstance(x, np.ndarray):
            return x
        if x.flags.c_contiguous:
            return cuda.to_device(x)
        backwards = tuple(axis for axis in range(x.ndim) if x.strides[axis] < 0)
        if backwards:
            return cuda.flip(self.array(np.flip(x, backwards)), axis=backwards)
        # The memory that the array spans comes along, gaps included.
        low, high = np.lib.array_utils.byte_bounds(x)
        item = x.dtype.itemsize
        memory = np.lib.stride_tricks.as_strided(x, ((high - low) // item,), (item,))
        return arrays.view(cuda.to_device(memory.copy()), x.shape, x.strides)

    def host(self, x: Any) -> Any:
        """Bring a result back."""
        if isinstance(x, tuple):
            return tuple(self.host(part) for part in x)
        return cuda.to_host(x) if cuda.is_device_array(x) else x

    def run(self, name: str, *args: Any, **params: Any) -> Any:
        """Call a kernel by name."""
        moved = {key: self.array(value) for key, value in params.items()}
        function = getattr(self.kernels, name)
        return self.host(function(*(self.array(x) for x in args), **moved))


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Kernels of each device that this process can use."""
    return Backend(request.param)
