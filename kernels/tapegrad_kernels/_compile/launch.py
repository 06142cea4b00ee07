"""Run a block over a range: on one thread when it is small, on all when it pays."""

from __future__ import annotations

import numba

from tapegrad_kernels._compile.kernel import block, kernel
from tapegrad_kernels._compile.pointers import address_of, call_block, int64_at


@kernel(parallel=True)
def _launch_parallel(address, record, count, chunk):  # type: ignore[no-untyped-def]
    packed = address_of(record)
    for part in numba.prange((count + chunk - 1) // chunk):
        start = part * chunk
        call_block(address, packed, start, min(start + chunk, count))


@kernel
def _launch_serial(address, record, count):  # type: ignore[no-untyped-def]
    call_block(address, address_of(record), 0, count)


@kernel
def launch(address, record, count, chunk):  # type: ignore[no-untyped-def]
    """Run the block at `address` over ``range(count)``.

    Parameters
    ----------
    address : int
        `Block.address`.
    record : ndarray of int64
        Packed arguments: addresses, sizes, floats as their bits.
    count : int
        Number of elements or rows.
    chunk : int
        How many of them one call of the block handles at most. The cut depends
        on sizes alone, never on the number of threads, so results do not either.
    """
    if count <= chunk:
        _launch_serial(address, record, count)
    else:
        _launch_parallel(address, record, count, chunk)


@kernel(parallel=True)
def _run_parallel(address, record, count):  # type: ignore[no-untyped-def]
    for part in numba.prange(count):
        call_block(address, record, part, part + 1)


@block("parallel_launcher")
def parallel_launcher(record, start, stop):  # type: ignore[no-untyped-def]
    """Run a block's parts, each on its own, on all threads.

    The record holds the block's address, its record's address and the number of
    parts. As a block this is itself reached by address: a kernel that calls it
    so gets a parallel region without compiling one.
    """
    packed = int64_at(record)
    _run_parallel(packed[0], packed[1], packed[2])
