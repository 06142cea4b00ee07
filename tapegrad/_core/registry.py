"""Tables that join the floors without imports that point up.

The core cannot import the operations, which stand above it; yet ``a * b`` on a
tensor must find multiplication. Operations enter themselves here by name, and
the core looks them up when they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tapegrad._core.primitive import Primitive

primitives: dict[str, Primitive] = {}
"""Every primitive by name. Tests walk it: none exists without a gradient check."""

operations: dict[str, Callable[..., Any]] = {}
"""Public operations by the name under which tensors' operators and methods call them."""

numpy_functions: dict[Callable[..., Any], Callable[..., Any]] = {}
"""What stands in for a NumPy function or ufunc when an argument is a tensor."""

Recorder = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]

recorders: list[Recorder] = []
"""What makes a call of an operation part of a network, if an argument is a symbolic tensor."""


def record(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the symbolic result of an operation, or None if no argument is symbolic."""
    for recorder in recorders:
        recorded = recorder(name, args, kwargs)
        if recorded is not None:
            return recorded
    return None


F = TypeVar("F", bound=Callable[..., Any])


def operation(*numpy_equivalents: Callable[..., Any]) -> Callable[[F], F]:
    """Enter a function as the operation of its name, and as NumPy's, where it has one."""

    def register(function: F) -> F:
        operations[function.__name__] = function
        for equivalent in numpy_equivalents:
            numpy_functions[equivalent] = function
        return function

    return register
