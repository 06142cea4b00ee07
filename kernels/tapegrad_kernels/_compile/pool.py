"""Threads that stay awake between the kernels of a program.

The threads of Numba's layers fall asleep soon after a parallel region, and waking one takes as
long as many a kernel. While a program runs, threads of this pool therefore wait for the next
region with open eyes: handing one over takes a fraction of a microsecond. Some time after it has
ended they go to sleep, so that an idle process costs nothing. (They do not use the processor's
instruction for such waiting: on virtual machines many of them in a row give the core away.)

A region is a block and a number of parts. Its owner takes parts from the first on and the pool
from the last, until none is left, so that each mostly works where it worked the time before:
whoever is not there, because the system runs something else on its core, is not waited for, but
for the part that it has begun. Which thread runs a part decides on no bit of the result.

A thread whose core the system gives to another process in the middle of a part does keep the
owner waiting. After that has happened the pool rests for a while: on a machine that is busy
already, one thread is quicker than two.

The state is one array of 64-bit words. The *ticket* word holds the number of the region, of its
parts, and of parts taken from either end, so that one atomic addition takes a part and says of
which region. The block and record of a region stand in one of `_SLOTS` slots, by its number. A
slot is written again long after; and whoever has taken a part of a region keeps its owner from
ending it.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types

from tapegrad_kernels._compile.features import config
from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels._compile.kernel import kernel, native_entry
from tapegrad_kernels._compile.pointers import call_block, cycles, int64_at

_INT64 = ir.IntType(64)

# Words of the state, each on a cache line of its own. The first is the spinning time in cycles.
_LINE = 8
_SPIN = 0
_PAUSE_LENGTH = 1
_TICKET, _OWNED, _AWAKE, _PAUSED, _RUNNING = _LINE, 2 * _LINE, 3 * _LINE, 4 * _LINE, 5 * _LINE
_SLOT_WORDS, _SLOTS = _LINE, 64
_FIRST_SLOT = 6 * _LINE
# Parts of the ticket word, from the lowest bit: how many parts the pool has taken, how many the
# owner, how many there are, and the number of the region.
_PART_BITS = 16
_MASK = (1 << _PART_BITS) - 1
_OWN = 1 << _PART_BITS
MOST_PARTS = 1 << (_PART_BITS - 1)
"""Parts of a region; the counters of parts taken go a little beyond them."""
_REGION_MASK = (1 << (63 - 3 * _PART_BITS)) - 1

SPIN_SECONDS = 200e-6
"""How long a thread waits for the next program before it goes to sleep."""
SHORTEST_PAUSE, LONGEST_PAUSE = 25, 500
"""For how many times `SPIN_SECONDS` the pool is left alone after a thread came late: twice as long
each time, as long as that goes on."""

_SYMBOL = "tapegrad_thread_pool"


@intrinsic
def pool_state(typing_context: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """Address of the pool's state.

    It is a symbol that is resolved when machine code is loaded, so that the code can be kept.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        module = builder.module
        symbol = module.globals.get(_SYMBOL)
        if symbol is None:
            symbol = ir.GlobalVariable(module, _INT64, _SYMBOL)
            symbol.linkage = "external"
        return builder.ptrtoint(symbol, _INT64)

    return types.int64(), generate


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _INT64.as_pointer())


@intrinsic
def atomic_add(typing_context: Any, address: Any, value: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """Add to a word, and return what it was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(builder, arguments[0]), arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def atomic_load(typing_context: Any, address: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """A word, as other threads have left it; what they wrote before it is seen too."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(builder, arguments[0]), "acquire", 8, typ=_INT64)

    return types.int64(types.int64), generate


@intrinsic
def atomic_store(typing_context: Any, address: Any, value: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """Write a word after everything that was written before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[1], _pointer(builder, arguments[0]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@kernel(inline=True)
def _is_ready(state):  # type: ignore[no-untyped-def]
    """Whether a thread is awake, and none came late a moment ago."""
    until = atomic_load(state + 8 * _PAUSED)
    if until != 0:
        if cycles() < until:
            return False
        atomic_store(state + 8 * _PAUSED, 0)
    return atomic_load(state + 8 * _AWAKE) > 0


@kernel(inline=True)
def count_program(change):  # type: ignore[no-untyped-def]
    """Tell the pool that a program begins (1) or ends (-1): its threads do not sleep meanwhile."""
    atomic_add(pool_state() + 8 * _RUNNING, change)


@kernel(inline=True)
def pool_serves():  # type: ignore[no-untyped-def]
    """Whether a program is running, whose regions are the pool's alone.

    The threads of Numba's layer also wait with open eyes for a while after a region. On a core
    that both wanted, each would come late for the other.
    """
    state = pool_state()
    return int64_at(state)[_SPIN] > 0 and atomic_load(state + 8 * _RUNNING) > 0


@kernel(inline=True)
def pool_is_awake():  # type: ignore[no-untyped-def]
    """Whether a thread of the pool is waiting for work."""
    return _is_ready(pool_state())


@kernel(inline=True)
def run_in_pool(block, record, count):  # type: ignore[no-untyped-def]
    """Run the parts of a region, with those threads of the pool that are awake.

    Returns whether it ran: it does not if no thread is awake, or another region is running.
    """
    state = pool_state()
    if count > MOST_PARTS or not _is_ready(state):
        return False
    if atomic_add(state + 8 * _OWNED, 1) != 0:
        atomic_add(state + 8 * _OWNED, -1)
        return False
    ticket = state + 8 * _TICKET
    region = ((atomic_load(ticket) >> (3 * _PART_BITS)) + 1) & _REGION_MASK
    slot = state + 8 * (_FIRST_SLOT + _SLOT_WORDS * (region % _SLOTS))
    words = int64_at(slot)
    words[0] = block
    words[1] = record
    words[2] = 0
    atomic_store(ticket, (region << (3 * _PART_BITS)) | (count << (2 * _PART_BITS)))
    own = 0
    begun = cycles()
    while True:
        word = atomic_add(ticket, _OWN)
        part = (word >> _PART_BITS) & _MASK
        if part + (word & _MASK) >= count:
            break
        call_block(block, record, part, part + 1)
        own += 1
    done = cycles()
    waited = 0
    while atomic_load(slot + 16) != count - own:
        waited = cycles() - done
    spin = int64_at(state)[_SPIN]
    own_words = int64_at(state)  # whoever owns the region alone writes the length
    length = own_words[_PAUSE_LENGTH]
    if waited > 2 * (done - begun) + spin // 4:
        length = min(max(2 * length, SHORTEST_PAUSE * spin), LONGEST_PAUSE * spin)
        atomic_store(state + 8 * _PAUSED, cycles() + length)
    else:
        length -= length >> 6
    own_words[_PAUSE_LENGTH] = length
    atomic_add(state + 8 * _OWNED, -1)
    return True


@kernel(inline=True)
def _left(word):  # type: ignore[no-untyped-def]
    """Parts of a region that nobody has taken, by its ticket."""
    taken = (word & _MASK) + ((word >> _PART_BITS) & _MASK)
    return ((word >> (2 * _PART_BITS)) & _MASK) - taken


def _serve(state):  # type: ignore[no-untyped-def]
    """Take parts of regions until there was none for a while."""
    spin_cycles = int64_at(state)[_SPIN]
    atomic_add(state + 8 * _AWAKE, 1)
    ticket = state + 8 * _TICKET
    last = cycles()
    while True:
        word = atomic_load(ticket)
        if _left(word) > 0:
            word = atomic_add(ticket, 1)
            if _left(word) > 0:
                part = ((word >> (2 * _PART_BITS)) & _MASK) - 1 - (word & _MASK)
                region = word >> (3 * _PART_BITS)
                slot = state + 8 * (_FIRST_SLOT + _SLOT_WORDS * (region % _SLOTS))
                words = int64_at(slot)
                call_block(words[0], words[1], part, part + 1)
                atomic_add(slot + 16, 1)
            last = cycles()
            continue
        rests = atomic_load(state + 8 * _PAUSED) != 0
        if rests or (cycles() - last > spin_cycles and atomic_load(state + 8 * _RUNNING) == 0):
            atomic_add(state + 8 * _AWAKE, -1)
            return


class ThreadPool:
    """The threads. There is one pool in a process.

    Attributes
    ----------
    state : ndarray of int64
        What the compiled side reads and writes.
    """

    def __init__(self) -> None:
        size = _FIRST_SLOT + _SLOT_WORDS * _SLOTS
        memory = np.zeros(size + _LINE, np.int64)
        skip = (-memory.ctypes.data // 8) % _LINE
        self.state = memory[skip : skip + size]
        self._awake = self.state[_AWAKE : _AWAKE + 1]
        self._paused = self.state[_PAUSED : _PAUSED + 1]
        self._serve: Any = None
        self._begin()
        llvmlite.binding.add_symbol(_SYMBOL, self.state.ctypes.data)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._called = threading.Semaphore(0)
        self._threads = 0
        self._asleep = 0
        """Threads that wait to be called."""

    @property
    def all_awake(self) -> bool:
        """Whether as many threads wait for work as there can be, so that `wake` does nothing."""
        return self._awake.item() >= config.NUMBA_NUM_THREADS - 1

    def wake(self, threads: int) -> None:
        """See to it that threads wait for work, for a program that uses so many in all."""
        if self._awake[0] < threads - 1 and not self._paused[0]:
            self._wake(threads - 1)

    def _wake(self, wanted: int) -> None:
        with self._lock:
            if self._serve is None and not self._prepare():
                return
            wanted = min(wanted, int(config.NUMBA_NUM_THREADS) - 1)
            while self._threads < wanted:
                self._threads += 1
                self._asleep += 1
                name = f"kernel pool {self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
            called = min(wanted - int(self._awake[0]), self._asleep)
            for _ in range(called):
                self._asleep -= 1
                self._called.release()

    def _prepare(self) -> bool:
        """Compile, and measure the clock; whether there is a clock that costs nothing."""
        integer = types.int64
        self._serve = native_entry(_serve, "serve", integer)
        clock = native_entry(_clock, "clock", integer)
        started, first = time.perf_counter(), clock(0)
        time.sleep(0.001)
        elapsed, last = time.perf_counter() - started, clock(0)
        self.state[_SPIN] = int((last - first) / elapsed * SPIN_SECONDS)
        if self.state[_SPIN] <= 0:
            self._serve = None
            self.wake = lambda threads: None  # type: ignore[method-assign]
            return False
        return True

    def _work(self) -> None:
        address = self.state.ctypes.data
        while True:
            self._called.acquire()
            self._serve(address)
            with self._lock:
                self._asleep += 1

    def forget(self) -> None:
        """Begin anew in a process that was forked: the threads are not there."""
        self.state[_PAUSE_LENGTH:] = 0
        self._begin()


def _clock(unused):  # type: ignore[no-untyped-def]
    return cycles()


pool = ThreadPool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.forget)
