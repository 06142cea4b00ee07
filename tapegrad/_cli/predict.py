"""The command ``predict``: apply what ``train`` left to other data."""

from __future__ import annotations

import sys

import numpy as np

from tapegrad._cli import data, generate
from tapegrad._cli.errors import UserError
from tapegrad._cli.files import Table
from tapegrad._cli.labels import class_indices
from tapegrad._cli.reports.classification import classification_text
from tapegrad._cli.reports.reconstruction import (
    autoencoder_of,
    reconstruction_figures,
    reconstruction_text,
    unit_of,
)
from tapegrad._cli.reports.regression import regression_text
from tapegrad._cli.run_folder import TrainedModel
from tapegrad._cli.tables import checked_file, csv_text, feature_columns, write_text


def run(folder: str, text: str, out: str | None, seed: int | None = None) -> int:
    """Predict, write a CSV table, and print the figures where the data has labels.

    Parameters
    ----------
    folder : str
        What ``train`` wrote.
    text : str
        ``digits`` (its test samples) or a file; for a GAN, how many samples to make.
    out : str or None
        File for the table; None means standard output, the figures then going to
        standard error.
    seed : int or None
        Of the samples that a GAN makes.

    Raises
    ------
    UserError
        If folder, data or file cannot be used; nothing has been written then.
    """
    destination = None if out is None else checked_file(out)
    trained = TrainedModel.read(folder)
    task = trained.architecture.task
    if task == "generation":
        return generate.run(trained, folder, text, destination, seed or 0)
    if seed is not None:
        raise UserError(f"--seed is of samples that a gan makes; {folder} holds no gan")
    table = data.load_for_prediction(
        text,
        feature_names=trained.feature_names,
        features=trained.architecture.inputs,
        target=trained.target_name,
    )
    x = trained.scaling.features(table.x, table.source)
    predict = {
        "classification": _classified,
        "regression": _predicted,
        "reconstruction": _reconstructed,
    }[task]
    content, figures = predict(trained, table, x)
    if destination is None:
        sys.stdout.write(content)
    else:
        write_text(destination, content)
        print(f"{len(x)} predictions in {destination}")
    if figures is not None:
        print(figures, file=sys.stderr if destination is None else sys.stdout)
    return 0


def _classified(trained: TrainedModel, table: Table, x: np.ndarray) -> tuple[str, str | None]:
    """Classes and their probabilities; figures where there are labels."""
    # Labels are checked before anything is computed or written.
    true = None if table.y is None else class_indices(table.y, trained.classes, table.source)
    outputs = np.asarray(trained.network.predict(x, verbose=0))
    figures = None
    if true is not None:
        from tapegrad.metrics import classification_report

        full = classification_report(true, outputs, trained.classes)
        figures = classification_text(full, table.source)
    header = ["prediction", *(f"probability_{name}" for name in trained.classes)]
    best = outputs.argmax(axis=1)
    rows = (
        [trained.classes[index], *(f"{value:.6g}" for value in row)]
        for index, row in zip(best.tolist(), outputs.tolist(), strict=True)
    )
    return csv_text(header, rows), figures


def _predicted(trained: TrainedModel, table: Table, x: np.ndarray) -> tuple[str, str | None]:
    """Numbers; figures where there are true ones."""
    if table.y is not None and table.y.dtype.kind == "U":
        raise UserError(f"{table.source}: the labels are text; the model predicts numbers")
    outputs = np.asarray(trained.network.predict(x, verbose=0))
    predicted = trained.scaling.original(outputs)
    figures = None
    if table.y is not None:
        from tapegrad.metrics import regression_report

        measured = regression_report(table.y.astype(np.float64), predicted)
        figures = regression_text(measured, trained.target_name, table.source)
    return csv_text(["prediction"], [[repr(float(value))] for value in predicted]), figures


def _reconstructed(trained: TrainedModel, table: Table, x: np.ndarray) -> tuple[str, str]:
    """How far off each reconstruction is, its code, and the reconstruction in the data's units."""
    architecture = autoencoder_of(trained)
    codes = architecture.codes(trained.network, x)
    back = architecture.decoded(trained.network, codes)
    error = (back.astype(np.float64) - x) * unit_of(trained)
    off = np.sqrt((error**2).mean(axis=1))
    names = feature_columns(trained.feature_names, trained.scaling.shape)
    header = [
        "rmse",
        *(f"code_{i + 1}" for i in range(architecture.code)),
        *(f"reconstructed_{name}" for name in names),
    ]
    values = np.column_stack([off, codes, trained.scaling.original_features(back)])
    rows = ([f"{value:.7g}" for value in row] for row in values.tolist())
    figures = reconstruction_figures(x, back, trained)
    return csv_text(header, rows), reconstruction_text(figures, trained, table.source)
