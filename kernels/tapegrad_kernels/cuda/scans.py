"""Running sums and products along an axis, in an order that depends on sizes alone.

A block of threads takes one row, a stretch of it at a time. Within a stretch every
thread joins its value with that of a neighbour 1, 2, 4, … places before [1]_; the
last value of a stretch is carried into the next.

.. [1] W. D. Hillis and G. L. Steele, "Data parallel algorithms", Commun. ACM 29, 1986.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np

from tapegrad_kernels.cuda import arrays, elementwise, layout, shaping
from tapegrad_kernels.cuda.reductions import as_rows, most_blocks, sum_dtype
from tapegrad_kernels.cuda.scalar import device_operation
from tapegrad_kernels.cuda.shim import THREADS, Specimen, cuda, kernel, specimens


@functools.cache
def _scan_kernel(operation: str, dtype: str) -> Any:
    real = np.dtype(dtype)
    element = numba.from_dtype(real)
    cast = real.type
    neutral = cast(0 if operation == "add" else 1)
    combine = device_operation(operation, dtype)

    @kernel
    def scan_rows(x, y):  # type: ignore[no-untyped-def]
        shared = cuda.shared.array(THREADS, element)
        thread = np.uint32(cuda.threadIdx.x)
        inner, length = x.shape[1], x.shape[2]
        for row in range(cuda.blockIdx.x, x.shape[0] * inner, cuda.gridDim.x):
            i, j = row // inner, row % inner
            carried = neutral
            for start in range(0, length, THREADS):
                place = start + thread
                value = cast(x[i, j, place]) if place < length else neutral
                cuda.syncthreads()  # the last stretch has been read
                shared[thread] = value
                cuda.syncthreads()
                reach = 1
                while reach < THREADS:
                    if thread >= reach:
                        value = cast(combine(shared[thread - reach], value))
                    cuda.syncthreads()
                    shared[thread] = value
                    cuda.syncthreads()
                    reach *= 2
                if place < length:
                    y[i, j, place] = combine(carried, value)
                carried = cast(combine(carried, shared[THREADS - 1]))

    return scan_rows


def _scan(name: str, operation: str, x: Any, axis: int | None, reverse: bool) -> Any:
    elementwise.check_operands(name, [x])
    if reverse:
        turned = shaping.flip(arrays.flat(x) if axis is None else x, axis=axis or 0)
        return shaping.flip(_scan(name, operation, turned, axis or 0, False), axis=axis or 0)
    x = elementwise.contiguous(x)
    if axis is None:
        x = arrays.flat(x)
        axis = 0
    axes = layout.normalize_axes(name, axis, x.ndim)
    dtype = sum_dtype(x.dtype)
    out = arrays.empty(x.shape, dtype)
    if out.size:
        # Contiguous arrays of one shape merge their axes alike, always into a view.
        (rows, _), (results, _) = as_rows(x, axes), as_rows(out, axes)
        blocks = most_blocks(out.size // rows.shape[2])
        _scan_kernel(operation, dtype.name)[blocks, THREADS](rows, results)
    return out


def cumsum(x: Any, *, axis: int | None = None, reverse: bool = False) -> Any:
    """Running sums along an axis, or over the flattened array, from the end with `reverse`."""
    return _scan("cumsum", "add", x, axis, reverse)


def cumprod(x: Any, *, axis: int | None = None, reverse: bool = False) -> Any:
    """Running products along an axis, or over the flattened array, from the end with `reverse`."""
    return _scan("cumprod", "multiply", x, axis, reverse)


__all__ = ["cumprod", "cumsum"]


@specimens
def _scan_specimens() -> Iterator[Specimen]:
    for dtype in ("float32", "float64"):
        rows = getattr(numba, dtype)[:, :, :]
        for operation in ("add", "multiply"):
            yield Specimen(
                f"running {operation} {dtype}",
                _scan_kernel(operation, dtype),
                (rows, rows),
            )
