"""Arrays in the GPU's memory: transfers, allocation, views.

Device arrays are Numba's. Numba slices and transposes them only in simple cases,
so views of any shape, strides and offset are made here.

This module imports Numba only when a function needs it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

DeviceArray = Any
"""A Numba device array. Its class depends on the driver or simulator in use."""

SUPPORTED_KINDS = "biuf"
"""Kinds of dtype that kernels take: bool, integers, floats."""


def is_device_array(x: object) -> bool:
    """Whether `x` is an array in a GPU's memory.

    Examples
    --------
    >>> import numpy as np
    >>> is_device_array(np.zeros(3))
    False
    """
    return bool(getattr(type(x), "__cuda_ndarray__", False))


def available() -> bool:
    """Whether a GPU, or Numba's simulator, can be used in this process."""
    from tapegrad_kernels.cuda import shim

    return shim.why_unavailable() is None


def describe() -> str:
    """One line for reports: the GPU in use, or why there is none."""
    from tapegrad_kernels.cuda import shim

    reason = shim.why_unavailable()
    if reason is not None:
        return reason
    if shim.SIMULATED:
        return "Numba's CUDA simulator (NUMBA_ENABLE_CUDASIM=1)"
    device = shim.cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    major, minor = device.compute_capability
    free, total = shim.cuda.current_context().get_memory_info()
    return (
        f"{name} (compute capability {major}.{minor}, "
        f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free)"
    )


def require() -> None:
    """Raise RuntimeError, saying what is missing, unless CUDA can be used here."""
    from tapegrad_kernels.cuda import shim

    reason = shim.why_unavailable()
    if reason is not None:
        raise RuntimeError(reason)


def _shim() -> Any:
    from tapegrad_kernels.cuda import shim

    require()
    return shim


def _check_dtype(dtype: np.dtype[Any], name: str) -> None:
    if dtype.kind not in SUPPORTED_KINDS or (dtype.kind == "f" and dtype.itemsize not in (4, 8)):
        raise TypeError(
            f"{name}: got an array of dtype {dtype}; CUDA kernels take bool, integers, "
            "float32 and float64: convert it with astype first"
        )


def to_device(array: NDArray[Any]) -> DeviceArray:
    """Copy an array to the GPU, in C order.

    Parameters
    ----------
    array : array_like
        Of any shape; bool, integers, float32 or float64.

    Raises
    ------
    RuntimeError
        If no GPU can be used; the message says why.
    TypeError
        If the dtype is not one that kernels take.
    """
    host = np.array(array, order="C", copy=None)
    _check_dtype(host.dtype, "to_device")
    if not host.dtype.isnative:
        host = host.astype(host.dtype.newbyteorder("="))
    shim = _shim()
    return shim.simulated_array(host.copy()) if shim.SIMULATED else shim.cuda.to_device(host)


def to_host(array: DeviceArray) -> NDArray[Any]:
    """Copy a device array of any strides to a new NumPy array in C order."""
    if array.size == 0:
        return np.empty(tuple(array.shape), array.dtype)
    if not is_contiguous(array):
        from tapegrad_kernels.cuda import elementwise

        array = elementwise.copy(array)
    return np.ascontiguousarray(array.copy_to_host()).reshape(tuple(array.shape))


from_device = to_host


def empty(shape: Sequence[int] | int, dtype: DTypeLike = np.float32) -> DeviceArray:
    """A new device array with unset elements, in C order."""
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
    dtype = np.dtype(dtype)
    _check_dtype(dtype, "empty")
    shim = _shim()
    if shim.SIMULATED:
        return shim.simulated_array(np.empty(shape, dtype))
    return shim.cuda.device_array(shape, dtype)


def full(shape: Sequence[int] | int, value: Any, dtype: DTypeLike = np.float32) -> DeviceArray:
    """A new device array with every element set to `value`."""
    out = empty(shape, dtype)
    from tapegrad_kernels.cuda import elementwise

    elementwise.fill(out, value)
    return out


def zeros(shape: Sequence[int] | int, dtype: DTypeLike = np.float32) -> DeviceArray:
    """A new device array of zeros."""
    return full(shape, 0, dtype)


def ones(shape: Sequence[int] | int, dtype: DTypeLike = np.float32) -> DeviceArray:
    """A new device array of ones."""
    return full(shape, 1, dtype)


def contiguous_strides(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Strides in bytes of an array of `shape` in C order.

    Examples
    --------
    >>> contiguous_strides((2, 3), 8)
    (24, 8)
    """
    strides = []
    step = itemsize
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


def is_contiguous(array: DeviceArray) -> bool:
    """Whether the elements lie in C order without gaps."""
    expected = array.dtype.itemsize
    for length, stride in zip(reversed(array.shape), reversed(array.strides), strict=True):
        if length > 1:
            if stride != expected:
                return False
            expected *= length
    return True


class _Window:
    """Memory of the simulator's host array, seen with another shape and strides."""

    def __init__(
        self, base: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> None:
        self.base = base  # keeps the memory alive
        self.__array_interface__ = {
            "version": 3,
            "typestr": base.dtype.str,
            "shape": shape,
            "strides": strides,
            "data": (base.__array_interface__["data"][0] + offset, False),
        }


def view(
    array: DeviceArray, shape: Sequence[int], strides: Sequence[int], offset: int = 0
) -> DeviceArray:
    """The same memory with another shape and strides.

    Parameters
    ----------
    array : device array
    shape : sequence of int
    strides : sequence of int
        In bytes; may be 0 or negative. Nothing checks that they stay inside.
    offset : int, default 0
        In bytes, from the first element of `array`.
    """
    from tapegrad_kernels.cuda import shim

    shape, strides = tuple(shape), tuple(strides)
    if math.prod(shape) == 0:
        return empty(shape, array.dtype)
    if shim.SIMULATED:
        window = _Window(array._ary, offset, shape, strides)
        return shim.simulated_array(np.asarray(window))
    from numba.cuda.cudadrv.devicearray import DeviceNDArray

    data = array.gpu_data
    if offset:
        data = data.view(offset, offset + array.dtype.itemsize)
    return DeviceNDArray(shape, strides, array.dtype, stream=array.stream, gpu_data=data)


def flat(array: DeviceArray) -> DeviceArray:
    """A contiguous array as one axis, without a copy."""
    return view(array, (array.size,), (array.dtype.itemsize,))
