"""Axes that layers normalize along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad.layers.base import Layer, Shape

__all__ = ["given_axes", "known_length", "positions"]


def given_axes(axis: Any, owner: str) -> int | list[int]:
    """Return an axis or a list of axes as it was given.

    Raises
    ------
    TypeError
        If it is neither.

    Examples
    --------
    >>> given_axes((1, 2), "LayerNormalization")
    [1, 2]
    """
    if isinstance(axis, int):
        return axis
    if isinstance(axis, list | tuple) and all(isinstance(one, int) for one in axis):
        return list(axis)
    raise TypeError(f"{owner}: axis must be a whole number or a list of them, but is {axis!r}.")


def positions(layer: Layer, axis: int | Sequence[int], shape: Shape) -> tuple[int, ...]:
    """Return axes counted from the front, in ascending order.

    Raises
    ------
    ValueError
        If an input of this shape has no such axis.
    """
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for one in axes:
        if not -len(shape) <= one < len(shape):
            raise layer._wrong_shape(f"an axis {one} to normalize along", shape)
    return tuple(sorted(one % len(shape) for one in axes))


def known_length(layer: Layer, axis: int, shape: Shape) -> int:
    """Return the length of an axis.

    Raises
    ------
    ValueError
        If it is unknown, or there is no such axis.
    """
    (position,) = positions(layer, axis, shape)
    length = shape[position]
    if length is None:
        raise layer._wrong_shape(f"a known length along axis {axis}", shape)
    return length
