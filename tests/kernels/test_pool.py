"""Threads that stay awake: every part runs once, whoever runs it."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from numba import types

from tapegrad_kernels._compile import block, get_num_threads, native_entry, set_num_threads
from tapegrad_kernels._compile.launch import pool_launcher
from tapegrad_kernels._compile.pointers import address_of, call_block, int64_at, pack
from tapegrad_kernels._compile.pool import MOST_PARTS, SPIN_SECONDS, pool
from tapegrad_kernels._compile.threads import most_threads

pytestmark = pytest.mark.skipif(most_threads() == 1, reason="there is one thread only")


@block("test_pool_count")
def count_parts(record, start, stop):  # type: ignore[no-untyped-def]
    counts = int64_at(int64_at(record)[0])
    for part in range(start, stop):
        counts[part] += part + 1


def _repeat(launcher, worker, counts, parts, times):  # type: ignore[no-untyped-def]
    record = pack((address_of(counts),))
    for _ in range(times):
        call_block(launcher, pack((worker, record, parts)), 0, 1)


def _run(parts: int, times: int) -> np.ndarray:
    integer, integers = types.int64, types.Array(types.int64, 1, "C")
    repeat = native_entry(_repeat, "test_pool_repeat", integer, integer, integers, integer, integer)
    counts = np.zeros(parts, np.int64)
    repeat(pool_launcher.address, count_parts.address, counts, parts, times)
    return counts


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 64, 1000, MOST_PARTS, MOST_PARTS + 1])
def test_every_part_runs_once(parts):
    pool.wake(most_threads())
    times = 3 if parts > 1000 else 200
    np.testing.assert_array_equal(_run(parts, times), np.arange(1, parts + 1) * times)


def test_threads_go_to_sleep_and_are_called_again():
    for _ in range(3):
        pool.wake(most_threads())
        _run(4, 10)
        deadline = time.monotonic() + 10
        while pool._awake[0] and time.monotonic() < deadline:
            time.sleep(SPIN_SECONDS)
        assert pool._awake[0] == 0
    assert pool._threads <= most_threads() - 1


def test_several_python_threads_at_once():
    wrong = []

    def work():
        for _ in range(50):
            pool.wake(most_threads())
            if not np.array_equal(_run(5, 20), np.arange(1, 6) * 20):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_one_thread_is_one_thread():
    before = get_num_threads()
    set_num_threads(1)
    try:
        pool.wake(get_num_threads())
        np.testing.assert_array_equal(_run(3, 5), [5, 10, 15])
    finally:
        set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.skipif(sys.platform == "darwin", reason="forked processes may not start threads")
def test_after_a_fork_there_are_no_threads():
    pool.wake(most_threads())
    _run(4, 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns that there are threads
        child = os.fork()
    if child == 0:
        good = pool._threads == 0 and np.array_equal(_run(4, 10), np.arange(1, 5) * 10)
        os._exit(0 if good else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
