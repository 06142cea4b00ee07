"""Each sample as a vector."""

from __future__ import annotations

import math
from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.spatial import data_format_of

__all__ = ["Flatten"]


class Flatten(Layer):
    """Joins all axes but the first; single numbers become vectors of length 1.

    Parameters
    ----------
    data_format
        ``"channels_last"``, or ``"channels_first"``: then the second axis is moved to the end
        first, so that both formats give the same order.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        If `data_format` is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.ones((2, 8, 8))).shape
    (2, 64)
    """

    _takes_one = True

    _keeps_integers = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of("Flatten", data_format)

    def call(self, inputs: Any) -> Tensor:
        """Return the input as vectors."""
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = ops.moveaxis(inputs, 1, -1)
        shape = inputs._data.shape
        # Not -1, which an empty batch leaves undetermined.
        return inputs.reshape((*shape[:1], math.prod(shape[1:])))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (samples, elements of one sample)."""
        lengths = input_shape[1:]
        if any(length is None for length in lengths):
            return (input_shape[0], None)
        return (input_shape[0], math.prod(length for length in lengths if length is not None))
