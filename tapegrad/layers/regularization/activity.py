"""A penalty on what passes."""

from __future__ import annotations

from typing import Any

from tapegrad import regularizers
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape

__all__ = ["ActivityRegularization"]


class ActivityRegularization(Layer):
    """Passes its input on, and adds ``l1 * sum(|x|) + l2 * sum(x**2)`` of it to the loss.

    As all penalties on outputs, it is divided by the number of samples.

    Parameters
    ----------
    l1, l2
        The two factors.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        If a factor is negative or not finite.

    Examples
    --------
    >>> layer = ActivityRegularization(l1=0.5)
    >>> layer([[1.0, -3.0], [0.0, 0.0]]).shape
    (2, 2)
    >>> [float(loss) for loss in layer.losses]
    [1.0]
    """

    supports_masking = True

    _keeps_integers = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1 = l1
        self.l2 = l2

    def call(self, inputs: Any) -> Tensor:
        """Return the input."""
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape
