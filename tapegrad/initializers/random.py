"""Initial values of a given distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapegrad import random
from tapegrad.initializers.base import Initializer

__all__ = ["Orthogonal", "RandomInitializer", "RandomNormal", "RandomUniform", "TruncatedNormal"]


class RandomInitializer(Initializer):
    """Base of the initializers that draw: holds the seed."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def generator(self) -> Any:
        """Return where to draw from: the default generator, or a fresh one of the seed given."""
        return random if self.seed is None else random.Generator(self.seed)

    def uniform(self, shape: tuple[int, ...], limit_low: float, limit_high: float) -> np.ndarray:
        """Draw uniformly from the half-open interval."""
        draw = self.generator().uniform(shape, dtype="float64").numpy()
        return limit_low + (limit_high - limit_low) * draw

    def truncated_normal(self, shape: tuple[int, ...], mean: float, deviation: float) -> np.ndarray:
        """Draw from a normal distribution, again and again until within two deviations."""
        generator = self.generator()
        values = np.array(generator.normal(shape, dtype="float64").numpy()).reshape(-1)
        outside = np.flatnonzero(np.abs(values) > 2.0)
        while outside.size:
            values[outside] = generator.normal((outside.size,), dtype="float64").numpy()
            outside = outside[np.abs(values[outside]) > 2.0]
        return (mean + deviation * values).reshape(shape)


class RandomUniform(RandomInitializer):
    """Uniform on ``[minval, maxval)``.

    Parameters
    ----------
    minval, maxval
        The bounds.
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> values = RandomUniform(0.0, 1.0, seed=3)((100,)).numpy()
    >>> bool(values.min() >= 0 and values.max() < 1)
    True
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return uniform draws."""
        return self.uniform(shape, self.minval, self.maxval)


class RandomNormal(RandomInitializer):
    """Normal with this mean and standard deviation.

    Parameters
    ----------
    mean, stddev
        The distribution's mean and standard deviation.
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> RandomNormal(stddev=0.01, seed=3)((2, 2)).shape
    (2, 2)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return normal draws."""
        draw = self.generator().normal(shape, dtype="float64").numpy()
        return self.mean + self.stddev * draw


class TruncatedNormal(RandomInitializer):
    """Normal, with values beyond two standard deviations drawn again.

    Parameters
    ----------
    mean, stddev
        Mean and standard deviation of the distribution before it is cut off.
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> values = TruncatedNormal(stddev=1.0, seed=3)((1000,)).numpy()
    >>> bool(abs(values).max() <= 2)
    True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return truncated normal draws."""
        return self.truncated_normal(shape, self.mean, self.stddev)


class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal rows or columns (Saxe et al., 2014).

    All axes but the last are taken as one.

    Parameters
    ----------
    gain
        A factor on the result.
    seed
        Makes every call give the same values.

    Examples
    --------
    >>> q = Orthogonal(seed=3)((4, 4)).numpy()
    >>> bool(np.allclose(q @ q.T, np.eye(4), atol=1e-6))
    True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the orthogonal factor of a random normal matrix.

        Raises
        ------
        ValueError
            If the shape has fewer than two axes.
        """
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs at least two axes, but the shape is {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        draw = self.generator().normal(tall, dtype="float64").numpy()
        q, r = np.linalg.qr(draw)
        # Signs fixed by R's diagonal: without them QR does not give the uniform distribution.
        q = q * np.sign(np.diag(r))
        return self.gain * (q.T if rows < columns else q).reshape(shape)
