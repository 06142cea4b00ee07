"""Nested lists, tuples and dicts of leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_CONTAINERS = (list, tuple, dict)


def flatten(structure: Any) -> list[Any]:
    """The leaves of a nested structure, in order; dicts in the order of their keys.

    Examples
    --------
    >>> from tapegrad._core.nest import flatten
    >>> flatten({"a": 1, "b": (2, [3])})
    [1, 2, 3]
    """
    if not isinstance(structure, _CONTAINERS):
        return [structure]
    leaves: list[Any] = []
    for value in structure.values() if isinstance(structure, dict) else structure:
        if isinstance(value, _CONTAINERS):
            leaves += flatten(value)
        else:
            leaves.append(value)
    return leaves


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """Apply a function to each leaf and keep the structure around them.

    Examples
    --------
    >>> from tapegrad._core.nest import map_structure
    >>> map_structure(lambda x: 2 * x, {"a": 1, "b": (2, [3])})
    {'a': 2, 'b': (4, [6])}
    """
    if isinstance(structure, dict):
        return {key: map_structure(function, value) for key, value in structure.items()}
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):  # a namedtuple
        return type(structure)(*(map_structure(function, value) for value in structure))
    if isinstance(structure, list | tuple):
        return type(structure)(map_structure(function, value) for value in structure)
    return function(structure)


def pack_like(structure: Any, leaves: list[Any]) -> Any:
    """Put `leaves`, as `flatten` orders them, into the shape of `structure`."""
    if not isinstance(structure, _CONTAINERS):
        return leaves[0]
    if type(structure) is list:
        for value in structure:
            if isinstance(value, _CONTAINERS):
                break
        else:  # a plain list, as training has it
            return leaves
    remaining = iter(leaves)
    return map_structure(lambda _: next(remaining), structure)
