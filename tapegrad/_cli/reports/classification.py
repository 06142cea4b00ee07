"""The report of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._cli.data import Samples
from tapegrad._cli.reports.base import Report
from tapegrad._cli.run_folder import TrainedModel
from tapegrad.metrics import classification_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AVERAGES = ("accuracy", "precision_macro", "recall_macro", "f1_macro")


class ClassificationReport(Report):
    """Accuracy, precision, recall and F1."""

    def __init__(self, samples: Samples, trained: TrainedModel) -> None:
        self.curve_labels = {"loss": "loss: cross-entropy (nats)"}
        self._samples = samples
        self.train, _, _ = _measured(samples, trained, samples.x_train, samples.y_train)
        self.test, self._full, self._probabilities = _measured(
            samples, trained, samples.x_test, samples.y_test
        )

    def text(self) -> str:
        """Return the table of the test part."""
        return classification_text(self._full, "test")

    def figures(self, title: str) -> dict[str, Figure]:
        """Draw the confusion matrix and sample predictions."""
        from tapegrad import plot

        samples = self._samples
        assert samples.y_test is not None
        right = f"{self.test['accuracy']:.1%} of {len(samples.y_test)} test samples right"
        matrix = plot.confusion_matrix(
            self._full["confusion_matrix"], samples.classes, title=f"{title}: {right}"
        )
        if samples.images is not None:
            predictions = plot.image_predictions(
                samples.images,
                self._probabilities.argmax(axis=1),
                samples.y_test,
                samples.classes,
                title=f"{title}: predictions of test samples (orange: wrong)",
            )
        else:
            predictions = plot.table_predictions(
                self._probabilities,
                samples.y_test,
                samples.classes,
                title=f"{title}: predictions of test samples",
            )
        return {"confusion_matrix": matrix, "predictions": predictions}


def _measured(
    samples: Samples, trained: TrainedModel, x: np.ndarray, y: np.ndarray | None
) -> tuple[dict[str, float], dict[str, Any], np.ndarray]:
    loss = float(trained.network.evaluate(x, y, verbose=0, return_dict=True)["loss"])
    probabilities = np.asarray(trained.network.predict(x, verbose=0))
    full = classification_report(y, probabilities, samples.classes)
    return {"loss": loss, **{name: float(full[name]) for name in _AVERAGES}}, full, probabilities


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
