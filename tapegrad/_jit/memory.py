"""Where values lie: one arena for all that is temporary, laid out by when it is needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

ALIGNMENT = 64
"""Bytes: everything starts on a cache line."""
_SPREAD = 64 * 5
"""Bytes by which large pieces move apart, so as not to fall into the same sets of the caches."""


class Piece(NamedTuple):
    """Memory that is needed from one operation to another, both included."""

    key: int
    nbytes: int
    first: int
    last: int


def lay_out(pieces: Iterable[Piece]) -> tuple[dict[int, int], int]:
    """Give each piece an offset, so that those needed at the same time do not overlap.

    The largest are placed first, each as low as possible (Y. Pisarchyk and J. Lee, *Efficient
    memory management for deep neural net inference*, 2020: "greedy by size").

    Returns
    -------
    offsets : dict
        By the pieces' keys.
    total : int
        Bytes of the arena.
    """
    placed: list[tuple[int, int, Piece]] = []  # in the order of their offsets
    offsets: dict[int, int] = {}
    total = 0
    for piece in sorted(pieces, key=lambda p: (-p.nbytes, p.first)):
        size = -(-max(piece.nbytes, 1) // ALIGNMENT) * ALIGNMENT
        if size >= 4096:
            size += _SPREAD
        offset = 0
        for begin, end, other in placed:
            if other.last < piece.first or piece.last < other.first:
                continue
            if begin - offset >= size:
                break
            offset = max(offset, end)
        offsets[piece.key] = offset
        entry = offset, offset + size, piece
        position = 0
        while position < len(placed) and placed[position][0] <= offset:
            position += 1
        placed.insert(position, entry)
        total = max(total, offset + size)
    return offsets, total
