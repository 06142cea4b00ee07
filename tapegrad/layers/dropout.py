"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad import random
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape

__all__ = ["Dropout"]


class Dropout(Layer):
    """Sets elements to zero at random while training (Srivastava et al., 2014).

    What is kept is multiplied by ``1 / (1 - rate)``, so that sums stay the same on average;
    outside of training the input passes unchanged.

    Parameters
    ----------
    rate
        The probability of being dropped, in [0, 1).
    noise_shape
        The shape of the mask, which is broadcast to the input's: axes of size 1 are dropped or
        kept as a whole, None stands for the input's length.
    seed
        Makes the layer draw from a generator of its own.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        If `rate` lies outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dropout(0.5, seed=1)
    >>> bool((layer(np.ones((2, 3))).numpy() == 1).all())
    True
    >>> sorted(set(layer(np.ones((50, 50)), training=True).numpy().ravel().tolist()))
    [0.0, 2.0]
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(f"Dropout: rate must lie in [0, 1], but is {rate}.")
        self.rate = float(rate)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = seed
        self._generator: Any = random if seed is None else random.Generator(seed)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Return the input, with elements dropped if `training`."""
        if not training or self.rate == 0:
            return inputs
        if self.rate == 1:
            return inputs * 0.0
        kept = 1.0 - self.rate
        shape = inputs.shape
        if self.noise_shape is not None:
            shape = tuple(
                length if wanted is None else wanted
                for wanted, length in zip(self.noise_shape, shape)
            )
        mask = self._generator.bernoulli(shape, kept, dtype=inputs.dtype)
        return inputs * (mask * (1.0 / kept))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape
