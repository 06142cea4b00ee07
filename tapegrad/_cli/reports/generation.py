"""The report of a generator, and its samples while it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._cli.data import Samples
from tapegrad._cli.networks.adversarial import AdversarialNetwork
from tapegrad._cli.reports.base import Report
from tapegrad._cli.run_folder import TrainedModel
from tapegrad.callbacks import Callback

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 12  # images a row
_ROWS = 8  # at most, each of one epoch


def generated(trained: TrainedModel, count: int, seed: int = 0) -> np.ndarray:
    """Make samples, scaled as the network learnt them; float32 of shape (count, features)."""
    from tapegrad._cli.networks.adversary import AdversarialPair, fixed_noise

    assert isinstance(trained.network, AdversarialPair)
    noise = fixed_noise(count, trained.network.noise, seed)
    return np.asarray(trained.network.predict(noise, verbose=0))


class Snapshots(Callback):
    """Keeps what the generator makes of the same noise in some epochs, the first among them."""

    def __init__(self, trained: TrainedModel, epochs: int) -> None:
        super().__init__()
        self.samples: dict[int, np.ndarray] = {}
        self._trained = trained
        # Much happens early on: evenly spaced on a logarithmic scale.
        self._wanted = set(np.geomspace(1, epochs, _ROWS).round().astype(int).tolist())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the samples of an epoch, if they are wanted."""
        if epoch + 1 in self._wanted:
            self.samples[epoch + 1] = generated(self._trained, _COLUMNS)

    def complete(self, epoch: int) -> None:
        """Add what the generator makes now, after the last epoch of a run that was broken off."""
        self.samples.setdefault(epoch, generated(self._trained, _COLUMNS))


class GenerationReport(Report):
    """Losses, and how far made samples are from real ones.

    Whether samples look right no number here tells:
    means and standard deviations of features can agree where samples do not.
    """

    def __init__(self, samples: Samples, trained: TrainedModel, snapshots: Snapshots) -> None:
        self.curve_labels = {
            "generator_loss": "generator's loss: cross-entropy (nats)",
            "discriminator_loss": "discriminator's loss: cross-entropy (nats)",
            "discriminator_accuracy": "discriminator's accuracy (0.5: cannot tell)",
        }
        self._samples = samples
        self._trained = trained
        self._snapshots = snapshots
        self.train = self._measured(samples.x_train, samples.x_test)
        self.test = self._measured(samples.x_test, samples.x_train)

    def text(self) -> str:
        """Return the figures of the test part."""
        figures = self.test
        return (
            f"making {self._trained.architecture.inputs} features, compared with test samples\n"
            f"  generator loss           {figures['generator_loss']:.4f}\n"
            f"  discriminator loss       {figures['discriminator_loss']:.4f}\n"
            f"  discriminator accuracy   {figures['discriminator_accuracy']:.4f}  "
            "(0.5: cannot tell)\n"
            f"  distance of means        {figures['mean_distance']:.4f}  "
            f"(training samples: {figures['real_mean_distance']:.4f})\n"
            f"  distance of deviations   {figures['std_distance']:.4f}  "
            f"(training samples: {figures['real_std_distance']:.4f})"
        )

    def figures(self, title: str) -> dict[str, Figure]:
        """Draw made samples: images over the epochs, or features beside real ones."""
        from tapegrad import plot

        architecture = self._trained.architecture
        assert isinstance(architecture, AdversarialNetwork)
        if architecture.images and architecture.shape[2] in (1, 3):
            return {"samples": self._images(f"{title}: samples of the same noise, by epoch")}
        made = generated(self._trained, len(self._samples.x_test))
        scaling = self._trained.scaling
        drawn = plot.distributions(
            scaling.original_features(self._samples.x_test),
            scaling.original_features(made),
            names=self._samples.feature_names,
            labels=("test samples", "generated"),
            title=f"{title}: features of generated samples",
        )
        return {"samples": drawn}

    def _images(self, title: str) -> Figure:
        from tapegrad import plot

        architecture = self._trained.architecture
        assert isinstance(architecture, AdversarialNetwork)
        rows = self._snapshots.samples
        return plot.image_grid(
            np.concatenate(list(rows.values())).reshape(-1, *architecture.shape),
            columns=_COLUMNS,
            row_labels=[f"epoch {epoch}" for epoch in rows],
            limits=(-1.0, 1.0),
            title=title,
        )

    def _measured(self, x: np.ndarray, other: np.ndarray) -> dict[str, float]:
        """Figures of one part; `other` is real too, and shows how far apart real samples are."""
        losses = self._trained.network.evaluate(x, verbose=0, return_dict=True)
        made = generated(self._trained, len(x))
        mean, deviation = distances(x, made)
        real_mean, real_deviation = distances(x, other)
        return {
            "loss": losses["generator_loss"] + losses["discriminator_loss"],
            **losses,
            "mean_distance": mean,
            "std_distance": deviation,
            "real_mean_distance": real_mean,
            "real_std_distance": real_deviation,
        }


def distances(x: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """How far the features' means, and their standard deviations, are apart in two sets.

    Parameters
    ----------
    x, other : ndarray of shape (samples, features)
        Scaled samples.

    Returns
    -------
    mean, deviation : float
        Root mean squares, over the features, of the differences; 1 is the root mean square of
        the features' standard deviations in `x`.

    Examples
    --------
    >>> x = np.array([[0.0, 2.0], [2.0, 4.0]])
    >>> distances(x, x + 1.0)
    (1.0, 0.0)
    """
    x, other = x.astype(np.float64), other.astype(np.float64)
    unit = float(np.sqrt((x.std(axis=0) ** 2).mean())) or 1.0

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(((a - b) ** 2).mean())) / unit

    return apart(x.mean(axis=0), other.mean(axis=0)), apart(x.std(axis=0), other.std(axis=0))
