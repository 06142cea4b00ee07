"""What ``predict`` writes: CSV tables, arrays and images, whole or not at all."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable
from pathlib import Path

from tapegrad._cli.errors import UserError
from tapegrad.utils.files import atomic_path


def checked_file(out: str) -> Path:
    """The path of a file that can be written, or a `UserError`; nothing is created yet."""
    path = Path(out).expanduser()
    if path.is_dir():
        raise UserError(f"--out {out} is a folder; expected the name of a file")
    if not path.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {path.parent}")
    return path


def csv_text(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def feature_columns(names: list[str] | None, shape: tuple[int, ...]) -> list[str]:
    """Names of the columns of features: their own, or by their place in a sample.

    Examples
    --------
    >>> feature_columns(None, (2, 2)), feature_columns(["width"], (1,))
    (['x_0_0', 'x_0_1', 'x_1_0', 'x_1_1'], ['width'])
    """
    if names is not None:
        return names
    places = itertools.product(*(range(size) for size in shape))
    return ["_".join(["x", *(str(i) for i in place)]) for place in places]


def write_text(path: Path, content: str) -> None:
    """Write text in UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(content, "utf-8", newline="")
