"""Noise that is added, multiplied, or drops elements without changing mean and variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.regularization.arguments import checked_noise_shape, checked_rate, noise_shape

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise"]

# What selu tends to far below zero: -scale * alpha.
_SELU_FLOOR = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717


class GaussianNoise(Layer):
    """Adds normal noise of mean 0 while training.

    Parameters
    ----------
    stddev
        The standard deviation of the noise.
    seed
        Makes the layer draw from a generator of its own.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        If `stddev` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> layer = GaussianNoise(0.1, seed=1)
    >>> layer(np.zeros((1, 2))).numpy()
    array([[0., 0.]], dtype=float32)
    >>> noise = layer(np.zeros((100, 100)), training=True).numpy()
    >>> bool(0.09 < noise.std() < 0.11)
    True
    """

    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not stddev >= 0:
            raise ValueError(f"GaussianNoise: stddev must not be negative, but is {stddev}.")
        self.stddev = float(stddev)
        self.seed = seed
        self._generator = self._make_generator(seed)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Return the input, with noise added if `training`."""
        if not training or self.stddev == 0:
            return inputs
        return inputs + self._generator.normal(
            inputs.shape, stddev=self.stddev, dtype=_noise_dtype(inputs, self)
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class GaussianDropout(Layer):
    """Multiplies by normal noise of mean 1 while training (Srivastava et al., 2014).

    The noise has the variance of the factors of `Dropout`, ``rate / (1 - rate)``.

    Parameters
    ----------
    rate
        The probability with which `Dropout` would drop, in [0, 1).
    seed
        Makes the layer draw from a generator of its own.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        If `rate` lies outside [0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> noise = GaussianDropout(0.5, seed=1)(np.ones((100, 100)), training=True).numpy()
    >>> bool(0.95 < noise.std() < 1.05)
    True
    """

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = checked_rate(rate, "GaussianDropout")
        if self.rate == 1:
            raise ValueError(
                "GaussianDropout: rate must be below 1, where the noise has infinite variance."
            )
        self.seed = seed
        self._generator = self._make_generator(seed)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Return the input, multiplied by noise if `training`."""
        if not training or self.rate == 0:
            return inputs
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        return inputs * self._generator.normal(
            inputs.shape, mean=1.0, stddev=stddev, dtype=_noise_dtype(inputs, self)
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class AlphaDropout(Layer):
    """Drops elements of what selu gave, keeping mean 0 and variance 1 (Klambauer et al., 2017).

    Dropped elements take the value ``v = -1.0507 · 1.6733`` that selu tends to far below zero. The
    result is then ``a x + b`` with ``a = ((1 - rate) (1 + rate v²))^(-1/2)`` and
    ``b = -a v rate``.

    Parameters
    ----------
    rate
        The probability of being dropped, in [0, 1).
    noise_shape
        The shape of what is drawn, as for `Dropout`.
    seed
        Makes the layer draw from a generator of its own.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        If `rate` lies outside [0, 1), or `noise_shape` is no shape.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(200, 200))
    >>> y = AlphaDropout(0.3, seed=1)(x, training=True).numpy()
    >>> bool(abs(y.mean()) < 0.02 and abs(y.std() - 1) < 0.02)
    True
    """

    supports_masking = True

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rate = checked_rate(rate, "AlphaDropout")
        if self.rate == 1:
            raise ValueError("AlphaDropout: rate must be below 1, where nothing would be kept.")
        self.noise_shape = checked_noise_shape(noise_shape, "AlphaDropout")
        self.seed = seed
        self._generator = self._make_generator(seed)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Return the input, with elements dropped if `training`."""
        if not training or self.rate == 0:
            return inputs
        rate, floor = self.rate, _SELU_FLOOR
        factor = ((1.0 - rate) * (1.0 + rate * floor * floor)) ** -0.5
        shape = noise_shape(self.noise_shape, inputs.shape, self.name)
        kept = self._generator.bernoulli(shape, 1.0 - rate, dtype=_noise_dtype(inputs, self))
        # factor * (x kept + floor (1 - kept)) - factor * floor * rate, with one pass over x.
        return inputs * (kept * factor) + (1.0 - rate - kept) * (factor * floor)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


def _noise_dtype(inputs: Any, layer: Layer) -> Any:
    """Return the input's dtype, or the layer's for whole numbers."""
    return inputs.dtype if inputs.dtype.kind == "f" else layer.dtype
