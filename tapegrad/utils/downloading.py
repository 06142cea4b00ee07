"""Files from the network, kept in a folder of the user's."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["data_folder", "get_file"]


def data_folder() -> Path:
    """Return the folder in which data sets are kept.

    It is what the environment's variable ``TAPEGRAD_DATA_DIR`` says, otherwise a folder for caches
    of the user's.
    """
    chosen = os.environ.get("TAPEGRAD_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    return Path(_pooch().os_cache("tapegrad")) / "datasets"


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Download a file, unless it is there already, and return its path.

    The file appears under its name when it is complete and its checksum is right. One that is
    there with a wrong checksum is downloaded again.

    Parameters
    ----------
    fname
        Its name; by default the last part of the address.
    origin
        The address.
    untar, extract
        Whether it is an archive that is unpacked into a folder beside it. Members that would lie
        outside of that folder are refused.
    md5_hash, file_hash
        The checksum, md5 or sha256 in hexadecimal.
    cache_subdir
        A folder in `cache_dir`.
    hash_algorithm
        ``"md5"``, ``"sha256"`` or ``"auto"``, by the length of `file_hash`.
    archive_format
        ``"tar"``, ``"zip"`` or ``"auto"``, by the content.
    cache_dir
        Where files are kept; by default `data_folder`.
    force_download
        Whether to download a file that is there.

    Returns
    -------
    str
        The path of the file, or of the folder with the content of the archive.

    Raises
    ------
    ValueError
        If an argument is missing or wrong, or the checksum of what was downloaded is.
    ConnectionError
        If it cannot be downloaded.
    """
    if origin is None:
        raise ValueError("get_file: origin, the address of the file, is missing.")
    name = os.fspath(fname) if fname else Path(urlsplit(origin).path).name
    if not name or os.sep in name:
        raise ValueError(
            f"get_file: fname must be the name of a file without folders, but is {name!r}; the "
            "folder is cache_dir."
        )
    folder = _folder(cache_dir, cache_subdir)
    unpacks = extract or untar
    archive = name
    if unpacks and "." not in name:
        archive = f"{name}_archive"
    path = folder / archive
    if force_download:
        path.unlink(missing_ok=True)
    checksum = _checksum(file_hash or md5_hash, "md5" if not file_hash else hash_algorithm)
    _retrieve(origin, checksum, path)
    if not unpacks:
        return str(path)
    target = folder / (name if archive != name else f"{name.split('.')[0]}_extracted")
    if not target.is_dir() or force_download:
        _unpack(path, target, archive_format)
    return str(target)


def _folder(cache_dir: Any, subdir: str) -> Path:
    if cache_dir is not None:
        return Path(cache_dir).expanduser() / subdir
    return data_folder() if subdir == "datasets" else data_folder() / subdir


def _checksum(digest: str | None, algorithm: str) -> str | None:
    """Return a checksum as pooch writes it."""
    if digest is None:
        return None
    if algorithm == "auto":
        algorithm = "sha256" if len(digest) == 64 else "md5"
    if algorithm not in ("md5", "sha256"):
        raise ValueError(
            f'get_file: hash_algorithm is "md5", "sha256" or "auto", not {algorithm!r}.'
        )
    return f"{algorithm}:{digest.lower()}"


def _retrieve(origin: str, checksum: str | None, path: Path) -> None:
    pooch = _pooch()
    try:
        pooch.retrieve(
            origin, checksum, fname=path.name, path=path.parent, progressbar=not path.exists()
        )
    except ValueError as error:
        # Of a wrong checksum pooch tells in several sentences; the file is not kept.
        raise ValueError(
            f"{path.name}: what {origin} gave is not the file that was expected, its checksum is "
            f"not {checksum}; nothing was kept in {path.parent}."
        ) from error
    except OSError as error:  # all errors of the network are
        raise ConnectionError(
            f"{path.name} could not be downloaded from {origin} to {path.parent} "
            f"({type(error).__name__}: {_short(error)}); without network, put the file there, or "
            "say where it is (TAPEGRAD_DATA_DIR is its folder, load_data(path=...) its path)."
        ) from error


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) < 160 else f"{text[:157]}…"


def _pooch() -> Any:
    try:
        import pooch
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'Downloading needs the package pooch: install it with "pip install pooch", or give '
            "the path of a local file.",
            name="pooch",
        ) from None
    return pooch


def _unpack(archive: Path, target: Path, kind: str | None) -> None:
    """Unpack an archive to a folder, which appears when it is complete."""
    if kind not in ("auto", "tar", "zip"):
        raise ValueError(f'get_file: archive_format is "auto", "tar" or "zip", not {kind!r}.')
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        if kind != "zip" and tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                tar.extractall(temporary, filter="data")
        elif kind != "tar" and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(temporary)
        else:
            raise ValueError(f"get_file: {archive} is no archive of the kinds tar and zip.")
        if target.exists():
            shutil.rmtree(target)
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
