"""A layer that only applies a function."""

from __future__ import annotations

from typing import Any

from tapegrad import activations
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.utils.tensors import as_real_tensor

__all__ = ["Activation"]


class Activation(Layer):
    """Applies an activation function to its input.

    Parameters
    ----------
    activation
        A name such as ``"relu"``, or a callable.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Examples
    --------
    >>> Activation("relu")([[-1.0, 2.0]]).numpy()
    array([[0., 2.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Tensor:
        """Return the activated input."""
        return self.activation(as_real_tensor(inputs, self._dtype))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape
