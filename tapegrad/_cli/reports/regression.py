"""The report of a network that predicts numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tapegrad._cli.data import Samples
from tapegrad._cli.reports.base import Report
from tapegrad._cli.run_folder import TrainedModel
from tapegrad.metrics import regression_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class RegressionReport(Report):
    """Errors of predicted numbers."""

    def __init__(self, samples: Samples, trained: TrainedModel) -> None:
        self.curve_labels = {
            "loss": "loss: mean squared error (standardised)",
            "mae": "mean absolute error (standardised)",
        }
        self._name = samples.target_name
        self.train, _, _ = _measured(trained, samples.x_train, samples.y_train)
        self.test, self._true, self._predicted = _measured(trained, samples.x_test, samples.y_test)

    def text(self) -> str:
        """Return the errors on the test part."""
        return regression_text(self.test, self._name, "test")

    def figures(self, title: str) -> dict[str, Figure]:
        """Draw predicted against true numbers, and their differences."""
        from tapegrad import plot

        predicted, true, name = self._predicted, self._true, self._name
        return {
            "predictions": plot.predicted_and_true(
                predicted, true, name=name, title=f"{title}: R² {self.test['r2']:.3f}"
            ),
            "residuals": plot.residuals(
                predicted, true, name=name,
                title=f"{title}: residuals, RMSE {self.test['rmse']:.4g}",
            ),
        }  # fmt: skip


def _measured(
    trained: TrainedModel, x: np.ndarray, y: np.ndarray | None
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    assert y is not None
    loss = float(trained.network.evaluate(x, y, verbose=0, return_dict=True)["loss"])
    outputs = np.asarray(trained.network.predict(x, verbose=0))
    true, predicted = trained.scaling.original(y), trained.scaling.original(outputs)
    return {"loss": loss, **regression_report(true, predicted)}, true, predicted


def regression_text(figures: dict[str, float], target: str, part: str) -> str:
    """Root mean squared error, mean absolute error and R², a line each."""
    return (
        f"predicting {target}, {part} samples\n"
        f"  root mean squared error  {figures['rmse']:.6g}\n"
        f"  mean absolute error      {figures['mae']:.6g}\n"
        f"  R²                       {figures['r2']:.4f}"
    )
