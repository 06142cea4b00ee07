"""Files to raw arrays: ``.npy``, ``.npz`` and ``.csv``, checked, in one form."""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from tapegrad._cli.errors import UserError
from tapegrad.utils.lookup import suggestion

SUFFIXES = (".npy", ".npz", ".csv")
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})


@dataclass
class Table:
    """Samples as a file holds them.

    Attributes
    ----------
    source : str
        What errors call the data: the file's name.
    x : ndarray of float64, shape (samples, *shape)
        Features, finite.
    y : ndarray of shape (samples,) or None
        Labels, not interpreted yet: integers, floats or text.
    feature_names : list of str or None
        Names of the columns, where the file has any.
    target_name : str or None
        Name of the labels' column, likewise.
    """

    source: str
    x: np.ndarray
    y: np.ndarray | None = None
    feature_names: list[str] | None = None
    target_name: str | None = None


def checked_path(text: str) -> Path:
    """The path of a data file that exists and has a known suffix, or a `UserError`."""
    path = Path(text).expanduser()
    if path.is_dir():
        raise UserError(f"{text} is a folder; expected a .npy, .npz or .csv file")
    if not path.exists():
        near = [entry.name for entry in path.parent.glob("*") if entry.suffix in SUFFIXES]
        hint = suggestion(path.name, sorted([*near, "digits"]))
        raise UserError(f"there is no file {text}.{hint}")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{text} ends in {path.suffix!r}; expected a .npy, .npz or .csv file")
    return path


def checked_features(values: Any, what: str) -> np.ndarray:
    """Features as finite float64 of two dimensions or more, or a `UserError`."""
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        raise UserError(
            f"{what} has dtype {array.dtype}; features must be numbers (encode text and dates "
            "as numbers first)"
        )
    if array.ndim == 0:
        raise UserError(f"{what} is a single number; expected an array of shape (samples, …)")
    if array.size == 0:
        raise UserError(f"{what} is empty: its shape is {array.shape}")
    if array.ndim == 1:
        array = array[:, None]
    array = array.astype(np.float64)
    unusable = ~np.isfinite(array)
    if unusable.any():
        place = tuple(int(i) for i in np.argwhere(unusable)[0])
        raise UserError(
            f"{what} holds {int(unusable.sum())} values that are NaN or infinite, the first at "
            f"index {place}; remove or fill them in"
        )
    return array


def _checked_labels(values: Any, what: str, count: int) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        one_hot = " (for one-hot rows, save y.argmax(axis=1))" if array.ndim == 2 else ""
        raise UserError(
            f"{what} has shape {array.shape}; expected one label a sample, shape ({count},)"
            + one_hot
        )
    if len(array) != count:
        raise UserError(f"{what} holds {len(array)} labels for {count} samples")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind not in "buifU":
        raise UserError(f"{what} has dtype {array.dtype}; labels must be numbers or text")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = int(np.flatnonzero(~np.isfinite(array))[0])
        raise UserError(f"{what} is {array[place]} at index {place}; labels must be finite")
    return array


@contextmanager
def _loaded(path: Path, name: str) -> Iterator[Any]:
    """``np.load`` of data that needs no pickle, its many errors made one."""
    try:
        file = path.open("rb")
    except PermissionError as error:
        raise UserError(f"{name} cannot be read: permission denied") from error
    with file:
        try:
            stored = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile, OSError) as error:
            file.seek(0)
            if "Object arrays" in str(error) and file.read(6) == b"\x93NUMPY":
                raise UserError(_objects(name)) from error
            raise UserError(
                f"{name} is not what its suffix says: it holds no NumPy {path.suffix} data"
            ) from error
        yield stored


def _objects(what: str) -> str:
    return f"{what} holds Python objects; save arrays of numbers instead (or of fixed-length text)"


def read_npy(path: Path, *, labelled: bool | int = True) -> Table:
    """Read an array of numbers: rows whose last column holds the labels, or samples alone.

    Parameters
    ----------
    path : Path
        The file.
    labelled : bool or int, default True
        Whether there are labels. As an int, the number of features: the file has
        labels if it has one column more. Samples without labels may have any shape.
    """
    name = path.name
    with _loaded(path, name) as array:
        if not isinstance(array, np.ndarray):
            raise UserError(f"{name} is not what its suffix says: it is a .npz archive")
    if array.ndim != 2 and (labelled is True or array.ndim < 2):
        raise UserError(
            f"{name} has shape {array.shape}; a .npy file must have two dimensions, a row a "
            "sample, labels in the last column (use .npz with x and y for anything else)"
        )
    array = checked_features(array, name)
    if not isinstance(labelled, bool):
        labelled = array.ndim == 2 and array.shape[1] == labelled + 1
    if not labelled:
        return Table(name, array)
    if array.shape[1] < 2:
        raise UserError(f"{name} has one column; expected features and, last, the labels")
    labels = array[:, -1]
    # One dtype serves the whole array, so whole numbers stand for integer labels.
    if np.array_equal(labels, np.rint(labels)) and np.abs(labels).max() < 2**53:
        labels = labels.astype(np.int64)
    return Table(name, array[:, :-1], labels)


def read_npz(path: Path, *, need_labels: bool = True) -> tuple[Table, Table | None]:
    """Read ``x`` and ``y``, or ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    Returns
    -------
    train, test : Table, Table or None
        `test` is None where the file has one part only.
    """
    name = path.name
    with _loaded(path, name) as archive:
        if isinstance(archive, np.ndarray):
            raise UserError(f"{name} is not what its suffix says: it is a .npy array")
        keys = set(archive.files)

        def read(key: str) -> np.ndarray:
            try:
                return archive[key]
            except ValueError as error:
                raise UserError(_objects(f"{name}: {key}")) from error
            except (zipfile.BadZipFile, OSError, EOFError) as error:
                raise UserError(f"{name} is damaged: {key} cannot be read") from error

        def part(x_key: str, y_key: str) -> Table:
            x = checked_features(read(x_key), f"{name}: {x_key}")
            if y_key not in keys:
                if need_labels:
                    raise UserError(f"{name} has {x_key} but no {y_key}")
                return Table(name, x)
            return Table(name, x, _checked_labels(read(y_key), f"{name}: {y_key}", len(x)))

        if "x" in keys:
            return part("x", "y"), None
        if "x_train" in keys:
            train = part("x_train", "y_train")
            test = part("x_test", "y_test") if "x_test" in keys else None
            if test is not None and test.x.shape[1:] != train.x.shape[1:]:
                raise UserError(
                    f"{name}: samples of x_train have shape {train.x.shape[1:]}, those of x_test "
                    f"{test.x.shape[1:]}"
                )
            return train, test
        found = ", ".join(sorted(keys)) or "nothing"
        raise UserError(
            f"{name} holds {found}; expected x and y, or x_train, y_train, x_test and y_test"
        )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_number(cell: str) -> bool:
    """Whether a cell holds a number, or should: it is empty."""
    return _number(cell) is not None or cell.strip().lower() in _MISSING


def _csv_rows(file: IO[str], name: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header and the numbered lines that are not blank."""
    first = file.readline()
    delimiter = max(",;\t", key=first.count)
    file.seek(0)
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
    header = [cell.strip() for cell in next(reader, [])]
    if not any(header):
        raise UserError(f"{name} is empty")
    if all(_number(cell) is not None for cell in header):
        raise UserError(
            f"{name}: the first line must name the columns, but it holds numbers "
            f"({', '.join(header[:3])}, …)"
        )
    rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    for line, row in rows:
        if len(row) != len(header):
            raise UserError(
                f"{name}, line {line}: {len(row)} cells, but the header names {len(header)} columns"
            )
    return header, rows


def read_csv(
    path: Path,
    *,
    target: str | None = None,
    features: list[str] | int | None = None,
    labelled: bool = True,
) -> Table:
    """Read a CSV file with a header line.

    Parameters
    ----------
    path : Path
        The file; cells are separated by commas, semicolons or tabs.
    target : str, optional
        Name of the column of labels; by default the last one.
    features : list of str or int, optional
        For prediction: the names (or just the number) of the features that a
        model needs. The column of labels may then be absent.
    labelled : bool, default True
        False for models that need no labels: then the last column holds labels only
        if it holds text.
    """
    name = path.name
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, rows = _csv_rows(file, name)
    except PermissionError as error:
        raise UserError(f"{name} cannot be read: permission denied") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{name} is not what its suffix says: it is no text in UTF-8") from error
    repeated = [column for column in header if header.count(column) > 1]
    if repeated:
        raise UserError(f"{name}: two columns are called {repeated[0]!r}")
    if not rows:
        raise UserError(f"{name} has a header and no samples")
    if not labelled and target is None and all(_is_number(row[-1]) for _, row in rows):
        features = len(header)
    target, columns = _chosen_columns(name, header, target, features)
    if not columns:
        raise UserError(f"{name} has one column; expected features and a column of labels")
    x = np.empty((len(rows), len(columns)))
    positions = [header.index(column) for column in columns]
    for i, (line, row) in enumerate(rows):
        for j, position in enumerate(positions):
            x[i, j] = _feature(row[position], f"{name}, line {line}: column {header[position]!r}")
    y = None
    if target is not None:
        y = _text_labels(name, target, [(line, row[header.index(target)]) for line, row in rows])
    return Table(name, x, y, columns, target)


def _chosen_columns(
    name: str, header: list[str], target: str | None, features: list[str] | int | None
) -> tuple[str | None, list[str]]:
    """Which column holds the labels, if any, and which the features."""
    if features is None:
        if target is None:
            target = header[-1]
        elif target not in header:
            raise UserError(f"{name} has no column {target!r}.{suggestion(target, header)}")
        return target, [column for column in header if column != target]
    if isinstance(features, int):
        if len(header) == features + 1:
            chosen = target if target in header else header[-1]
            return chosen, [column for column in header if column != chosen]
        return None, header
    missing = [column for column in features if column not in header]
    if missing:
        hint = suggestion(missing[0], [column for column in header if column not in features])
        raise UserError(
            f"{name} has no column {missing[0]!r}, which the model was trained on "
            f"({len(missing)} of its {len(features)} features are missing).{hint}"
        )
    unknown = [column for column in header if column not in features and column != target]
    if unknown:
        raise UserError(
            f"{name} has a column {unknown[0]!r} that the model was not trained on; it needs "
            f"{len(features)} features, the file has {len(header)} columns"
        )
    return (target if target in header else None), features


def _as_written(cell: str) -> str:
    return f" ({cell.strip()})" if cell.strip() else ""


def _feature(cell: str, where: str) -> float:
    value = _number(cell)
    if value is not None and math.isfinite(value):
        return value
    if cell.strip().lower() in _MISSING:
        raise UserError(f"{where} is empty{_as_written(cell)}; fill it in or remove the line")
    if value is not None:
        raise UserError(f"{where} is {cell.strip()}; features must be finite")
    raise UserError(f"{where} holds {cell.strip()!r}; features must be numbers")


def _text_labels(name: str, target: str, cells: list[tuple[int, str]]) -> np.ndarray:
    """Labels as int64 if all are integers, else float64 if all are numbers, else text."""
    for line, cell in cells:
        if cell.strip().lower() in _MISSING:
            raise UserError(
                f"{name}, line {line}: column {target!r} is empty{_as_written(cell)}; every "
                "sample needs a label"
            )
    texts = [cell.strip() for _, cell in cells]
    try:
        return np.array([int(text) for text in texts], dtype=np.int64)
    except (ValueError, OverflowError):
        numbers = [_number(text) for text in texts]
    if any(number is None for number in numbers):
        return np.array(texts)
    for (line, cell), number in zip(cells, numbers, strict=True):
        if number is None or not math.isfinite(number):
            raise UserError(f"{name}, line {line}: column {target!r} is {cell.strip()}")
    return np.array(numbers, dtype=np.float64)
