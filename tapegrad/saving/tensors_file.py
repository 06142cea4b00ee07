"""Named arrays in the safetensors format, which holds numbers and nothing that could run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tapegrad.utils.files import atomic_path

__all__ = ["FORMAT", "pack_tensors", "read_tensors", "unpack_tensors", "write_tensors"]

FORMAT = "tapegrad"
"""What files written here have under "format" in their metadata."""

_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "U64": np.uint64,
    "I32": np.int32,
    "U32": np.uint32,
    "I16": np.int16,
    "U16": np.uint16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def pack_tensors(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] = {}) -> bytes:
    """Return arrays as the content of a safetensors file.

    Parameters
    ----------
    arrays
        The arrays by name.
    metadata
        Text by name, kept beside them.

    Examples
    --------
    >>> content = pack_tensors({"kernel": np.ones((2, 3), np.float32)})
    >>> unpack_tensors(content, "example")["kernel"].shape
    (2, 3)
    """
    from safetensors.numpy import save

    contiguous = {
        # ascontiguousarray makes an axis for arrays that have none.
        name: np.ascontiguousarray(array).reshape(array.shape)
        for name, array in arrays.items()
    }
    return save(contiguous, metadata={"format": FORMAT, **metadata})


def unpack_tensors(content: bytes, source: str) -> dict[str, np.ndarray]:
    """Return the arrays in the content of a safetensors file.

    bfloat16, which NumPy lacks, becomes float32: each of its numbers is one of float32's.

    Parameters
    ----------
    content
        The bytes of the file.
    source
        What they were read from, for errors.

    Raises
    ------
    ValueError
        If the content is damaged, or has a type of numbers that NumPy lacks.
    """
    from safetensors import SafetensorError, deserialize

    try:
        # It checks that the arrays fill the file exactly, so sizes cannot be invented.
        entries = deserialize(content)
    except (SafetensorError, ValueError, OverflowError) as error:
        raise ValueError(f"{source} is damaged or not a safetensors file: {error}.") from None
    return {name: _as_array(name, entry, source) for name, entry in entries}


def _as_array(name: str, entry: dict[str, Any], source: str) -> np.ndarray:
    kind = entry["dtype"]
    if kind == "BF16":  # the upper half of a float32
        halves = np.frombuffer(entry["data"], dtype="<u2").astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(entry["shape"])
    if kind not in _DTYPES:
        raise ValueError(f"{source}: {name} has the type {kind}, which is none of NumPy's.")
    dtype = np.dtype(_DTYPES[kind]).newbyteorder("<")
    array = np.frombuffer(entry["data"], dtype=dtype).reshape(entry["shape"])
    return array.astype(dtype.newbyteorder("="), copy=False)


def write_tensors(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, str] = {},
) -> None:
    """Write arrays by name to a safetensors file, which is complete or not there.

    Raises
    ------
    OSError
        If it cannot be written; one that was there before is then as it was.
    """
    content = pack_tensors(arrays, metadata)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file by name.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged.
    """
    return unpack_tensors(read_file(path), os.fspath(path))


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Return a file's content, or say in a sentence that there is none."""
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise FileNotFoundError(f"There is no file {name}.")
    with open(name, "rb") as file:
        return file.read()
