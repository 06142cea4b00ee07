"""Initial values whose variance fits the number of a weight's connections."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tapegrad.initializers.random import RandomInitializer
from tapegrad.utils.lookup import look_up

__all__ = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "VarianceScaling",
    "compute_fans",
]

# The standard deviation of a standard normal distribution that is cut off at ±2.
_TRUNCATED_DEVIATION = 0.87962566103423978


def compute_fans(
    shape: Sequence[int],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """Return how many inputs and outputs a weight of this shape connects.

    Of a kernel whose last two axes are input and output channels, every other axis is part of the
    receptive field and counts in both. Of other kernels, `input_axes` and `output_axes` say which
    axes count in which.

    Examples
    --------
    >>> compute_fans((3, 3, 8, 16))
    (72, 144)
    >>> compute_fans((8, 4, 16), input_axes=[0], output_axes=[1, 2])
    (8, 64)
    """
    if input_axes is not None and output_axes is not None:
        return (
            math.prod(shape[axis] for axis in input_axes),
            math.prod(shape[axis] for axis in output_axes),
        )
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return int(shape[0]), int(shape[0])
    receptive_field = math.prod(shape[:-2])
    return int(shape[-2] * receptive_field), int(shape[-1] * receptive_field)


class VarianceScaling(RandomInitializer):
    """Zero mean, and a variance of ``scale / n`` with `n` the number of connections.

    Parameters
    ----------
    scale
        A positive factor.
    mode
        What `n` is: ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``, their mean.
    distribution
        ``"truncated_normal"``, ``"untruncated_normal"`` or ``"uniform"``.
    seed
        Makes every call give the same values.
    input_axes, output_axes
        Which axes of the weight lead to its inputs and to its outputs; by default the last but one
        and the last.

    Raises
    ------
    ValueError
        If `scale` is not positive, or `mode` or `distribution` is none of those named.

    Examples
    --------
    >>> values = VarianceScaling(mode="fan_in", distribution="uniform", seed=3)((300, 10)).numpy()
    >>> bool(abs(values).max() <= 0.1)
    True
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        if scale <= 0:
            raise ValueError(f"VarianceScaling: scale must be positive, but is {scale}.")
        super().__init__(seed)
        look_up(mode, {"fan_in": 0, "fan_out": 0, "fan_avg": 0}, "mode of VarianceScaling")
        distributions = {"normal": 0, "truncated_normal": 0, "untruncated_normal": 0, "uniform": 0}
        look_up(distribution, distributions, "distribution of VarianceScaling")
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return draws whose variance fits the weight's shape."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        connections = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, connections[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return self.uniform(shape, -limit, limit)
        if self.distribution == "untruncated_normal":
            draw = self.generator().normal(shape, dtype="float64").numpy()
            return math.sqrt(variance) * draw
        return self.truncated_normal(shape, 0.0, math.sqrt(variance) / _TRUNCATED_DEVIATION)


class FixedScaling(VarianceScaling):
    """A VarianceScaling whose scale, mode and distribution are given by the class."""

    _settings: tuple[float, str, str]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        scale, mode, distribution = self._settings
        super().__init__(scale, mode, distribution, seed, input_axes, output_axes)


class GlorotUniform(FixedScaling):
    """Uniform within ``±sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio, 2010).

    Parameters
    ----------
    seed
        Makes every call give the same values.
    input_axes, output_axes
        Which axes of the weight lead to its inputs and to its outputs.

    Examples
    --------
    >>> bool(abs(GlorotUniform(seed=3)((3, 3)).numpy()).max() <= 1)
    True
    """

    _settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(FixedScaling):
    """Truncated normal of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    Parameters
    ----------
    seed
        Makes every call give the same values.
    input_axes, output_axes
        Which axes of the weight lead to its inputs and to its outputs.

    Examples
    --------
    >>> GlorotNormal(seed=3)((3, 3)).shape
    (3, 3)
    """

    _settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(FixedScaling):
    """Uniform within ``±sqrt(6 / fan_in)`` (He et al., 2015).

    Parameters
    ----------
    seed
        Makes every call give the same values.
    input_axes, output_axes
        Which axes of the weight lead to its inputs and to its outputs.

    Examples
    --------
    >>> HeUniform(seed=3)((3, 3)).shape
    (3, 3)
    """

    _settings = (2.0, "fan_in", "uniform")


class HeNormal(FixedScaling):
    """Truncated normal of variance ``2 / fan_in`` (He et al., 2015).

    Parameters
    ----------
    seed
        Makes every call give the same values.
    input_axes, output_axes
        Which axes of the weight lead to its inputs and to its outputs.

    Examples
    --------
    >>> HeNormal(seed=3)((3, 3)).shape
    (3, 3)
    """

    _settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(FixedScaling):
    """Uniform within ``±sqrt(3 / fan_in)`` (LeCun et al., 1998).

    Parameters
    ----------
    seed
        Makes every call give the same values.
    input_axes, output_axes
        Which axes of the weight lead to its inputs and to its outputs.

    Examples
    --------
    >>> LecunUniform(seed=3)((3, 3)).shape
    (3, 3)
    """

    _settings = (1.0, "fan_in", "uniform")


class LecunNormal(FixedScaling):
    """Truncated normal of variance ``1 / fan_in`` (LeCun et al., 1998).

    Parameters
    ----------
    seed
        Makes every call give the same values.
    input_axes, output_axes
        Which axes of the weight lead to its inputs and to its outputs.

    Examples
    --------
    >>> LecunNormal(seed=3)((3, 3)).shape
    (3, 3)
    """

    _settings = (1.0, "fan_in", "truncated_normal")
