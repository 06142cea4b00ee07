"""Dropout of single elements and of whole feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.regularization.arguments import checked_noise_shape, checked_rate, noise_shape
from tapegrad.layers.spatial import data_format_of

__all__ = ["Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"]


class Dropout(Layer):
    """Sets elements to zero at random while training (Srivastava et al., 2014).

    What is kept is multiplied by ``1 / (1 - rate)``, so that sums stay the same on average;
    outside of training the input passes unchanged.

    Parameters
    ----------
    rate
        The probability of being dropped, in [0, 1].
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
        If `rate` lies outside [0, 1], or `noise_shape` is no shape.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dropout(0.5, seed=1)
    >>> bool((layer(np.ones((2, 3))).numpy() == 1).all())
    True
    >>> sorted(set(layer(np.ones((50, 50)), training=True).numpy().ravel().tolist()))
    [0.0, 2.0]
    """

    supports_masking = True

    _keeps_integers = True

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rate = checked_rate(rate, type(self).__name__)
        self.noise_shape = checked_noise_shape(noise_shape, type(self).__name__)
        self.seed = seed
        self._generator = self._make_generator(seed)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Return the input, with elements dropped if `training`."""
        if not training or self.rate == 0:
            return inputs
        if self.rate == 1:
            return inputs * 0.0
        kept = 1.0 - self.rate
        mask = self._generator.bernoulli(self._mask_shape(inputs.shape), kept, dtype=inputs.dtype)
        return inputs * (mask * (1.0 / kept))

    def _mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what is drawn for an input of this shape."""
        return noise_shape(self.noise_shape, shape, self.name)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class _SpatialDropout(Dropout):
    """Base of the layers that drop feature maps: a channel of a sample as a whole."""

    _rank: ClassVar[int]

    def __init__(self, rate: float, data_format: str | None, seed: int | None, **kwargs: Any):
        super().__init__(rate, seed=seed, **kwargs)
        self.data_format = data_format_of(type(self).__name__, data_format)

    def build(self, input_shape: Shape) -> None:
        """Check the number of axes."""
        if len(input_shape) != self._rank + 2:
            raise self._wrong_shape(
                f"{self._rank + 2} axes: samples, channels and {self._rank} of space", input_shape
            )

    def _mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        ones = (1,) * self._rank
        if self.data_format == "channels_first":
            return (*shape[:2], *ones)
        return (shape[0], *ones, shape[-1])


class SpatialDropout1D(_SpatialDropout):
    """Sets whole channels of sequences to zero at random while training (Tompson et al., 2015).

    Neighbours in a feature map are alike, so that dropping single elements of it would hide little.

    Parameters
    ----------
    rate
        The probability of being dropped, in [0, 1].
    seed
        Makes the layer draw from a generator of its own.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        If `rate` lies outside [0, 1], or the input has not the shape (samples, length, channels).

    Examples
    --------
    >>> import numpy as np
    >>> y = SpatialDropout1D(0.5, seed=1)(np.ones((4, 5, 3)), training=True).numpy()
    >>> bool((y == y[:, :1]).all())
    True
    """

    _rank = 1

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, None, seed, **kwargs)


class SpatialDropout2D(_SpatialDropout):
    """Sets whole channels of images to zero at random while training (Tompson et al., 2015).

    Parameters
    ----------
    rate
        The probability of being dropped, in [0, 1].
    data_format
        ``"channels_last"`` (the default) or ``"channels_first"``.
    seed
        Makes the layer draw from a generator of its own.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        If `rate` lies outside [0, 1], or the input has not four axes.

    Examples
    --------
    >>> import numpy as np
    >>> y = SpatialDropout2D(0.5, seed=1)(np.ones((4, 5, 5, 3)), training=True).numpy()
    >>> bool((y == y[:, :1, :1]).all())
    True
    """

    _rank = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, data_format, seed, **kwargs)


class SpatialDropout3D(_SpatialDropout):
    """Sets whole channels of volumes to zero at random while training (Tompson et al., 2015).

    Parameters
    ----------
    rate
        The probability of being dropped, in [0, 1].
    data_format
        ``"channels_last"`` (the default) or ``"channels_first"``.
    seed
        Makes the layer draw from a generator of its own.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        If `rate` lies outside [0, 1], or the input has not five axes.

    Examples
    --------
    >>> import numpy as np
    >>> y = SpatialDropout3D(0.5, seed=1)(np.ones((4, 2, 2, 2, 3)), training=True).numpy()
    >>> bool((y == y[:, :1, :1, :1]).all())
    True
    """

    _rank = 3

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, data_format, seed, **kwargs)
