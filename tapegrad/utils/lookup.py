"""Names that users type, resolved to the things they mean."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")

__all__ = ["look_up", "snake_case", "suggestion"]


def suggestion(name: str, known: list[str]) -> str:
    """Return `` Did you mean "…"?`` for the nearest known name, or an empty string.

    Parameters
    ----------
    name
        What was typed.
    known
        The names that exist.

    Examples
    --------
    >>> suggestion("adm", ["adam", "sgd"])
    ' Did you mean "adam"?'
    """
    matches = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f' Did you mean "{matches[0]}"?' if matches else ""


def look_up(name: str, table: Mapping[str, Value], kind: str) -> Value:
    """Return ``table[name]``, in the spelling typed or in lower case.

    Parameters
    ----------
    name
        What was typed.
    table
        Names and what they mean.
    kind
        What such a thing is called, for the error: ``"loss"``, ``"optimizer"``.

    Raises
    ------
    ValueError
        If the table has no such name; the message suggests the nearest one.

    Examples
    --------
    >>> look_up("two", {"one": 1, "two": 2}, "number")
    2
    """
    if name in table:
        return table[name]
    lowered = name.lower()
    for known, value in table.items():
        if known.lower() == lowered:
            return value
    names = list(table)
    listing = ", ".join(sorted(set(names), key=str.lower))
    raise ValueError(f'Unknown {kind} "{name}".{suggestion(name, names)} Known: {listing}.')


def snake_case(name: str) -> str:
    """Return a class name in the spelling of instance names.

    Examples
    --------
    >>> snake_case("MaxPooling2D")
    'max_pooling2d'
    """
    pieces: list[str] = []
    for position, letter in enumerate(name):
        before = name[position - 1] if position else ""
        after = name[position + 1] if position + 1 < len(name) else ""
        starts_word = letter.isupper() and (
            before.islower() or (before.isupper() and after.islower())
        )
        if position and starts_word:
            pieces.append("_")
        pieces.append(letter.lower())
    return "".join(pieces).lstrip("_")
