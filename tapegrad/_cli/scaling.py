"""Numbers as data holds them to numbers that networks like, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapegrad._cli.errors import UserError


@dataclass
class Scaling:
    """A shift and a scale for each feature, both measured on the training part.

    Attributes
    ----------
    shape : tuple of int
        Shape of one sample as it comes.
    mean, scale : ndarray of float64, shape (features,)
        What is subtracted from each feature, and what it is then divided by.
    target_mean, target_scale : float
        The same of the numbers to predict; 0 and 1 for classes.
    limits : (float, float) or None
        The range that features were mapped to, if they were.
    """

    shape: tuple[int, ...]
    mean: np.ndarray
    scale: np.ndarray
    target_mean: float = 0.0
    target_scale: float = 1.0
    limits: tuple[float, float] | None = None

    @classmethod
    def of(cls, x: np.ndarray) -> Scaling:
        """Standardise features of shape (samples, *shape): mean 0, standard deviation 1.

        Pixels of an image share one scale, since they have one unit: scaled each on its own,
        the nearly empty ones at the rim would shout.
        """
        flat = x.reshape(len(x), -1)
        with np.errstate(over="ignore", invalid="ignore"):  # told of below
            mean = flat.mean(axis=0)
            spread = np.full(mean.shape, flat.std()) if x.ndim > 2 else flat.std(axis=0)
        return cls(x.shape[1:], _finite(mean), _divisor(mean, spread))

    @classmethod
    def of_sequences(cls, x: np.ndarray) -> Scaling:
        """Standardise each feature of (samples, steps, features) over all samples and steps."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean, spread = x.mean(axis=(0, 1)), x.std(axis=(0, 1))
        steps = x.shape[1]
        scale = _divisor(_finite(mean), spread)
        return cls(x.shape[1:], np.tile(mean, steps), np.tile(scale, steps))

    @classmethod
    def to_range(cls, x: np.ndarray, low: float, high: float) -> Scaling:
        """Map the smallest number of `x` to `low` and the largest to `high`."""
        least = float(x.min())
        scale = (float(x.max()) - least) / (high - low)
        features = int(np.prod(x.shape[1:]))
        _finite(np.array(scale))
        mean, scale = least - low * scale, scale or 1.0
        return cls(
            x.shape[1:], np.full(features, mean), np.full(features, scale), limits=(low, high)
        )

    def features(self, x: np.ndarray, source: str) -> np.ndarray:
        """Scale features of shape (samples, *shape) to float32 (samples, features).

        Raises
        ------
        UserError
            If samples have another number of features than the model was trained on,
            or another shape (a row will do for any shape).
        """
        flat = x.reshape(len(x), -1)
        if flat.shape[1] != len(self.mean):
            raise UserError(
                f"{source} has {flat.shape[1]} features a sample; the model was trained on "
                f"{len(self.mean)}"
            )
        given = x.shape[1:]
        if min(len(given), len(self.shape)) > 1 and _plain(given) != _plain(self.shape):
            raise UserError(
                f"{source} has samples of shape {given}; the model was trained on {self.shape}"
            )
        return ((flat - self.mean) / self.scale).astype(np.float32)

    def original_features(self, x: np.ndarray) -> np.ndarray:
        """Turn scaled features back into the data's units: float64 of shape (samples, features)."""
        return x.astype(np.float64) * self.scale + self.mean

    def measure_target(self, y: np.ndarray) -> None:
        """Take mean and scale of the numbers to predict from `y`."""
        self.target_mean = float(y.mean())
        spread = float(y.std())
        self.target_scale = spread if spread > 1e-12 * abs(self.target_mean) else 1.0

    def target(self, y: np.ndarray) -> np.ndarray:
        """Standardise the numbers to predict to float32 of shape (samples, 1)."""
        return ((y - self.target_mean) / self.target_scale).astype(np.float32)[:, None]

    def original(self, outputs: np.ndarray) -> np.ndarray:
        """Turn a model's outputs of shape (samples, 1) back into the target's units."""
        return outputs[:, 0].astype(np.float64) * self.target_scale + self.target_mean


def _finite(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise UserError("the features are too large to be standardised in float64")
    return values


def _divisor(mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    # A constant feature says nothing: its difference to the mean is 0 (or rounding).
    constant = _finite(spread) <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
    return np.where(constant, 1.0, spread)


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without a last axis of one channel."""
    return shape[:-1] if len(shape) == 3 and shape[-1] == 1 else shape
