"""The command ``predict``: apply what ``train`` left to other data."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import numpy as np

from tapegrad._cli import data
from tapegrad._cli.errors import UserError
from tapegrad._cli.labels import class_indices
from tapegrad._cli.report import classification_text, regression_text
from tapegrad._cli.run_folder import TrainedModel
from tapegrad.utils.files import atomic_path


def run(folder: str, text: str, out: str | None) -> int:
    """Predict, write a CSV table, and print the figures where the data has labels.

    Parameters
    ----------
    folder : str
        What ``train`` wrote.
    text : str
        ``digits`` (its test samples) or a file.
    out : str or None
        File for the table; None means standard output, the figures then going to
        standard error.

    Raises
    ------
    UserError
        If folder, data or file cannot be used; nothing has been written then.
    """
    destination = None if out is None else _checked_file(out)
    trained = TrainedModel.read(folder)
    table = data.load_for_prediction(
        text,
        feature_names=trained.feature_names,
        features=trained.architecture.inputs,
        target=trained.target_name,
    )
    x = trained.scaling.features(table.x, table.source)
    figures = None
    if trained.architecture.task == "classification":
        # Labels are checked before anything is computed or written.
        true = None
        if table.y is not None:
            true = class_indices(table.y, trained.classes, table.source)
        outputs = np.asarray(trained.network.predict(x, verbose=0))
        content = _classification_table(outputs, trained.classes)
        if true is not None:
            from tapegrad.metrics import classification_report

            full = classification_report(true, outputs, trained.classes)
            figures = classification_text(full, table.source)
    else:
        if table.y is not None and table.y.dtype.kind == "U":
            raise UserError(f"{table.source}: the labels are text; the model predicts numbers")
        outputs = np.asarray(trained.network.predict(x, verbose=0))
        predicted = trained.scaling.original(outputs)
        content = _csv_text(["prediction"], [[repr(float(value))] for value in predicted])
        if table.y is not None:
            from tapegrad.metrics import regression_report

            measured = regression_report(table.y.astype(np.float64), predicted)
            figures = regression_text(measured, trained.target_name, table.source)
    if destination is None:
        sys.stdout.write(content)
    else:
        with atomic_path(destination) as temporary:
            temporary.write_text(content, "utf-8", newline="")
        print(f"{len(x)} predictions in {destination}")
    if figures is not None:
        print(figures, file=sys.stderr if destination is None else sys.stdout)
    return 0


def _checked_file(out: str) -> Path:
    path = Path(out).expanduser()
    if path.is_dir():
        raise UserError(f"--out {out} is a folder; expected the name of a file")
    if not path.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {path.parent}")
    return path


def _classification_table(probabilities: np.ndarray, classes: list[str]) -> str:
    header = ["prediction", *(f"probability_{name}" for name in classes)]
    best = probabilities.argmax(axis=1)
    rows = [
        [classes[index], *(f"{value:.6g}" for value in row)]
        for index, row in zip(best.tolist(), probabilities.tolist(), strict=True)
    ]
    return _csv_text(header, rows)


def _csv_text(header: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
