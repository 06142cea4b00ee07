"""Runs elementwise blocks over arrays: the path from a NumPy array to machine code.

An elementwise kernel is a `Block` for each dtype. The functions here bring the
arguments into one shape, dtype and memory order, and call a compiled launcher
that packs the addresses and runs the block: on the calling thread while that is
quicker, in parallel chunks above. Chunks depend on the size alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels._compile import Block, block, native_entry
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import POINTER_TO, address_of, int64_at, pack
from tapegrad_kernels._scalar import functions, losses
from tapegrad_kernels.cpu._basis import cpu_basis

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
REAL_NAMES = ("float32", "float64")


def _run1(address, chunker, launcher, chunk, x, y):  # type: ignore[no-untyped-def]
    record = pack((address_of(x), address_of(y)))
    run_chunks(address, record, y.size, chunk, chunker, launcher)


def _run2(address, chunker, launcher, chunk, a, b, y):  # type: ignore[no-untyped-def]
    record = pack((address_of(a), address_of(b), address_of(y)))
    run_chunks(address, record, y.size, chunk, chunker, launcher)


def _run3(address, chunker, launcher, chunk, a, b, c, y):  # type: ignore[no-untyped-def]
    record = pack((address_of(a), address_of(b), address_of(c), address_of(y)))
    run_chunks(address, record, y.size, chunk, chunker, launcher)


_RUN: dict[int, Any] = {1: _run1, 2: _run2, 3: _run3}


@functools.cache
def _native_run(arity: int, real: str) -> Callable[..., None]:
    """The compiled `_run1`, `_run2` or `_run3` for arrays of a real type."""
    vector = numba.types.Array(numba.from_dtype(np.dtype(real)), 1, "C")
    arguments = (numba.int64,) * 4 + (vector,) * (arity + 1)
    return native_entry(_RUN[arity], f"run{arity}.{real}", *arguments)


def scalar_functions(name: str) -> dict[str, Any]:
    """All shared scalar functions, compiled for the CPU, of one real type."""
    basis = cpu_basis(name)
    defined = vars(functions.build(basis))
    defined.update(vars(losses.build(basis, functions.build(basis))))
    return defined


_SCALAR = {name: scalar_functions(name) for name in REAL_NAMES}


def _make_block(name: str, arity: int, real: str) -> Block:
    function = _SCALAR[real][name]
    at = POINTER_TO[real]

    if arity == 1:

        def loop(record, start, stop):  # type: ignore[no-untyped-def]
            packed = int64_at(record)
            x, y = at(packed[0]), at(packed[1])
            for i in range(start, stop):
                y[i] = function(x[i])

    elif arity == 2:

        def loop(record, start, stop):  # type: ignore[no-untyped-def]
            packed = int64_at(record)
            a, b, y = at(packed[0]), at(packed[1]), at(packed[2])
            for i in range(start, stop):
                y[i] = function(a[i], b[i])

    else:

        def loop(record, start, stop):  # type: ignore[no-untyped-def]
            packed = int64_at(record)
            a, b, c, y = at(packed[0]), at(packed[1]), at(packed[2]), at(packed[3])
            for i in range(start, stop):
                y[i] = function(a[i], b[i], c[i])

    return block(f"{name}.{real}")(loop)


Entry = tuple[Callable[..., None], int, int, int, int]
"""What runs a block, and its arguments before the arrays."""


class Elementwise:
    """One elementwise kernel: a block for each real type and what happens to other types.

    Parameters
    ----------
    name : str
        Name of the shared scalar function.
    arity : int
        Number of array arguments.
    chunk : int
        Elements up to which one thread is quicker, and that a thread takes at a time.
    fallback : callable, optional
        NumPy's function for complex numbers and other types. Without one they are refused.
    """

    def __init__(
        self,
        name: str,
        arity: int,
        chunk: int,
        fallback: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self.fallback = fallback
        self.chunk = chunk
        self.arity = arity
        self.blocks = {np.dtype(real): _make_block(name, arity, real) for real in REAL_NAMES}
        # What a call needs, found by dtype; filled when a block is first used.
        self.entries: dict[Any, Entry] = {}

    def entry(self, dtype: np.dtype[Any]) -> Entry:
        """Compile or load what runs the block for `dtype`, and its arguments before the arrays."""
        run = _native_run(self.arity, dtype.name)
        addresses = (self.blocks[dtype].address, chunk_block.address, parallel_launcher.address)
        self.entries[dtype] = (run, *addresses, self.chunk)
        return self.entries[dtype]

    def prepare(self, arrays: tuple[Any, ...]) -> list[NDArray[Any]]:
        """The arguments as C-contiguous arrays of one real type and shape."""
        converted = [np.asarray(array) for array in arrays]
        dtype = np.result_type(*converted)
        if dtype.kind in "iub":
            dtype = FLOAT64
        elif dtype.kind == "f" and dtype.itemsize != 8:
            dtype = FLOAT32  # float16 is computed in float32, and >f4 in native order
        elif dtype.kind == "f":
            dtype = FLOAT64
        if len(converted) > 1:
            shape = np.broadcast_shapes(*(array.shape for array in converted))
            converted = [np.broadcast_to(array, shape) for array in converted]
        # asarray and not ascontiguousarray, which gives a 0-d array an axis.
        return [np.asarray(array, dtype, order="C") for array in converted]

    def other_type(self, arrays: tuple[Any, ...]) -> NDArray[Any] | None:
        """The result for a type without a kernel, or None if `prepare` can bring it to one."""
        dtype = np.result_type(*(np.asarray(array) for array in arrays))
        if dtype.kind in "iub" or (dtype.kind == "f" and dtype.itemsize in (4, 8)):
            return None
        if self.fallback is not None:
            return np.asarray(self.fallback(*arrays))
        if dtype == np.float16:
            wide = [np.asarray(array, np.float32) for array in arrays]
            call = (map1, map2, map3)[self.arity - 1]
            return call(self, *wide).astype(np.float16)
        raise TypeError(
            f"{self.name}: got an array of {dtype}, expected real numbers; "
            "convert it to float32 or float64"
        )

    def warm(self, real: str) -> None:
        """Compile for one real type, launcher included."""
        x = np.zeros(1, real)
        run, *arguments = self.entry(x.dtype)
        run(*arguments, *(x for _ in range(self.arity)), np.empty(1, real))


def map1(elementwise: Elementwise, x: Any) -> NDArray[Any]:
    """Apply a kernel of one argument."""
    # The common case first, in as few steps as possible: they are most of a small call.
    entry = None
    if type(x) is np.ndarray and x.flags.c_contiguous:
        entry = elementwise.entries.get(x.dtype)
    if entry is None:
        other = elementwise.other_type((x,))
        if other is not None:
            return other
        (x,) = elementwise.prepare((x,))
        entry = elementwise.entries.get(x.dtype) or elementwise.entry(x.dtype)
    y = np.empty(x.shape, x.dtype)
    run, address, chunker, launcher, chunk = entry
    if x.ndim == 1:
        run(address, chunker, launcher, chunk, x, y)
    else:
        run(address, chunker, launcher, chunk, x.reshape(-1), y.reshape(-1))
    return y


def map2(elementwise: Elementwise, a: Any, b: Any) -> NDArray[Any]:
    """Apply a kernel of two arguments, broadcast against each other."""
    entry = None
    if (
        type(a) is np.ndarray
        and type(b) is np.ndarray
        and a.dtype == b.dtype
        and a.shape == b.shape
        and a.flags.c_contiguous
        and b.flags.c_contiguous
    ):
        entry = elementwise.entries.get(a.dtype)
    if entry is None:
        other = elementwise.other_type((a, b))
        if other is not None:
            return other
        a, b = elementwise.prepare((a, b))
        entry = elementwise.entries.get(a.dtype) or elementwise.entry(a.dtype)
    y = np.empty(a.shape, a.dtype)
    run, address, chunker, launcher, chunk = entry
    if a.ndim == 1:
        run(address, chunker, launcher, chunk, a, b, y)
    else:
        flat = a.reshape(-1), b.reshape(-1), y.reshape(-1)
        run(address, chunker, launcher, chunk, *flat)
    return y


def map3(elementwise: Elementwise, a: Any, b: Any, c: Any) -> NDArray[Any]:
    """Apply a kernel of three arguments, broadcast against each other."""
    other = elementwise.other_type((a, b, c))
    if other is not None:
        return other
    a, b, c = elementwise.prepare((a, b, c))
    entry = elementwise.entries.get(a.dtype) or elementwise.entry(a.dtype)
    y = np.empty(a.shape, a.dtype)
    run, *arguments = entry
    run(*arguments, a.reshape(-1), b.reshape(-1), c.reshape(-1), y.reshape(-1))
    return y
