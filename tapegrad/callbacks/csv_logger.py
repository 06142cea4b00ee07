"""The values of each epoch as a line of a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from tapegrad.callbacks.base import Callback, Logs

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Writes the values of each epoch to a CSV file, a line an epoch.

    The columns are ``epoch`` (from 0) and the names of the first epoch's values in alphabetical
    order; where no value of validation is among them, columns for these follow. A value that an
    epoch lacks is ``NA``. A run that is resumed removes lines of epochs that it repeats.

    Parameters
    ----------
    filename
        The file's name.
    separator
        What stands between columns.
    append
        Whether to add lines to a file that exists; otherwise it is overwritten.

    Raises
    ------
    FileNotFoundError
        At the beginning of training, if the folder does not exist.

    Examples
    --------
    >>> logger = CSVLogger("training.csv", separator=";")
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.keys: list[str] | None = None
        self._file: TextIO | None = None
        self._resumed_at: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Check that the file can be written; it is opened at the first line."""
        self._close()
        self.keys = None
        self._resumed_at = None
        folder = Path(self.filename).parent
        if not folder.is_dir():
            raise FileNotFoundError(
                f"CSVLogger: the folder {str(folder)!r} of {self.filename!r} does not exist."
            )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's line."""
        logs = logs or {}
        if self._file is None:
            self._file = self._open()
        writer = csv.writer(self._file, delimiter=self.sep, lineterminator="\r\n")
        if self.keys is None:
            self.keys = _columns(logs)
            if self._file.tell() == 0:
                writer.writerow(["epoch", *self.keys])
        writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self.keys)])
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        self._close()

    def get_state(self) -> dict[str, Any]:
        """Return the columns, and how long the file is."""
        position = self._resumed_at if self._file is None else self._file.tell()
        return {"keys": self.keys, "position": position}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on after the lines that an earlier process had written by then."""
        self.keys = None if state["keys"] is None else list(state["keys"])
        self._resumed_at = state["position"]

    def _open(self) -> TextIO:
        path = Path(self.filename)
        start = self._resumed_at
        if start is not None and path.exists() and path.stat().st_size >= start:
            file = open(path, "r+", newline="", encoding="utf-8")  # noqa: SIM115
            file.truncate(start)
            file.seek(start)
            return file
        self.keys = None  # there is no such file any more, so it needs a header
        file = open(path, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115
        file.seek(0, os.SEEK_END)
        return file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _columns(logs: Logs) -> list[str]:
    names = sorted(logs)
    if names and not any(name.startswith("val_") for name in names):
        names += [f"val_{name}" for name in names]
    return names


def _cell(value: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
