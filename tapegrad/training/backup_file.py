"""Nested values with arrays in one safetensors file, which is whole, unharmed, or refused."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import numpy as np

from tapegrad._core.operators import Operators

__all__ = ["pack", "read_backup", "unpack_values", "write_backup"]

_ARRAY, _TUPLE = "$array", "$tuple"


def pack(value: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    """Return a value as JSON holds it, with its arrays put aside under names.

    Parameters
    ----------
    value
        Numbers, texts, None, arrays and Tensors, in nested lists, tuples and dicts with texts as
        keys.
    arrays
        Where arrays are put.
    name
        What their names begin with.

    Raises
    ------
    TypeError
        If something else is among the values.

    Examples
    --------
    >>> arrays = {}
    >>> pack({"best": 0.5, "weights": [np.zeros(2)]}, arrays, "callback")
    {'best': 0.5, 'weights': [{'$array': 'callback/weights/0'}]}
    >>> list(arrays)
    ['callback/weights/0']
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int | float):
        return value
    if isinstance(value, np.ndarray | Operators):
        arrays[name] = np.array(value)
        return {_ARRAY: name}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: pack(part, arrays, f"{name}/{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [pack(part, arrays, f"{name}/{place}") for place, part in enumerate(value)]
        return {_TUPLE: parts} if isinstance(value, tuple) else parts
    raise TypeError(
        f"{name}: a {type(value).__name__} cannot be backed up; states consist of numbers, texts, "
        "arrays, and lists and dicts of these."
    )


def unpack_values(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return what `pack` was given."""
    if isinstance(value, list):
        return [unpack_values(part, arrays) for part in value]
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return arrays[value[_ARRAY]]
        if set(value) == {_TUPLE}:
            return tuple(unpack_values(part, arrays) for part in value[_TUPLE])
        return {key: unpack_values(part, arrays) for key, part in value.items()}
    return value


def write_backup(path: str | os.PathLike[str], values: Any, kind: str) -> None:
    """Write nested values to a file, which replaces an earlier one in one step.

    Arrays go into the file as safetensors has them, everything else as JSON into its metadata,
    beside a checksum of both.

    Parameters
    ----------
    path
        The file.
    values
        See `pack`.
    kind
        What it is, for the reader.
    """
    from tapegrad.saving.tensors_file import write_tensors

    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(pack(values, arrays, "values"))
    metadata = {"kind": kind, "values": text, "checksum": _checksum(text, arrays)}
    write_tensors(path, arrays, metadata)


def read_backup(path: str | os.PathLike[str], kind: str) -> Any:
    """Return the values of a file that `write_backup` wrote.

    Raises
    ------
    ValueError
        If the file is damaged, was tampered with, or is something else.
    """
    from tapegrad.saving.tensors_file import FORMAT, read_file, unpack_tensors

    name = os.fspath(path)
    content = read_file(path)
    arrays = unpack_tensors(content, name)
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    # The entries without a checksum are known to the letter.
    known = {"format": FORMAT, "kind": kind}
    if set(metadata) != {*known, "values", "checksum"} or not known.items() <= metadata.items():
        raise ValueError(f"{name} is no {kind}.")
    if metadata["checksum"] != _checksum(metadata["values"], arrays):
        raise ValueError(f"{name} is damaged: its content does not have its checksum.")
    try:
        return unpack_values(json.loads(metadata["values"]), arrays)
    except (ValueError, KeyError, RecursionError) as error:
        raise ValueError(f"{name} is damaged: {type(error).__name__}: {error}.") from None


def _checksum(text: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=32)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
