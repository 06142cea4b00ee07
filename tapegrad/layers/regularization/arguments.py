"""The arguments that layers of random noise share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["checked_noise_shape", "checked_rate", "noise_shape"]


def checked_rate(rate: float, owner: str) -> float:
    """Return a rate as a float.

    Raises
    ------
    ValueError
        If it lies outside [0, 1].

    Examples
    --------
    >>> checked_rate(1, "Dropout")
    1.0
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"{owner}: rate must lie in [0, 1], but is {rate}.")
    return float(rate)


def checked_noise_shape(shape: Any, owner: str) -> tuple[int | None, ...] | None:
    """Return a mask's shape as a tuple, or None.

    Raises
    ------
    ValueError
        If an entry is neither a positive whole number nor None.

    Examples
    --------
    >>> checked_noise_shape([None, 1], "Dropout")
    (None, 1)
    """
    if shape is None:
        return None
    entries = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    for entry in entries:
        if entry is not None and (not isinstance(entry, int) or entry <= 0):
            raise ValueError(
                f"{owner}: noise_shape must consist of positive whole numbers and None, but is "
                f"{shape!r}."
            )
    return entries


def noise_shape(
    wanted: Sequence[int | None] | None, shape: tuple[int, ...], owner: str
) -> tuple[int, ...]:
    """Return a mask's shape for an input of this shape: None stands for the input's length.

    Raises
    ------
    ValueError
        If the mask would not be broadcast to the input.

    Examples
    --------
    >>> noise_shape((None, 1), (5, 3), "dropout")
    (5, 1)
    """
    if wanted is None:
        return shape
    if len(wanted) != len(shape) or any(
        entry not in (None, 1, length) for entry, length in zip(wanted, shape)
    ):
        raise ValueError(
            f"Layer {owner}: noise_shape {tuple(wanted)} does not fit the input's shape {shape}: "
            "each entry must be None, 1 or the length of its axis."
        )
    return tuple(length if entry is None else entry for entry, length in zip(wanted, shape))
