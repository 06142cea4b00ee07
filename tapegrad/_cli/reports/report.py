"""How a report is made: measured, written to ``report.json``, printed, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tapegrad._cli.data import Samples
from tapegrad._cli.reports.base import Report
from tapegrad._cli.reports.classification import ClassificationReport
from tapegrad._cli.reports.generation import GenerationReport, Snapshots
from tapegrad._cli.reports.reconstruction import ReconstructionReport
from tapegrad._cli.reports.regression import RegressionReport
from tapegrad._cli.run_folder import REPORT, TrainedModel, write_json

if TYPE_CHECKING:
    from tapegrad._cli.train import Options, Progress


def finish(
    options: Options,
    samples: Samples,
    trained: TrainedModel,
    progress: Progress,
    folder: Path,
    snapshots: Snapshots | None,
) -> None:
    """Measure the network on both parts, print the report, write it and the plots."""
    if snapshots is not None:
        snapshots.complete(progress.epochs)
    report = _measure(samples, trained, snapshots)
    write_json(
        folder / REPORT,
        {
            "data": options.data,
            "model": options.model,
            "epochs": progress.epochs,
            "seconds": round(progress.seconds, 3),
            "train": report.train,
            "test": report.test,
        },
    )
    print()
    print(report.text())
    print(f"\n{progress.epochs} epochs in {progress.seconds:.1f} s; files in {folder}/")
    _draw(report, f"{Path(options.data).name}, {options.model}", progress.history, folder)


def _measure(samples: Samples, trained: TrainedModel, snapshots: Snapshots | None) -> Report:
    if samples.task == "classification":
        return ClassificationReport(samples, trained)
    if samples.task == "regression":
        return RegressionReport(samples, trained)
    if samples.task == "reconstruction":
        return ReconstructionReport(samples, trained)
    assert snapshots is not None
    return GenerationReport(samples, trained, snapshots)


def _draw(report: Report, title: str, history: dict[str, list[float]], folder: Path) -> None:
    from tapegrad import plot

    curves = plot.learning_curves(
        history,
        title=f"{title}: learning curves",
        validation_name="test",
        labels=report.curve_labels,
    )
    for name, figure in {"curves": curves, **report.figures(title)}.items():
        plot.save(figure, folder / f"{name}.png")
