"""Data sets from local files, and what is said when there is neither file nor network."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import shutil
import struct
import tarfile

import numpy as np
import pytest

from tapegrad.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    mnist,
)

pooch = pytest.importorskip("pooch")

RNG = np.random.default_rng(0)
X_TRAIN = RNG.integers(0, 256, (6, 28, 28)).astype(np.uint8)
X_TEST = RNG.integers(0, 256, (3, 28, 28)).astype(np.uint8)
Y_TRAIN, Y_TEST = np.arange(6, dtype=np.uint8), np.arange(3, dtype=np.uint8)
ARRAYS = {"x_train": X_TRAIN, "y_train": Y_TRAIN, "x_test": X_TEST, "y_test": Y_TEST}


@pytest.fixture(autouse=True)
def _no_network(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("the network is unreachable")

    monkeypatch.setattr(pooch, "retrieve", offline)
    monkeypatch.setenv("TAPEGRAD_DATA_DIR", str(tmp_path / "kept"))


def idx(array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def write_idx(folder, compress=False, dot=False):
    folder.mkdir(exist_ok=True)
    for name, array in ARRAYS.items():
        stem = {"train": "train", "test": "t10k"}[name[2:]]
        kind = "images" if name[0] == "x" else "labels"
        file = f"{stem}-{kind}{'.' if dot else '-'}idx{array.ndim}-ubyte"
        content = idx(array)
        (folder / (f"{file}.gz" if compress else file)).write_bytes(
            gzip.compress(content) if compress else content
        )


def assert_same(loaded):
    (x_train, y_train), (x_test, y_test) = loaded
    for found, expected in zip((x_train, y_train, x_test, y_test), ARRAYS.values()):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.uint8
        assert found.flags.writeable


@pytest.mark.parametrize("module", [mnist, fashion_mnist])
@pytest.mark.parametrize(("compress", "dot"), [(False, False), (True, False), (False, True)])
def test_idx(tmp_path, module, compress, dot):
    folder = tmp_path / "idx"
    write_idx(folder, compress, dot)
    assert_same(module.load_data(path=folder))
    one = next(folder.glob("train-images*"))
    assert_same(module.load_data(path=str(one)))


@pytest.mark.parametrize("module", [mnist, fashion_mnist])
def test_npz(tmp_path, module):
    np.savez_compressed(tmp_path / "own.npz", **ARRAYS)
    assert_same(module.load_data(path=tmp_path / "own.npz"))
    assert_same(module.load_data(path=tmp_path))


def test_keras_default_name_is_a_name(tmp_path, monkeypatch):
    """``load_data("mnist.npz")`` names the file that a download is kept in, as in Keras."""
    with pytest.raises(ConnectionError):
        mnist.load_data("mnist.npz")
    np.savez(tmp_path / "mnist.npz", **ARRAYS)
    monkeypatch.chdir(tmp_path)
    assert_same(mnist.load_data("mnist.npz"))


@pytest.mark.parametrize(
    "module", [mnist, fashion_mnist, cifar10, cifar100, boston_housing, california_housing]
)
def test_offline_says_what_to_do(tmp_path, module):
    with pytest.raises(ConnectionError) as caught:
        module.load_data()
    text = str(caught.value)
    for part in ("could not be downloaded from http", "unreachable", "load_data(path=...)"):
        assert part in text
    assert str(tmp_path / "kept") in text
    assert text.count(". ") == 0, "one sentence"


@pytest.mark.parametrize(
    ("module", "files"),
    [
        (mnist, ["mnist.npz"]),
        (fashion_mnist, list(fashion_mnist._SHA256)),
        (cifar10, ["cifar-10-binary.tar.gz"]),
        (cifar100, ["cifar-100-binary.tar.gz"]),
        (boston_housing, ["boston_housing.npz"]),
        (california_housing, ["california_housing.npz"]),
    ],
)
def test_every_download_has_a_checksum(monkeypatch, module, files, tmp_path):
    asked = []

    def noting(url, known_hash, fname, path, progressbar):
        asked.append(fname)
        assert url.endswith(f"/{fname}")
        algorithm, digest = known_hash.split(":")
        assert (algorithm, len(digest)) == ("sha256", 64)
        if len(asked) == len(files):
            raise OSError("seen enough")

    monkeypatch.setattr(pooch, "retrieve", noting)
    with pytest.raises(ConnectionError):
        module.load_data()
    assert asked == files


def test_download(tmp_path, monkeypatch):
    monkeypatch.undo()
    source = tmp_path / "source.npz"
    np.savez(source, **ARRAYS)
    retrieve = pooch.retrieve

    def local(*args, progressbar, **kwargs):
        def copy(url, output_file, _):
            shutil.copy(source, output_file)

        return retrieve(*args, **kwargs, downloader=copy)

    monkeypatch.setattr(pooch, "retrieve", local)
    monkeypatch.setenv("TAPEGRAD_DATA_DIR", str(tmp_path / "kept"))
    with pytest.raises(ValueError, match=r"mnist\.npz: what https.* is not the file .* expected"):
        mnist.load_data()
    assert not (tmp_path / "kept" / "mnist.npz").exists()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    monkeypatch.setattr(mnist, "_SHA256", digest)
    assert_same(mnist.load_data())
    source.unlink()
    assert_same(mnist.load_data())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x00\x08\x01\x00\x00\x00\x09abc", r"cut off or damaged: .* shape \(9,\) has 17"),
        (b"\x00\x00\x08\x03\x00\x00", "ends within the header"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x00", "no IDX file of bytes"),
        (b"", "no IDX file of bytes"),
        (b"\x1f\x8bnonsense", "damaged gzip file"),
    ],
)
def test_damaged_idx(tmp_path, content, message):
    write_idx(tmp_path / "idx")
    (tmp_path / "idx" / "train-labels-idx1-ubyte").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        mnist.load_data(path=tmp_path / "idx")


def test_wrong_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'nothing\.npz' does not exist; without path="):
        mnist.load_data("nothing.npz")
    with pytest.raises(FileNotFoundError, match=r"expected an \.npz file with x_train"):
        mnist.load_data(tmp_path)
    np.savez(tmp_path / "keys.npz", x=X_TRAIN, y=Y_TRAIN)
    with pytest.raises(ValueError, match="no array 'x_train'; it has x, y, but"):
        mnist.load_data(tmp_path / "keys.npz")
    objects = {**ARRAYS, "y_test": np.array([{}, 1, 2], dtype=object)}
    np.savez(tmp_path / "objects.npz", **objects)
    with pytest.raises(ValueError, match=r"no \.npz file of numbers"):
        mnist.load_data(tmp_path / "objects.npz")
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"x_train": 1}))
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "short.npz", **ARRAYS)
    content = (tmp_path / "short.npz").read_bytes()
    (tmp_path / "short.npz").write_bytes(content[: len(content) // 2])
    np.save(tmp_path / "array.npy", X_TRAIN)
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    for name in ("pickle", "text", "short", "array"):
        with pytest.raises(ValueError, match=f"{name}.npz is no "):
            mnist.load_data(tmp_path / f"{name}.npz")
    np.savez(tmp_path / "lengths.npz", **{**ARRAYS, "y_test": Y_TRAIN})
    with pytest.raises(ValueError, match=r"x_test of shape \(3, 28, 28\) and y_test of shape \(6,"):
        mnist.load_data(tmp_path / "lengths.npz")


# ---- CIFAR ---------------------------------------------------------------------------


def cifar_files(names, labels):
    """Return records of four pictures a file, and what they hold."""
    files, pictures, numbers = {}, [], []
    for name in names:
        x = RNG.integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
        y = RNG.integers(0, 10, (4, labels)).astype(np.uint8)
        planes = x.transpose(0, 3, 1, 2).reshape(4, -1)
        files[name] = np.concatenate([y, planes], axis=1).tobytes()
        pictures.append(x)
        numbers.append(y)
    return files, np.concatenate(pictures), np.concatenate(numbers)


def write_tar(path, folder, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("as_folder", [False, True])
def test_cifar10(tmp_path, as_folder):
    names = [f"data_batch_{i}.bin" for i in range(1, 6)]
    files, x, y = cifar_files(names, 1)
    test_files, x_test, y_test = cifar_files(["test_batch.bin"], 1)
    path = tmp_path / "cifar.tar.gz"
    write_tar(path, "cifar-10-batches-bin", {**test_files, **files})
    if as_folder:
        with tarfile.open(path) as tar:
            tar.extractall(tmp_path, filter="data")
        path = tmp_path
    (x_found, y_found), (x_test_found, y_test_found) = cifar10.load_data(path=path)
    np.testing.assert_array_equal(x_found, x)
    np.testing.assert_array_equal(y_found, y)
    np.testing.assert_array_equal(x_test_found, x_test)
    np.testing.assert_array_equal(y_test_found, y_test)
    assert x_found.shape == (20, 32, 32, 3)
    assert y_found.shape == (20, 1)
    assert x_found.dtype == y_found.dtype == np.uint8


def test_cifar100(tmp_path):
    files, x, y = cifar_files(["train.bin"], 2)
    test_files, _, _ = cifar_files(["test.bin"], 2)
    path = tmp_path / "cifar.tar.gz"
    write_tar(path, "cifar-100-binary", {**files, **test_files})
    for mode, column in (("coarse", 0), ("fine", 1)):
        (x_found, y_found), _ = cifar100.load_data(mode, path=path)
        np.testing.assert_array_equal(x_found, x)
        np.testing.assert_array_equal(y_found, y[:, column : column + 1])
    with pytest.raises(ValueError, match="label_mode"):
        cifar100.load_data("medium", path=path)


def test_cifar_wrong_files(tmp_path):
    files, _, _ = cifar_files(["train.bin", "test.bin"], 2)
    path = tmp_path / "cifar.tar.gz"
    write_tar(path, "c", {"train.bin": files["train.bin"]})
    with pytest.raises(FileNotFoundError, match=r"has no test\.bin"):
        cifar100.load_data(path=path)
    write_tar(path, "c", {**files, "test.bin": files["test.bin"][:-1]})
    with pytest.raises(ValueError, match=r"test\.bin of .* is cut off"):
        cifar100.load_data(path=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"no whole \.tar\.gz"):
        cifar100.load_data(path=path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"has no file train\.bin"):
        cifar100.load_data(path=tmp_path / "empty")
    np.savez(tmp_path / "own.npz", **ARRAYS)
    assert_same(cifar10.load_data(path=tmp_path / "own.npz"))


# ---- houses --------------------------------------------------------------------------


@pytest.mark.parametrize("module", [boston_housing, california_housing])
def test_houses(tmp_path, module):
    x, y = np.arange(50.0).reshape(25, 2), np.arange(25.0)
    np.savez(tmp_path / "houses.npz", x=x, y=y)
    path = tmp_path / "houses.npz"
    (x_train, y_train), (x_test, y_test) = module.load_data(path=path)
    assert (len(x_train), len(x_test)) == (20, 5)
    # The cut is that of Keras: NumPy's older generator with the seed 113.
    order = np.arange(25)
    np.random.RandomState(113).shuffle(order)
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), order)
    np.testing.assert_array_equal(x_train[:, 0], 2 * y_train)
    assert len(module.load_data(path=path, test_split=0.0)[1][0]) == 0
    assert not np.array_equal(module.load_data(path=path, seed=1)[0][1], y_train)
    with pytest.raises(ValueError, match="test_split must be at least 0 and below 1"):
        module.load_data(path=path, test_split=1.0)


def test_small_california(tmp_path):
    np.savez(tmp_path / "c.npz", x=np.zeros((700, 8)), y=np.arange(700.0))
    (_, y_train), (_, y_test) = california_housing.load_data("small", tmp_path / "c.npz")
    assert sorted([*y_train, *y_test]) == list(range(600))
    with pytest.raises(ValueError, match="version"):
        california_housing.load_data("medium")
