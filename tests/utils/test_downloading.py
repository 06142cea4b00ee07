"""Files from the network, without one: pooch is given a downloader that copies."""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tapegrad.utils import get_file
from tapegrad.utils.downloading import data_folder

pooch = pytest.importorskip("pooch")

ORIGIN = "https://example.org/files/data.txt?version=2"


@pytest.fixture
def web(tmp_path, monkeypatch):
    """Let the network be one file, and count how often it is asked."""
    source = tmp_path / "source"
    source.write_bytes(b"content")
    asked = []
    retrieve = pooch.retrieve

    def copying(url, output_file, _):
        asked.append(url)
        if hasattr(output_file, "write"):
            output_file.write(source.read_bytes())
        else:
            shutil.copy(source, output_file)

    def local(*args, **kwargs):
        kwargs.pop("progressbar", None)
        return retrieve(*args, **kwargs, downloader=copying)

    monkeypatch.setattr(pooch, "retrieve", local)
    monkeypatch.setenv("TAPEGRAD_DATA_DIR", str(tmp_path / "kept"))
    return source, asked


@pytest.fixture
def sums():
    return (
        hashlib.sha256(b"content").hexdigest(),
        hashlib.md5(b"content", usedforsecurity=False).hexdigest(),
    )


def test_it_is_downloaded_once(web, tmp_path, sums):
    _, asked = web
    sha256, md5 = sums
    path = get_file(origin=ORIGIN, file_hash=sha256)
    assert path == str(tmp_path / "kept" / "data.txt")
    assert Path(path).read_bytes() == b"content"
    assert get_file(origin=ORIGIN, file_hash=sha256.upper()) == path
    assert get_file(origin=ORIGIN, md5_hash=md5) == path
    assert get_file(origin=ORIGIN) == path
    assert len(asked) == 1
    get_file(origin=ORIGIN, force_download=True)
    assert len(asked) == 2
    other = get_file("name", ORIGIN, cache_dir=tmp_path / "a", cache_subdir="b")
    assert other == str(tmp_path / "a" / "b" / "name")
    assert get_file("n", ORIGIN, cache_subdir="c") == str(tmp_path / "kept" / "c" / "n")


def test_a_wrong_checksum(web, tmp_path, sums):
    with pytest.raises(ValueError, match=r"checksum is not sha256:0{64}; nothing was kept"):
        get_file(origin=ORIGIN, file_hash="0" * 64)
    assert not (tmp_path / "kept" / "data.txt").exists()
    # A file that is there with a wrong checksum is replaced.
    path = tmp_path / "kept" / "data.txt"
    path.write_text("spoilt")
    get_file(origin=ORIGIN, file_hash=sums[0])
    assert path.read_bytes() == b"content"


def test_without_network(web, monkeypatch):
    def failing(*args, **kwargs):
        raise OSError("Name or service not known " * 20)

    monkeypatch.setattr(pooch, "retrieve", failing)
    with pytest.raises(ConnectionError) as caught:
        get_file(origin=ORIGIN)
    text = str(caught.value)
    assert "https://example.org" in text
    assert "TAPEGRAD_DATA_DIR" in text
    assert len(text) < 500


def test_without_pooch(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pooch"):
        get_file(origin=ORIGIN)


def test_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TAPEGRAD_DATA_DIR", "~/data")
    assert data_folder().name == "data"
    assert "~" not in str(data_folder())
    monkeypatch.delenv("TAPEGRAD_DATA_DIR")
    assert data_folder().parts[-2:] == ("tapegrad", "datasets")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "origin"),
        ({"origin": "https://example.org"}, "name of a file"),
        ({"origin": ORIGIN, "fname": "a/b"}, "name of a file without folders"),
        ({"origin": ORIGIN, "file_hash": "0", "hash_algorithm": "crc"}, "hash_algorithm"),
        ({"origin": ORIGIN, "extract": True}, "no archive"),
        ({"origin": ORIGIN, "extract": True, "archive_format": "rar"}, "archive_format"),
    ],
)
def test_refused(web, arguments, message):
    with pytest.raises(ValueError, match=message):
        get_file(**arguments)


def make_tar(path, name):
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = 5
        tar.addfile(member, io.BytesIO(b"hello"))


def test_archives(web, tmp_path):
    source, asked = web
    make_tar(source, "inner/file.txt")
    folder = get_file("pictures", "https://example.org/p.tgz", extract=True)
    assert folder == str(tmp_path / "kept" / "pictures")
    assert Path(folder, "inner", "file.txt").read_text() == "hello"
    get_file("pictures", "https://example.org/p.tgz", extract=True)
    assert len(asked) == 1
    with zipfile.ZipFile(source, "w") as zipped:
        zipped.writestr("file.txt", "zipped")
    folder = get_file(origin="https://example.org/p.zip", untar=True)
    assert folder == str(tmp_path / "kept" / "p_extracted")
    assert Path(folder, "file.txt").read_text() == "zipped"


def test_archives_cannot_write_elsewhere(web, tmp_path):
    source, _ = web
    make_tar(source, "../outside.txt")
    with pytest.raises(tarfile.OutsideDestinationError):
        get_file("pictures", "https://example.org/p.tgz", extract=True)
    assert not list(tmp_path.rglob("outside.txt"))
    assert not (tmp_path / "kept" / "pictures").exists()
