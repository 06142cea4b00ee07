"""Sequences of different lengths in one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["pad_sequences"]


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Fill sequences up to one length, and cut those that are longer.

    Parameters
    ----------
    sequences
        Lists or arrays; those of vectors must have vectors of one shape.
    maxlen
        The length. By default that of the longest.
    dtype
        The dtype of the result; ``object`` for texts of any length.
    padding, truncating
        Whether ``"pre"``, at the beginning, or ``"post"``, at the end, is filled or cut.
    value
        What is filled in.

    Returns
    -------
    numpy.ndarray
        Array of shape ``(len(sequences), maxlen, …)``.

    Raises
    ------
    ValueError
        If an argument is unknown, a sequence is no sequence, or shapes differ.

    Examples
    --------
    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
    array([[0, 1],
           [2, 3],
           [5, 6]], dtype=int32)
    """
    for name, place in (("padding", padding), ("truncating", truncating)):
        if place not in ("pre", "post"):
            raise ValueError(f'pad_sequences: {name} is "pre" or "post", not {place!r}.')
    if not hasattr(sequences, "__len__"):
        raise ValueError(
            f"pad_sequences: expected a list of sequences, got {type(sequences).__name__}."
        )
    for position, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise ValueError(f"pad_sequences: element {position} is {sequence!r}, no sequence.")
    kind = np.dtype(dtype).kind
    if isinstance(value, str) and kind not in "OUS":
        raise ValueError(
            f"pad_sequences: value {value!r} is a text, which dtype {dtype} cannot hold; pass "
            "dtype=object."
        )
    length = max(map(len, sequences), default=0) if maxlen is None else int(maxlen)
    first = next((sequence for sequence in sequences if len(sequence)), ())
    shape = np.asarray(first).shape[1:]
    padded = np.full((len(sequences), length, *shape), value, dtype=dtype)
    for position, sequence in enumerate(sequences):
        count = min(len(sequence), length)
        if not count:
            continue
        kept = sequence[len(sequence) - count :] if truncating == "pre" else sequence[:count]
        row = np.asarray(kept, dtype=dtype)
        if row.shape[1:] != shape:
            raise ValueError(
                f"pad_sequences: sequence {position} has elements of shape {row.shape[1:]}, but "
                f"those before it have {shape}."
            )
        if padding == "pre":
            padded[position, length - count :] = row
        else:
            padded[position, :count] = row
    return padded
