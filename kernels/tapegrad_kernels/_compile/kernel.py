"""The one decorator that sets Numba's options for every CPU kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, overload

import numba
from numba.core.ccallback import CFunc

from tapegrad_kernels._compile.cache import cache_for

# `contract` lets a multiplication and an addition become one instruction, and
# `reassoc` lets a sum be split over vector lanes. Never full fastmath: it
# assumes that NaN and Inf do not exist and deletes the tests for them.
_REASSOCIATE = {"contract", "reassoc", "nsz"}

F = TypeVar("F", bound=Callable[..., Any])


def _full_name(function: Callable[..., Any], name: str | None) -> str:
    module = function.__module__.removeprefix("tapegrad_kernels.")
    return f"{module}.{name or function.__qualname__}"


@overload
def kernel(function: F) -> F: ...
@overload
def kernel(
    *,
    parallel: bool = ...,
    reassociate: bool = ...,
    name: str | None = ...,
    inline: bool = ...,
) -> Callable[[F], F]: ...
def kernel(
    function: Any = None,
    *,
    parallel: bool = False,
    reassociate: bool = False,
    name: str | None = None,
    inline: bool = False,
) -> Any:
    """Compile a function for the CPU when it is first called, once per machine.

    The GIL is released while the kernel runs, division follows IEEE 754, and the
    machine code is kept on disk (see `tapegrad_kernels._compile.cache`).

    Parameters
    ----------
    parallel : bool, default False
        Whether ``numba.prange`` loops run on all threads.
    reassociate : bool, default False
        Whether sums may be reordered and contracted. For dot-like kernels only;
        elementwise and compensated kernels need strict arithmetic.
    name : str, optional
        Name in the cache. Needed for functions that a factory makes, since those
        share one qualified name.
    inline : bool, default False
        Whether this is a helper that only other kernels call: it is not cached
        on its own, and LLVM is told to inline it.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels._compile import kernel
    >>> @kernel(inline=True)
    ... def twice(x):
    ...     return x + x
    >>> twice(3.0)
    6.0
    """

    def compile_lazily(py_function: Callable[..., Any]) -> Any:
        dispatcher: Any = numba.njit(
            nogil=True,
            error_model="numpy",
            parallel=parallel,
            fastmath=_REASSOCIATE if reassociate else False,
            forceinline=inline,
        )(py_function)
        if not inline:
            cache = cache_for(py_function, _full_name(py_function, name))
            if cache is not None:
                dispatcher._cache = cache
        return dispatcher

    return compile_lazily if function is None else compile_lazily(function)


_owners: list[object] = []  # Numba unloads the code of a dispatcher that is collected


def native_entry(function: Callable[..., Any], name: str, *arguments: Any) -> Callable[..., Any]:
    """Compile a function for given types and return its native entry.

    A dispatcher makes a version for each layout and for read-only arrays, and spends
    half a microsecond to find out which. The entry takes arrays as they are: that
    dtype, dimensions and layout fit is for the caller to see.

    Parameters
    ----------
    function : callable
        Not compiled yet.
    name : str
        Name in the cache.
    *arguments : numba type
        Types of the arguments.
    """
    dispatcher: Any = kernel(name=name)(function)
    cache = cache_for(function, _full_name(function, name), standalone=True)
    if cache is not None:
        dispatcher._cache = cache
    dispatcher.compile(arguments)
    _owners.append(dispatcher)
    return dispatcher.overloads[arguments].entry_point


class Block:
    """A worker over a range, compiled to a plain function pointer when first needed.

    The worker has the signature ``void(record, start, stop)``: `record` is the
    address of packed 64-bit arguments, and the worker handles the elements (or
    rows) from `start` up to `stop`. All blocks share this one signature, so one
    launcher runs any of them, serially or on all threads, and none is compiled
    again inside its callers.

    Attributes
    ----------
    name : str
        Unique name, also in the disk cache.
    """

    _lock = threading.Lock()

    def __init__(self, function: Callable[..., Any], name: str, reassociate: bool = False) -> None:
        self.function = function
        self.name = name
        self._options = {
            "nopython": True,
            "nogil": True,
            "error_model": "numpy",
            "fastmath": _REASSOCIATE if reassociate else False,
        }
        self._compiled: Any = None
        self._address = 0

    @property
    def address(self) -> int:
        """Address of the machine code; the first use compiles or loads it."""
        return self._address or self._compile()

    def _compile(self) -> int:
        with self._lock:
            if not self._address:
                signature = numba.void(numba.intp, numba.intp, numba.intp)
                compiled: Any = CFunc(
                    self.function, (signature.args, signature.return_type), {}, self._options
                )
                cache = cache_for(self.function, self.name, standalone=True)
                if cache is not None:
                    compiled._cache = cache
                compiled.compile()
                self._compiled = compiled  # owns the machine code
                self._address = int(compiled.address)
        return self._address

    def __repr__(self) -> str:
        return f"Block({self.name!r})"


def block(name: str, *, reassociate: bool = False) -> Callable[[Callable[..., Any]], Block]:
    """Make a `Block` from a function ``(record, start, stop)``.

    Parameters
    ----------
    name : str
        Unique name of the block, for instance ``"exp.float32"``.
    reassociate : bool, default False
        As in `kernel`.
    """

    def decorate(function: Callable[..., Any]) -> Block:
        return Block(function, _full_name(function, name), reassociate)

    return decorate
