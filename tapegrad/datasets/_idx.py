"""The IDX format of the MNIST files, plain or compressed."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np

__all__ = ["find_idx", "read_idx"]


def read_idx(path: Path) -> np.ndarray:
    """Return the array of bytes in an IDX file.

    The file begins with two zero bytes, the code of the dtype (8 for bytes), the number of axes,
    and the length of each axis as a big-endian number of four bytes.

    Raises
    ------
    ValueError
        If it is no IDX file of bytes, or is cut off.
    """
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise ValueError(f"{path} is a damaged gzip file ({error}).") from None
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is no IDX file of bytes, as the MNIST files are.")
    axes = content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise ValueError(f"{path} is cut off: it ends within the header.")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", axes, 4))
    expected = start + math.prod(shape)
    if len(content) != expected:
        raise ValueError(
            f"{path} is cut off or damaged: an IDX file of shape {shape} has {expected} bytes, but "
            f"this has {len(content)}."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


_PARTS = {
    "x_train": ("train-images", "idx3-ubyte"),
    "y_train": ("train-labels", "idx1-ubyte"),
    "x_test": ("t10k-images", "idx3-ubyte"),
    "y_test": ("t10k-labels", "idx1-ubyte"),
}


def find_idx(folder: Path) -> dict[str, Path] | None:
    """Return the four files in a folder, as they are usually named; None if one is missing."""
    found: dict[str, Path] = {}
    for part, (stem, ending) in _PARTS.items():
        for name in (f"{stem}-{ending}", f"{stem}.{ending}"):
            for path in (folder / name, folder / f"{name}.gz"):
                if path.is_file():
                    found.setdefault(part, path)
    return found if len(found) == len(_PARTS) else None
