"""Elements of data sets: arrays, or tuples and dicts of arrays, nested."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["as_element", "describe", "leaves", "map_leaves", "paired", "stack", "unstack"]


def map_leaves(function: Callable[[Any], Any], element: Any) -> Any:
    """Apply a function to each array and keep the tuples and dicts around them.

    Lists are no containers here but arrays that are not made yet, as in TensorFlow's data sets.

    Examples
    --------
    >>> map_leaves(len, ("ab", {"c": "d"}))
    (2, {'c': 1})
    """
    if isinstance(element, tuple):
        parts = (map_leaves(function, part) for part in element)
        return type(element)(*parts) if hasattr(element, "_fields") else tuple(parts)
    if isinstance(element, dict):
        return {key: map_leaves(function, part) for key, part in element.items()}
    return function(element)


def leaves(element: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the arrays of an element with their names: ``"0"``, ``"1.image"``, …."""
    if isinstance(element, tuple | dict):
        items = element.items() if isinstance(element, dict) else enumerate(element)
        for key, part in items:
            yield from leaves(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, element


def paired(structure: Any, parts: Iterator[Any]) -> Any:
    """Put arrays, in the order of `leaves`, into the tuples and dicts of a structure."""
    return map_leaves(lambda _: next(parts), structure)


def as_element(element: Any) -> Any:
    """Return an element with each leaf as a NumPy array, single numbers as NumPy scalars."""
    return map_leaves(lambda leaf: np.asarray(leaf)[()], element)


def stack(elements: Sequence[Any], who: str) -> Any:
    """Stack elements leaf by leaf along a new first axis.

    Raises
    ------
    ValueError
        If an element has other parts, or an array of another shape, than the first.
    """
    first = elements[0]
    if not isinstance(first, tuple | dict):  # the common case, without generators
        return _stack_leaf(elements, "", who)
    named = [list(leaves(element)) for element in elements]
    names = [name for name, _ in named[0]]
    for position, parts in enumerate(named):
        if [name for name, _ in parts] != names:
            raise ValueError(
                f"{who}: element {position} of a batch is {describe(elements[position])}, but the "
                f"first is {describe(first)}."
            )
    columns = zip(*named)
    stacked = (
        _stack_leaf([leaf for _, leaf in column], name, who) for name, column in zip(names, columns)
    )
    return paired(first, stacked)


def _stack_leaf(arrays: Sequence[Any], name: str, who: str) -> np.ndarray:
    try:
        return np.stack([np.asarray(array) for array in arrays])
    except (ValueError, TypeError):
        shapes = [np.shape(array) for array in arrays]
        odd = next((at for at, shape in enumerate(shapes) if shape != shapes[0]), 0)
        where = f" of part {name!r}" if name else ""
        raise ValueError(
            f"{who}: arrays{where} in one batch must have one shape, but element {odd} has "
            f"{shapes[odd]} and the first has {shapes[0]}; pad or crop them with map() first."
        ) from None


def unstack(batch: Any, who: str) -> Iterator[Any]:
    """Yield the elements of a batch.

    Raises
    ------
    ValueError
        If the arrays have no first axis in common.
    """
    lengths = {np.shape(leaf)[:1] for _, leaf in leaves(batch)}
    if len(lengths) != 1 or () in lengths:
        raise ValueError(
            f"{who}: expected arrays with one first axis in common, got {describe(batch)}."
        )
    for position in range(lengths.pop()[0]):
        yield map_leaves(lambda leaf, at=position: np.asarray(leaf)[at], batch)


def describe(element: Any) -> str:
    """Return a short text of an element's parts, for errors.

    Examples
    --------
    >>> describe((np.zeros((2, 3), np.float32), {"a": np.int64(1)}))
    '(float32 (2, 3), {a: int64 ()})'
    """
    if isinstance(element, tuple):
        return f"({', '.join(map(describe, element))})"
    if isinstance(element, dict):
        return "{" + ", ".join(f"{key}: {describe(part)}" for key, part in element.items()) + "}"
    array = np.asarray(element)
    return f"{array.dtype} {array.shape}"
