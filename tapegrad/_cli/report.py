"""The figures of a training run: computed, printed, written and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._cli.data import Samples
from tapegrad._cli.run_folder import REPORT, TrainedModel, write_json
from tapegrad.metrics import classification_report, regression_report

if TYPE_CHECKING:
    from tapegrad._cli.train import Options, Progress

_AVERAGES = ("accuracy", "precision_macro", "recall_macro", "f1_macro")


def finish(
    options: Options,
    samples: Samples,
    trained: TrainedModel,
    progress: Progress,
    folder: Path,
) -> None:
    """Measure the network on both parts, print the report, write it and the plots."""
    train_figures, _ = _figures(samples, trained, samples.x_train, samples.y_train)
    test_figures, details = _figures(samples, trained, samples.x_test, samples.y_test)
    write_json(
        folder / REPORT,
        {
            "data": options.data,
            "model": options.model,
            "epochs": progress.epochs,
            "seconds": round(progress.seconds, 3),
            "train": train_figures,
            "test": test_figures,
        },
    )
    print()
    if samples.task == "classification":
        print(classification_text(details["report"], "test"))
    else:
        print(regression_text(test_figures, samples.target_name, "test"))
    print(f"\n{progress.epochs} epochs in {progress.seconds:.1f} s; files in {folder}/")
    _draw(options, samples, progress.history, test_figures, details, folder)


def _figures(
    samples: Samples, trained: TrainedModel, x: np.ndarray, y: np.ndarray
) -> tuple[dict[str, float], dict[str, Any]]:
    """The figures of one part for ``report.json``, and what the plots need."""
    loss = float(trained.network.evaluate(x, y, verbose=0, return_dict=True)["loss"])
    outputs = np.asarray(trained.network.predict(x, verbose=0))
    if samples.task == "classification":
        full = classification_report(y, outputs, samples.classes)
        figures = {name: float(full[name]) for name in _AVERAGES}
        return {"loss": loss, **figures}, {"report": full, "probabilities": outputs}
    true, predicted = trained.scaling.original(y), trained.scaling.original(outputs)
    return {"loss": loss, **regression_report(true, predicted)}, {
        "true": true,
        "predicted": predicted,
    }


def classification_text(full: dict[str, Any], part: str) -> str:
    """Precision, recall and F1 by class and averaged, as a table.

    Parameters
    ----------
    full : dict
        What `tapegrad.metrics.classification_report` returns.
    part : str
        What the samples are called.
    """
    classes: dict[str, dict[str, float]] = full["classes"]
    width = max(len("class"), len("macro average"), *(len(name) for name in classes))
    lines = [f"{'class':{width}}  precision  recall     F1  samples"]
    for name, rates in classes.items():
        lines.append(
            f"{name:{width}}  {rates['precision']:9.3f}  {rates['recall']:6.3f}  {rates['f1']:5.3f}"
            f"  {rates['support']:7d}"
        )
    total = sum(int(rates["support"]) for rates in classes.values())
    lines.append(
        f"{'macro average':{width}}  {full['precision_macro']:9.3f}  {full['recall_macro']:6.3f}  "
        f"{full['f1_macro']:5.3f}  {total:7d}"
    )
    lines.append(f"{part} accuracy {full['accuracy']:.4f}")
    return "\n".join(lines)


def regression_text(figures: dict[str, float], target: str, part: str) -> str:
    """Root mean squared error, mean absolute error and R², a line each."""
    return (
        f"predicting {target}, {part} samples\n"
        f"  root mean squared error  {figures['rmse']:.6g}\n"
        f"  mean absolute error      {figures['mae']:.6g}\n"
        f"  R²                       {figures['r2']:.4f}"
    )


def _draw(
    options: Options,
    samples: Samples,
    history: dict[str, list[float]],
    figures: dict[str, float],
    details: dict[str, Any],
    folder: Path,
) -> None:
    from tapegrad import plot

    title = f"{Path(options.data).name}, {options.model}"
    if samples.task == "classification":
        labels = {"loss": "loss: cross-entropy (nats)"}
    else:
        labels = {
            "loss": "loss: mean squared error (standardised)",
            "mae": "mean absolute error (standardised)",
        }
    drawn = {
        "curves": plot.learning_curves(
            history, title=f"{title}: learning curves", validation_name="test", labels=labels
        )
    }
    if samples.task == "regression":
        true, predicted, name = details["true"], details["predicted"], samples.target_name
        drawn["predictions"] = plot.predicted_and_true(
            predicted, true, name=name, title=f"{title}: R² {figures['r2']:.3f}"
        )
        drawn["residuals"] = plot.residuals(
            predicted, true, name=name, title=f"{title}: residuals, RMSE {figures['rmse']:.4g}"
        )
    else:
        probabilities, count = details["probabilities"], len(samples.y_test)
        predicted = probabilities.argmax(axis=1)
        drawn["confusion_matrix"] = plot.confusion_matrix(
            details["report"]["confusion_matrix"],
            samples.classes,
            title=f"{title}: {figures['accuracy']:.1%} of {count} test samples right",
        )
        if samples.images is not None:
            drawn["predictions"] = plot.image_predictions(
                samples.images,
                predicted,
                samples.y_test,
                samples.classes,
                title=f"{title}: predictions of test samples (orange: wrong)",
            )
        else:
            drawn["predictions"] = plot.table_predictions(
                probabilities,
                samples.y_test,
                samples.classes,
                title=f"{title}: predictions of test samples",
            )
    for name, figure in drawn.items():
        plot.save(figure, folder / f"{name}.png")
