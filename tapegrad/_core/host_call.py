"""Python code that a recorded call runs again each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core.primitive import primitive
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor

_call_on_host = primitive(
    "call_on_host", mutates=(), doc="Call a Python function with the values of tensors."
)


def call_on_host(function: Callable[..., None], *tensors: Any) -> None:
    """Call a Python function with tensors, now and in each run of a program that is recorded.

    The function may read the values and keep what it likes, which recorded code cannot. What
    it does no tape sees.

    Parameters
    ----------
    function : callable
        Called with Tensors for `tensors`; what it returns is dropped.
    *tensors : Tensor, Variable or None
        Their values are passed; None is passed as it is.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad._core.host_call import call_on_host
    >>> seen = []
    >>> call_on_host(lambda x: seen.append(float(x)), tg.tensor(2.0))
    >>> seen
    [2.0]
    """
    _call_on_host(*tensors, function=function)


def _run(*data: Any, function: Callable[..., None]) -> None:
    saved = thread.listeners, thread.recorder
    thread.listeners, thread.recorder = (), None
    try:
        # A program uses its memory again, and the function may keep what it is given.
        function(*[Tensor(d.copy()) if isinstance(d, np.ndarray) else d for d in data])
    finally:
        thread.listeners, thread.recorder = saved


_call_on_host.on("cpu", _run)
