"""The report of an autoencoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tapegrad._cli.data import Samples
from tapegrad._cli.networks.autoencoder import Autoencoder
from tapegrad._cli.reports.base import Report
from tapegrad._cli.run_folder import TrainedModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 24  # images, twelve a row


class ReconstructionReport(Report):
    """How well samples come back."""

    def __init__(self, samples: Samples, trained: TrainedModel) -> None:
        self._samples = samples
        self._trained = trained
        self._unit = unit_of(trained)
        scale = "standardised" if trained.scaling.limits is None else "pixels from 0 to 1"
        self.curve_labels = {
            "loss": f"loss: mean squared error ({scale})",
            "mae": f"mean absolute error ({scale})",
        }
        self.train = self._measured(samples.x_train)
        self.test = self._measured(samples.x_test)

    def text(self) -> str:
        """Return the errors of reconstructed test samples."""
        return reconstruction_text(self.test, self._trained, "test")

    def figures(self, title: str) -> dict[str, Figure]:
        """Draw samples beside what comes back, and the codes of the test samples."""
        from tapegrad import plot

        samples, trained = self._samples, self._trained
        architecture = autoencoder_of(trained)
        heading = f"{title}: R² {self.test['r2']:.3f}"
        drawn = {"predictions": self._images(heading) or self._values(heading)}
        codes = architecture.codes(trained.network, samples.x_test)
        if architecture.code > 1:
            drawn["latent_space"] = plot.latent_space(
                codes,
                samples.colours,
                class_names=samples.classes or None,
                title=f"{title}: codes of {len(codes)} test samples",
            )
        return drawn

    def _measured(self, x: np.ndarray) -> dict[str, float]:
        network = self._trained.network
        loss = float(network.evaluate(x, x, verbose=0, return_dict=True)["loss"])
        back = np.asarray(network.predict(x, verbose=0))
        return {"loss": loss, **reconstruction_figures(x, back, self._trained)}

    def _images(self, title: str) -> Figure | None:
        """Twelve images a row, below each what came back of it."""
        from tapegrad import plot

        images = self._samples.images
        if images is None or (images.shape[-1] == 4 and images.ndim == 4):
            return None
        shown = images[:_SHOWN]
        x = self._samples.x_test[:_SHOWN]
        back = np.asarray(self._trained.network.predict(x, verbose=0))
        back = self._trained.scaling.original_features(back).reshape(shown.shape)
        columns = min(12, len(shown))
        rows, labels = [], []
        for start in range(0, len(shown) - columns + 1, columns):
            rows += [shown[start : start + columns], back[start : start + columns]]
            labels += ["test samples", "reconstructed"]
        return plot.image_grid(
            np.concatenate(rows),
            columns=columns,
            row_labels=labels,
            limits=(float(shown.min()), float(shown.max())),
            title=title,
        )

    def _values(self, title: str) -> Figure:
        """Each feature of the test samples against what came back of it."""
        from tapegrad import plot

        x = self._samples.x_test
        back = np.asarray(self._trained.network.predict(x, verbose=0))
        name = "features (standardised)"
        figure = plot.predicted_and_true(back.ravel(), x.ravel(), name=name, title=title)
        figure.axes[0].set_ylabel(f"reconstructed {name}")
        return figure


def autoencoder_of(trained: TrainedModel) -> Autoencoder:
    """The architecture, of which it is known that it is an autoencoder's."""
    assert isinstance(trained.architecture, Autoencoder)
    return trained.architecture


def unit_of(trained: TrainedModel) -> np.ndarray | float:
    """What scaled features are multiplied by for figures: images count in their own unit.

    Columns of a table have units of their own, which no mean can be taken over: there a
    column counts in its standard deviations.
    """
    return trained.scaling.scale if len(trained.scaling.shape) > 1 else 1.0


def reconstruction_figures(
    x: np.ndarray, back: np.ndarray, trained: TrainedModel
) -> dict[str, float]:
    """Root mean squared error, mean absolute error and R² of reconstructed samples.

    Parameters
    ----------
    x, back : ndarray of shape (samples, features)
        Scaled samples, and what came back.
    trained : TrainedModel
        The autoencoder.

    Returns
    -------
    dict
        R² is 1 less the squared errors, summed over all features, by the squared differences
        to each feature's mean: 0 is what the mean sample would give.
    """
    unit = unit_of(trained)
    true, error = x.astype(np.float64) * unit, (back.astype(np.float64) - x) * unit
    spread = float(((true - true.mean(axis=0)) ** 2).sum())
    return {
        "rmse": float(np.sqrt((error**2).mean())),
        "mae": float(np.abs(error).mean()),
        "r2": 1.0 - float((error**2).sum()) / spread if spread > 0 else 0.0,
    }


def reconstruction_text(figures: dict[str, float], trained: TrainedModel, part: str) -> str:
    """What is left of samples, in a line, and the figures, a line each."""
    architecture = autoencoder_of(trained)
    unit = "" if len(trained.scaling.shape) > 1 else "  (in standard deviations of each column)"
    return (
        f"reconstructing {architecture.inputs} features from {architecture.code}, {part} samples\n"
        f"  root mean squared error  {figures['rmse']:.6g}{unit}\n"
        f"  mean absolute error      {figures['mae']:.6g}{unit}\n"
        f"  R²                       {figures['r2']:.4f}"
    )
