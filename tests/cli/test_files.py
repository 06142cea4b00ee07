"""Files to arrays: what is read, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tapegrad._cli import files
from tapegrad._cli.errors import UserError


def test_csv_labels_in_the_last_column(write):
    table = files.read_csv(Path(write("a.csv", "u,v,kind\n1,2,x\n3,4.5,y\n")))
    np.testing.assert_array_equal(table.x, [[1.0, 2.0], [3.0, 4.5]])
    assert table.y is not None
    assert table.y.tolist() == ["x", "y"]
    assert (table.feature_names, table.target_name) == (["u", "v"], "kind")


def test_csv_labels_in_a_named_column(write):
    table = files.read_csv(Path(write("a.csv", "kind,u\n0,1\n1,3\n")), target="kind")
    np.testing.assert_array_equal(table.x, [[1.0], [3.0]])
    assert table.y is not None
    assert table.y.dtype == np.int64


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_separators_quotes_blank_lines_and_byte_order_mark(write, separator):
    text = '\ufeffu,"v w",y\r\n1, 2,"a"\r\n\r\n3,4,b\r\n'.replace(",", separator)
    table = files.read_csv(Path(write("a.csv", text)))
    np.testing.assert_array_equal(table.x, [[1, 2], [3, 4]])
    assert table.feature_names == ["u", "v w"]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [(["1", "2"], "i"), (["1.0", "2.5"], "f"), (["1", "x"], "U"), (["True", "False"], "U")],
)
def test_csv_label_types(write, cells, kind):
    text = "u,y\n" + "".join(f"0,{cell}\n" for cell in cells)
    y = files.read_csv(Path(write("a.csv", text))).y
    assert y is not None
    assert y.dtype.kind == kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv is empty"),
        ("u,y\n", "a.csv has a header and no samples"),
        ("1,2\n3,4\n", "the first line must name the columns"),
        ("u,u,y\n1,2,0\n", "two columns are called 'u'"),
        ("y\n0\n1\n", "one column"),
        ("u,v,y\n1,2,0\n1,2\n", "a.csv, line 3: 2 cells, but the header names 3 columns"),
        ("u,v,y\n1,2,0\n1,,0\n", "a.csv, line 3: column 'v' is empty"),
        ("u,v,y\n1,2,0\n1,NA,0\n", "a.csv, line 3: column 'v' is empty (NA)"),
        ("u,v,y\n1,nan,0\n", "line 2: column 'v' is empty (nan)"),
        ("u,v,y\n1,inf,0\n", "line 2: column 'v' is inf"),
        ("u,v,y\n1,red,0\n", "line 2: column 'v' holds 'red'; features must be numbers"),
        ("u,v,y\n1,2,\n", "line 2: column 'y' is empty; every sample needs a label"),
        ("u,v,y\n1,2,1.5\n1,2,inf\n", "line 3: column 'y' is inf"),
    ],
)
def test_csv_refused(write, text, message):
    with pytest.raises(UserError) as caught:
        files.read_csv(Path(write("a.csv", text)))
    assert message in str(caught.value)


def test_csv_missing_target_suggests_the_nearest(write):
    name = write("a.csv", "width,species\n1,2\n")
    with pytest.raises(UserError, match=r'no column \'specie\'.* Did you mean "species"'):
        files.read_csv(Path(name), target="specie")


def test_csv_for_prediction_finds_columns_by_name(write):
    path = Path(write("a.csv", "v,y,u\n1,7,2\n3,8,4\n"))
    table = files.read_csv(path, target="y", features=["u", "v"])
    np.testing.assert_array_equal(table.x, [[2, 1], [4, 3]])
    assert table.y is not None
    unlabelled = files.read_csv(Path(write("b.csv", "v,u\n1,2\n")), target="y", features=["u", "v"])
    assert unlabelled.y is None


def test_csv_for_prediction_with_other_columns(write):
    path = Path(write("a.csv", "u,w\n1,7\n"))
    with pytest.raises(UserError, match=r"no column 'v'.*1 of its 2 features"):
        files.read_csv(path, target="y", features=["u", "v"])
    with pytest.raises(UserError, match="column 'w' that the model was not trained on"):
        files.read_csv(path, target="y", features=["u"])


def test_npy(write):
    table = files.read_npy(Path(write("a.npy", [[1.5, 2.0, 0.0], [3.0, 4.0, 1.0]])))
    np.testing.assert_array_equal(table.x, [[1.5, 2.0], [3.0, 4.0]])
    assert table.y is not None
    assert table.y.tolist() == [0, 1]
    assert table.y.dtype == np.int64
    fractions = files.read_npy(Path(write("b.npy", [[1.0, 0.5], [2.0, 1.0]]))).y
    assert fractions is not None
    assert fractions.dtype == np.float64


def test_npy_for_prediction_has_labels_if_one_column_more(write):
    path = Path(write("a.npy", np.ones((2, 3))))
    assert files.read_npy(path, labelled=2).y is not None
    assert files.read_npy(path, labelled=3).y is None


def test_npz(write):
    train, test = files.read_npz(Path(write("a.npz", x=np.ones((3, 4, 4)), y=[0, 1, 0])))
    assert train.x.shape == (3, 4, 4)
    assert test is None
    name = write("b.npz", x_train=np.ones((3, 2)), y_train=[0, 1, 0], x_test=[[1, 2]], y_test=[[1]])
    train, test = files.read_npz(Path(name))
    assert test is not None
    assert test.y is not None
    assert test.y.tolist() == [1]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": [1]}, "holds a; expected x and y"),
        ({"x": [[1.0]]}, "has x but no y"),
        ({"x": [[1.0]], "y": [0, 1]}, "2 labels for 1 samples"),
        ({"x": np.empty((0, 3)), "y": []}, "is empty"),
        ({"x": [[np.nan]], "y": [0]}, "1 values that are NaN or infinite, the first at index (0"),
        ({"x": [["a"]], "y": [0]}, "dtype <U1; features must be numbers"),
        ({"x": [[1 + 2j]], "y": [0]}, "complex128; features must be numbers"),
        ({"x": np.array([[None]]), "y": [0]}, "holds Python objects"),
        ({"x": [[1.0]], "y": np.array([None])}, "holds Python objects"),
        ({"x": [[1.0], [2.0]], "y": [[1, 0], [0, 1]]}, "for one-hot rows"),
        ({"x": [[1.0], [2.0]], "y": [0.5, np.nan]}, "nan at index 1"),
        ({"x": 3.0, "y": 1}, "is a single number"),
        (
            {"x_train": [[1, 2]], "y_train": [0], "x_test": [[1]], "y_test": [0]},
            "samples of x_train have shape (2,), those of x_test (1,)",
        ),
    ],
)
def test_npz_refused(write, arrays, message):
    with pytest.raises(UserError) as caught:
        files.read_npz(Path(write("a.npz", **arrays)))
    assert message in str(caught.value)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("content", [b"", b"hello, world", b"PK\x03\x04 broken", b"\x93NUMPY"])
def test_not_what_the_suffix_says(write, suffix, content):
    path = Path(write("a" + suffix, content))
    reader = files.read_npy if suffix == ".npy" else files.read_npz
    with pytest.raises(UserError, match="not what its suffix says"):
        reader(path)


def test_formats_swapped(write, folder):
    np.savez(folder / "x.npz", x=[[1.0]])
    (folder / "x.npz").rename(folder / "x.npy")
    with pytest.raises(UserError, match=r"it is a \.npz archive"):
        files.read_npy(folder / "x.npy")
    np.save(folder / "z.npy", np.ones((2, 2)))
    (folder / "z.npy").rename(folder / "z.npz")
    with pytest.raises(UserError, match=r"it is a \.npy array"):
        files.read_npz(folder / "z.npz")
    with pytest.raises(UserError, match="no text in UTF-8"):
        files.read_csv(Path(write("a.csv", b"\x93NUMPY\x01\x00\xff\xfe")))


def test_npy_refused(write):
    with pytest.raises(UserError, match="must have two dimensions"):
        files.read_npy(Path(write("a.npy", [1.0, 2.0])))
    with pytest.raises(UserError, match="one column"):
        files.read_npy(Path(write("b.npy", [[1.0], [2.0]])))
    with pytest.raises(UserError, match="holds Python objects"):
        files.read_npy(Path(write("c.npy", np.array([[None, 1]], dtype=object))))


def test_paths(write, folder):
    write("digit.csv", "u,y\n1,2\n")
    with pytest.raises(UserError, match=r'no file digt\.csv\. Did you mean "digit\.csv"'):
        files.checked_path("digt.csv")
    with pytest.raises(UserError, match=r'no file digis\. Did you mean "digits"'):
        files.checked_path("digis")
    with pytest.raises(UserError, match="is a folder"):
        files.checked_path(str(folder))
    with pytest.raises(UserError, match=r"ends in '\.txt'"):
        files.checked_path(write("a.txt", "hello"))
