"""Arrays for arrays, tensors for tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tapegrad._core.nest import flatten
from tapegrad._core.operators import Operators
from tapegrad.transforms._argument import as_arrays


def in_kind(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, giving arrays unless an argument, or an element of one, is a tensor."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, Operators):
                return result
            if isinstance(argument, list | tuple) and any(
                isinstance(leaf, Operators) for leaf in flatten(argument)
            ):
                return result
        return as_arrays(result)

    wrapped.__name__ = function.__name__
    wrapped.__qualname__ = function.__name__
    wrapped.__module__ = "tapegrad.numpy"
    wrapped.__doc__ = function.__doc__
    functools.update_wrapper(wrapped, function, assigned=(), updated=())
    return wrapped
