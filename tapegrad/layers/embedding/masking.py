"""Steps without data."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape

__all__ = ["Masking"]


class Masking(Layer):
    """Lets layers further on skip the steps in which all features have a certain value.

    Such steps are set to zero, and the output carries a mask that is False there.

    Parameters
    ----------
    mask_value
        The value; a number, or an array with one for each feature.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad.layers.masking_state import get_mask
    >>> x = np.array([[[1.0, 2.0], [-1.0, -1.0]]])
    >>> y = Masking(mask_value=-1.0)(x)
    >>> y.tolist(), get_mask(y).tolist()
    ([[[1.0, 2.0], [0.0, 0.0]]], [[True, False]])
    """

    supports_masking = True

    _keeps_integers = True

    def __init__(self, mask_value: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def call(self, inputs: Any) -> Tensor:
        """Return the input, with zeros in the steps that do not count."""
        valid = ops.expand_dims(self.compute_mask(inputs, None), -1)
        return ops.where(valid, inputs, ops.zeros_like(inputs))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return where any feature differs from the value, shape ``inputs.shape[:-1]``."""
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape
