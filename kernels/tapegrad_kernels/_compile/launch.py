"""Run a block over a range: on one thread when it is small, on all when it pays."""

from __future__ import annotations

import numba

from tapegrad_kernels._compile.kernel import block, kernel
from tapegrad_kernels._compile.pointers import call_block, int64_at, num_threads, pack
from tapegrad_kernels._compile.pool import pool_serves, run_in_pool


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
    if num_threads() > 1:
        if run_in_pool(packed[0], packed[1], packed[2]):
            return
        if pool_serves():
            for part in range(packed[2]):
                call_block(packed[0], packed[1], part, part + 1)
            return
    _run_parallel(packed[0], packed[1], packed[2])


@block("pool_launcher")
def pool_launcher(record, start, stop):  # type: ignore[no-untyped-def]
    """Run a block's parts with the threads that are awake, or else on this one alone.

    For work that pays on several threads only if none of them has to be woken.
    """
    packed = int64_at(record)
    if num_threads() == 1 or not run_in_pool(packed[0], packed[1], packed[2]):
        call_block(packed[0], packed[1], 0, packed[2])


@block("chunk")
def chunk_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Run chunk number `start` of another block: what `parallel_launcher` runs in parallel."""
    packed = int64_at(record)
    count, chunk = packed[2], packed[3]
    call_block(packed[0], packed[1], start * chunk, min(stop * chunk, count))


@kernel(inline=True)
def run_chunks(address, record, count, chunk, chunker, launcher):  # type: ignore[no-untyped-def]
    """Run a block over ``range(count)`` from inside a kernel.

    `chunker` and `launcher` are the addresses of `chunk_block` and `parallel_launcher`, passed
    in so that no parallel region is compiled into the caller.
    """
    if count <= chunk:
        call_block(address, record, 0, count)
    else:
        inner = pack((address, record, count, chunk))
        call_block(launcher, pack((chunker, inner, (count + chunk - 1) // chunk)), 0, 1)
