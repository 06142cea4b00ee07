"""Devices: where arrays are, and how they get there.

Nothing above the core asks on which device it runs. The device of an operation's
arguments picks its kernel; the device of the surrounding ``with tg.device(…)``
decides where new tensors are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tapegrad._core.state import thread

NAMES = ("cpu", "cuda")

# False until something is put on a GPU. Until then no operation needs to ask
# where its arguments are.
accelerated = False


def _check(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"device: unknown device {name!r}; known are {', '.join(NAMES)}")
    return name


def device_of(data: Any) -> str:
    """Name of the device that holds a raw array."""
    return "cpu" if isinstance(data, np.ndarray | np.generic) else "cuda"


def to_device(array: np.ndarray[Any, Any], name: str) -> Any:
    """Copy a NumPy array to the device `name`."""
    global accelerated
    if _check(name) == "cpu":
        return array
    from tapegrad_kernels import cuda

    moved = cuda.to_device(array)
    accelerated = True
    return moved


def to_host(data: Any) -> np.ndarray[Any, Any]:
    """Copy a raw array from wherever it is to a NumPy array."""
    if isinstance(data, np.ndarray):
        return data
    from tapegrad_kernels import cuda

    return cuda.to_host(data)


def copy(data: Any) -> Any:
    """A copy of a raw array, on its device."""
    if isinstance(data, np.ndarray):
        return data.copy()
    from tapegrad_kernels import cuda

    return cuda.copy(data)


@contextmanager
def device(name: str) -> Iterator[None]:
    """Make new tensors, Variables and random draws on the device `name`.

    Parameters
    ----------
    name : {"cpu", "cuda"}
        The device.

    Raises
    ------
    ValueError
        If there is no such device.
    RuntimeError
        If the device cannot be used here; the message says what is missing.

    Examples
    --------
    >>> import tapegrad as tg
    >>> with tg.device("cpu"):
    ...     x = tg.tensor([1.0, 2.0])
    >>> x.device
    'cpu'
    """
    if _check(name) == "cuda":
        from tapegrad_kernels import cuda

        cuda.require()
    saved = thread.device
    thread.device = name
    try:
        yield
    finally:
        thread.device = saved


def devices() -> list[str]:
    """Names of the devices that can be used here; ``"cpu"`` always is.

    Examples
    --------
    >>> import tapegrad as tg
    >>> "cpu" in tg.devices()
    True
    """
    from tapegrad_kernels import cuda

    return ["cpu", "cuda"] if cuda.available() else ["cpu"]
