"""Arguments of differentiated functions: made watchable, and given back in kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad._core.builtin import identity
from tapegrad._core.nest import flatten, map_structure
from tapegrad._core.operators import Operators
from tapegrad._core.tape import is_watched
from tapegrad._core.tensor import Tensor, tensor

ArgNum = int | Sequence[int]


def replace_arguments(
    args: tuple[Any, ...], argnum: ArgNum, name: str
) -> tuple[list[Any], Any, Callable[[Any], Any]]:
    """Arguments with those to differentiate by replaced by watchable tensors.

    Parameters
    ----------
    args : tuple
        Positional arguments of the function.
    argnum : int or sequence of int
        Which of them to differentiate by.
    name : str
        Name of the transform, for errors.

    Returns
    -------
    arguments : list
        The new arguments.
    watched : nested structure of Tensor
        The chosen argument, or a tuple of the chosen ones. Each tensor is a fresh
        alias, which outer tapes see as an identity: nested derivatives with
        respect to one value are thus never confused.
    in_kind : callable
        Turns a result into arrays if no argument was a tensor and no tape around
        the call is watching it.
    """
    several = not isinstance(argnum, int)
    positions = tuple(argnum) if several else (argnum,)  # type: ignore[arg-type]
    for position in positions:
        if not -len(args) <= position < len(args):
            raise TypeError(
                f"{name}: argnum is {argnum}, but the function was called with "
                f"{len(args)} positional arguments"
            )
    arguments = list(args)
    chosen = []
    for position in positions:
        arguments[position] = map_structure(
            lambda leaf, position=position: _alias(leaf, name, position), args[position]
        )
        chosen.append(arguments[position])
    gives_tensors = any(isinstance(leaf, Operators) for leaf in flatten(list(args)))
    watched = tuple(chosen) if several else chosen[0]
    return arguments, watched, _same if gives_tensors else as_arrays


def _alias(leaf: Any, name: str, position: int) -> Tensor:
    if isinstance(leaf, bool | int | str) or leaf is None:
        raise TypeError(
            f"{name}: argument {position} is {leaf!r}; only floating numbers can be "
            "differentiated, for instance 3.0 instead of 3"
        )
    value = leaf if isinstance(leaf, Operators) else tensor(leaf)
    if value.dtype.kind != "f":  # type: ignore[attr-defined]
        raise TypeError(
            f"{name}: argument {position} has dtype {value.dtype}; "  # type: ignore[attr-defined]
            "only floating numbers can be differentiated: convert with .astype('float64')"
        )
    return identity(value)


def _same(result: Any) -> Any:
    return result


def as_arrays(result: Any) -> Any:
    """A structure of tensors as arrays, those without axes as NumPy scalars.

    What a tape around the call watches stays a tensor: it may depend on the
    argument of an outer derivative through a closure.
    """

    def convert(leaf: Any) -> Any:
        if not isinstance(leaf, Operators) or is_watched(leaf):
            return leaf
        array = np.asarray(leaf)
        return array[()] if array.ndim == 0 else array.copy()

    return map_structure(convert, result)
