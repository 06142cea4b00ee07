"""A factor and a summand."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.utils.tensors import as_float_tensor

__all__ = ["Rescaling"]


class Rescaling(Layer):
    """Returns ``inputs * scale + offset``, whole numbers as floating ones.

    Parameters
    ----------
    scale
        A number, or an array that is broadcast to the input, such as one number a channel.
    offset
        As `scale`.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Examples
    --------
    >>> import numpy as np
    >>> Rescaling(1 / 255)(np.array([[0, 255]], dtype="uint8")).numpy()
    array([[0., 1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self._scale = np.asarray(scale, dtype=self._dtype)
        self._offset = np.asarray(offset, dtype=self._dtype)

    def call(self, inputs: Any) -> Tensor:
        """Return the rescaled input."""
        return ops.add(as_float_tensor(inputs, self._dtype) * self._scale, self._offset)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape
