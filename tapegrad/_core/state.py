"""What belongs to one Python thread, and the process-wide defaults."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np


class Listener(Protocol):
    """Something that is told of every operation: a tape, a recorder, a profiler."""

    def record(self, primitive: Any, args: Any, params: dict[str, Any], result: Any) -> None:
        """Take note of one operation that has just run."""


class Recorder(Listener, Protocol):
    """A listener that must know of everything that a later run cannot do again by itself."""

    def read(self, value: Any) -> None:
        """Take note that Python is about to see the elements of a Tensor."""

    def before_effect(self, primitive: Any) -> None:
        """Take note that Variables are about to be written."""

    def variable_created(self, variable: Any) -> None:
        """Take note of a new Variable."""

    def before_rebinding(self, variable: Any) -> None:
        """Take note that a Variable is about to move: somebody holds its present value."""

    def flat_written(self, flat: Any) -> None:
        """Take note that Variables in one buffer are about to be written together."""


class ThreadState(threading.local):
    """State of the current thread.

    Attributes
    ----------
    listeners : tuple of Listener
        Told of each operation, outermost first. A tuple, so that the common
        question "is anyone listening?" is one truth test.
    device : str
        Device on which new tensors are made.
    recorder : Recorder or None
        What turns the present call into a program: one of the listeners, which is told of all
        operations, also those that tapes do not record, and of values that Python reads.
    """

    listeners: tuple[Listener, ...] = ()
    device: str = "cpu"
    recorder: Recorder | None = None


thread = ThreadState()

_floatx = np.dtype(np.float32)


def floatx() -> np.dtype[Any]:
    """Default dtype of layers, initializers and Variables made from Python numbers."""
    return _floatx


def set_floatx(dtype: Any) -> None:
    """Set the default dtype of layers, initializers and Variables.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        The new default; it was float32 at the start.

    Raises
    ------
    ValueError
        If `dtype` is anything else.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.set_floatx("float64")
    >>> tg.Variable(1.0).dtype
    dtype('float64')
    >>> tg.set_floatx("float32")
    """
    global _floatx
    try:
        chosen = np.dtype(dtype)
    except TypeError:
        chosen = None
    if chosen not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"set_floatx: expected 'float32' or 'float64', got {dtype!r}")
    _floatx = np.dtype(chosen)


@contextmanager
def no_record() -> Iterator[None]:
    """Within this context the current thread's operations are recorded on no tape.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(3.0)
    >>> with tg.Tape() as tape:
    ...     with tg.no_record():
    ...         constant = x * 2.0
    ...     y = x * constant
    >>> float(tape.gradient(y, x))
    6.0
    """
    saved = thread.listeners
    thread.listeners = () if thread.recorder is None else (thread.recorder,)
    try:
        yield
    finally:
        thread.listeners = saved
