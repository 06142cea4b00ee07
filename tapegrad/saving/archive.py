"""Zip archives with a few known members, checked and read into memory, never unpacked to disk."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tapegrad.utils.files import atomic_path

__all__ = ["open_archive", "parse_json", "read_archive", "read_member", "write_archive"]

METADATA = "metadata.json"

# What a member may grow by when it is unpacked. Weights hardly shrink; what grows more than this
# was made to exhaust the memory.
_MOST_EXPANSION = 100
_ALWAYS_ALLOWED = 1 << 20

# Members have this date, so that equal models make equal archives (but for the date within).
_DATE = (1980, 1, 1, 0, 0, 0)


def write_archive(
    path: str | os.PathLike[str], members: Mapping[str, bytes], metadata: Mapping[str, Any]
) -> None:
    """Write members and, first of all, ``metadata.json`` with their checksums.

    The file is complete under its name, or what was there before is untouched.
    """
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    described = json.dumps({**metadata, "sha256": sums}, indent=2).encode()
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, content in {METADATA: described, **members}.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)


def read_archive(
    path: str | os.PathLike[str], required: tuple[str, ...], optional: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the metadata and the members of an archive that `write_archive` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no archive, lacks a member, has one that does not belong there, or a member is not
        what its checksum says.
    """
    source = os.fspath(path)
    with open_archive(source) as archive:
        names = archive.namelist()
        known = (METADATA, *required, *optional)
        for name in known:
            if names.count(name) > 1:
                raise ValueError(f"{source} is damaged: it has {name} twice.")
        for name in names:
            if name not in known:
                raise ValueError(f"{source} is refused: {name!r} does not belong into it.")
        contents = {name: read_member(archive, name, source) for name in names}
        for name in (METADATA, *required):
            if name not in names:
                raise ValueError(f"{source} is not a whole model: it has no {name}.")
    metadata = parse_json(contents.pop(METADATA), f"{METADATA} in {source}")
    sums = metadata.get("sha256") if isinstance(metadata, dict) else None
    if not isinstance(sums, dict) or set(sums) != set(contents):
        raise ValueError(f"{source} is damaged: its metadata do not list its members.")
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != sums[name]:
            raise ValueError(f"{source} is damaged or was changed: {name} has another checksum.")
    return metadata, contents


@contextmanager
def open_archive(path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive for reading; failures are told in a sentence."""
    source = os.fspath(path)
    if not os.path.isfile(source):
        raise FileNotFoundError(f"There is no file {source}.")
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise ValueError(
            f"{source} is damaged or not an archive with a model: {_sentence(error)}."
        ) from None
    with archive:
        yield archive


def read_member(archive: zipfile.ZipFile, name: str, source: str) -> bytes:
    """Return a member of an archive, unless it is missing, damaged or unpacks to far too much."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"{source} has no {name}.") from None
    if info.file_size > max(_ALWAYS_ALLOWED, _MOST_EXPANSION * info.compress_size):
        raise ValueError(
            f"{source} is refused: {name} would unpack from {info.compress_size:,} to "
            f"{info.file_size:,} bytes."
        )
    try:
        # At most file_size bytes are unpacked, whatever the data say; the CRC is then checked.
        return archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise ValueError(
            f"{source} is damaged: {name} cannot be read ({_sentence(error)})."
        ) from None


def parse_json(content: bytes, source: str) -> Any:
    """Return what JSON text describes."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source} is damaged: {_sentence(error)}.") from None


def _sentence(error: BaseException) -> str:
    """Return an error's text in one line without a full stop."""
    return (" ".join(str(error).split()) or type(error).__name__).rstrip(".")
