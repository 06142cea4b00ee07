"""Files as sources and as caches."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad.data import Dataset


@pytest.fixture
def arrays(tmp_path):
    x = np.arange(60, dtype=np.float32).reshape(20, 3)
    y = np.arange(20)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    return x, y


def test_from_npy(tmp_path, arrays):
    x, y = arrays
    dataset = Dataset.from_npy((tmp_path / "x.npy", str(tmp_path / "y.npy")))
    assert len(dataset) == 20
    first = next(iter(dataset.batch(8)))
    np.testing.assert_array_equal(first[0], x[:8])
    assert type(first[0]) is np.ndarray
    assert first[0].flags.owndata, "the rows were read, not mapped"
    for rows, labels in dataset.shuffle(20, seed=0).batch(7):
        np.testing.assert_array_equal(rows, x[labels])
        assert type(rows) is np.ndarray
    assert type(next(iter(dataset))[0]) is np.ndarray
    one = Dataset.from_npy(tmp_path / "y.npy")
    assert [int(v) for v in one] == y.tolist()


def test_only_the_rows_of_a_batch_are_read(tmp_path):
    """A file with a hole: as large as 64 GiB for the reader, a few pages on the disk."""
    rows = 1 << 24
    path = tmp_path / "large.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (rows, 1024)}
        )
        try:
            file.truncate(file.tell() + rows * 4096)
        except OSError:
            pytest.skip("the file system has no sparse files")
    with open(path, "rb+") as file:
        file.seek(-4096, 2)
        file.write(np.full(1024, 7, "<f4").tobytes())
    dataset = Dataset.from_npy(path).batch(32)
    (last,) = dataset.iterate(skip=len(dataset) - 1)
    assert last.shape == (32, 1024)
    assert last[-1, 0] == 7
    assert last[0, 0] == 0


def test_from_npy_refuses(tmp_path, arrays):
    np.savez(tmp_path / "z.npz", a=np.ones(2))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "short.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-5])
    np.save(tmp_path / "nine.npy", np.ones(9))
    for name, message in [
        ("z.npz", "archive of several arrays"),
        ("objects.npy", "no whole .npy file"),
        ("text.npy", "no whole .npy file"),
        ("short.npy", "no whole .npy file"),
    ]:
        with pytest.raises(ValueError, match=message):
            Dataset.from_npy(tmp_path / name)
    with pytest.raises(ValueError, match="one number of rows"):
        Dataset.from_npy((tmp_path / "x.npy", tmp_path / "nine.npy"))
    with pytest.raises(FileNotFoundError):
        Dataset.from_npy(tmp_path / "nothing.npy")


def structures():
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    y = np.arange(6, dtype=np.int8)
    return {
        "one": (lambda: Dataset.from_tensor_slices(x), ["c.json", "c.npy"]),
        "tuple": (
            lambda: Dataset.from_tensor_slices((x, y)),
            ["c.0.npy", "c.1.npy", "c.json"],
        ),
        "dict": (
            lambda: Dataset.from_tensor_slices({"a": x, "b": (y, y)}),
            ["c.a.npy", "c.b.0.npy", "c.b.1.npy", "c.json"],
        ),
    }


def text(dataset):
    return [repr(element) for element in dataset]


@pytest.mark.parametrize("name", ["one", "tuple", "dict"])
def test_cache_in_files(tmp_path, name):
    source, files = structures()[name]
    expected = text(source().batch(4))
    calls = []

    def build():
        counted = source().enumerate().map(lambda i, element: (calls.append(i), element)[1])
        return counted.cache(tmp_path / "folder" / "c.npy")

    dataset = build()
    assert text(dataset.batch(4)) == expected
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == files
    assert text(dataset.batch(4)) == expected
    assert len(calls) == 6
    assert text(build().batch(4)) == expected, "another process finds the files"
    assert text(build().batch(4).iterate(skip=1)) == expected[1:]
    assert len(build()) == 6
    assert len(calls) == 6


def test_the_cache_is_a_plain_npy_file(tmp_path):
    list(Dataset.range(1000).cache(tmp_path / "numbers"))
    np.testing.assert_array_equal(np.load(tmp_path / "numbers.npy"), np.arange(1000))


def test_a_pass_that_is_left_leaves_no_file(tmp_path):
    dataset = Dataset.range(10).cache(tmp_path / "c")
    for _ in dataset:
        break
    assert list(tmp_path.iterdir()) == []
    assert len(list(dataset)) == 10
    empty = Dataset.range(0).cache(tmp_path / "empty")
    assert list(empty) == list(empty) == []


def test_cache_in_files_refuses(tmp_path):
    with pytest.raises(ValueError, match=r"element 2 is int64 \(1,\); put cache\(\) before batch"):
        list(Dataset.range(5).batch(2).cache(tmp_path / "c"))
    assert list(tmp_path.iterdir()) == []
