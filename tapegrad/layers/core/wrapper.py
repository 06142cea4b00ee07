"""A layer around another one."""

from __future__ import annotations

from typing import Any

from tapegrad.layers.base import Layer

__all__ = ["Wrapper"]


class Wrapper(Layer):
    """Base of layers that hold another layer and add to what it does.

    A subclass writes ``call``, in which it uses ``self.layer``; that layer is built with the shape
    of the input, and saved with this one.

    Parameters
    ----------
    layer
        The layer.
    **kwargs
        ``name``, ``dtype`` and ``trainable``, as for every layer.

    Raises
    ------
    ValueError
        If `layer` is no layer.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> class Residual(Wrapper):
    ...     def call(self, inputs):
    ...         return inputs + self.layer(inputs)
    >>> layer = Residual(tg.layers.Dense(3, kernel_initializer="zeros"))
    >>> layer(np.ones((1, 3))).numpy()
    array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ValueError(
                f"{type(self).__name__} {self.name}: layer must be a layer such as Dense(8), but "
                f"is {layer!r}."
            )
        self.layer = layer

    def build(self, input_shape: Any) -> None:
        """Make the layer's weights for inputs of this shape."""
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True
