"""Where the files of a data set are: given by the user, downloaded before, or in the network."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tapegrad.datasets._idx import find_idx, read_idx
from tapegrad.utils.downloading import data_folder, get_file

__all__ = ["KERAS_FILES", "Parts", "local_path", "read_npz", "split", "train_and_test"]

KERAS_FILES = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

Parts = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""``(x_train, y_train), (x_test, y_test)``."""

_KEYS = ("x_train", "y_train", "x_test", "y_test")


def local_path(path: str | os.PathLike[str] | None, default: str) -> Path | None:
    """Return what the user gave as a path, or None where it names a file to keep downloads in.

    Raises
    ------
    FileNotFoundError
        If it is a path to nothing.
    """
    if path is None:
        return None
    given = Path(path).expanduser()
    if given.exists():
        return given
    if os.fspath(path) == default:
        return None
    raise FileNotFoundError(
        f"{os.fspath(path)!r} does not exist; without path= the data set is downloaded once and "
        f"kept in {data_folder()}."
    )


def read_npz(path: Path, keys: tuple[str, ...]) -> list[np.ndarray]:
    """Return arrays of an .npz file, in the order of their names.

    Raises
    ------
    ValueError
        If it is none, or lacks one, or one holds objects (which are never unpickled).
    """
    try:
        # Opened here: numpy.load leaves a file open that it cannot read.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            missing = [key for key in keys if key not in stored.files]
            if missing:
                raise ValueError(
                    f"{path} has no array {missing[0]!r}; it has {', '.join(stored.files)}, but "
                    f"{', '.join(keys)} are needed."
                )
            return [stored[key] for key in keys]
    except (zipfile.BadZipFile, EOFError, AttributeError, TypeError) as error:
        # The last two: what numpy.load returns for a .npy file is no archive.
        raise ValueError(f"{path} is no whole .npz file ({error}).") from None
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path} is no .npz file of numbers ({error}).") from None


def train_and_test(path: Path) -> Parts:
    """Read training and test data from an .npz file, an IDX file or a folder of such files."""
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        archives = sorted(path.glob("*.npz"))
        if find_idx(path) is None and len(archives) == 1:
            path = archives[0]
    if path.is_file() and (path.suffix == ".npz" or zipfile.is_zipfile(path)):
        arrays: list[Any] = read_npz(path, _KEYS)
    else:
        files = find_idx(folder)
        if files is None:
            raise FileNotFoundError(
                f"{path}: expected an .npz file with {', '.join(_KEYS)}, or the four IDX files "
                "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
                "t10k-labels-idx1-ubyte (or with .gz) in one folder."
            )
        arrays = [read_idx(files[key]) for key in _KEYS]
    for number in (0, 2):
        x, y = arrays[number : number + 2]
        if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
            raise ValueError(
                f"{path}: {_KEYS[number]} of shape {x.shape} and {_KEYS[number + 1]} of shape "
                f"{y.shape} do not belong together."
            )
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def downloaded(name: str, sha256: str, base: str = KERAS_FILES, subdir: str = "datasets") -> Path:
    """Return the path of a file that is downloaded if need be."""
    return Path(get_file(name, f"{base}{name}", file_hash=sha256, cache_subdir=subdir))


def split(x: np.ndarray, y: np.ndarray, test_split: float, seed: int) -> Parts:
    """Shuffle samples as Keras does and cut them in two.

    The order is that of NumPy's older generator, so that the parts are those of Keras.

    Raises
    ------
    ValueError
        If `test_split` does not lie in [0, 1).
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split must be at least 0 and below 1, but is {test_split}.")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    at = int(len(x) * (1 - test_split))
    return (x[:at].copy(), y[:at].copy()), (x[at:].copy(), y[at:].copy())
