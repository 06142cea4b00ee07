"""The binary format of the CIFAR files (the other one is a pickle).

Each picture is a record: one byte for each label, then 1,024 bytes of red, green and blue, row by
row.
"""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tapegrad.datasets._files import Parts, train_and_test

__all__ = ["load_cifar"]

_PIXELS = 3 * 32 * 32


def load_cifar(
    path: Path, train: Sequence[str], test: Sequence[str], labels: int, label: int
) -> Parts:
    """Read training and test pictures.

    Parameters
    ----------
    path
        The ``.tar.gz`` archive, a folder with its content, or an ``.npz`` file.
    train, test
        The names of the files.
    labels
        How many labels a record has.
    label
        Which of them is meant.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If one is cut off.
    """
    if path.suffix == ".npz" or (path.is_dir() and any(path.glob("*.npz"))):
        return train_and_test(path)
    parts = []
    for names in (train, test):
        contents = _from_folder(path, names) if path.is_dir() else _from_archive(path, names)
        record = labels + _PIXELS
        for name, content in zip(names, contents):
            if not content or len(content) % record:
                raise ValueError(
                    f"{name} of {path} is cut off: {len(content)} bytes are no whole number of "
                    f"records of {record}."
                )
        records = np.frombuffer(b"".join(contents), np.uint8).reshape(-1, record)
        pictures = records[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        parts.append((np.ascontiguousarray(pictures), records[:, label : label + 1].copy()))
    return parts[0], parts[1]


def _from_folder(folder: Path, names: Sequence[str]) -> list[bytes]:
    contents = []
    for name in names:
        found = sorted(folder.rglob(name))
        if not found:
            raise FileNotFoundError(
                f"{folder} has no file {name}: expected the content of the archive for C programs "
                '("binary version") of CIFAR.'
            )
        contents.append(found[0].read_bytes())
    return contents


def _from_archive(path: Path, names: Sequence[str]) -> list[bytes]:
    """Read members without unpacking them, so that nothing is written."""
    try:
        with tarfile.open(path) as archive:
            members = {Path(member.name).name: member for member in archive if member.isfile()}
            missing = [name for name in names if name not in members]
            if missing:
                raise FileNotFoundError(
                    f"{path} has no {missing[0]}: expected the archive for C programs "
                    '("binary version") of CIFAR.'
                )
            files = [archive.extractfile(members[name]) for name in names]
            return [b"" if file is None else file.read() for file in files]
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{path} is no whole .tar.gz archive ({error}).") from None
