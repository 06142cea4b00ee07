"""The shape of what enters a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad.layers.base import Layer, Shape

__all__ = ["Input", "InputLayer"]


class InputLayer(Layer):
    """Tells a Sequential the shape of its input; passes it on unchanged.

    Parameters
    ----------
    shape
        The shape of one sample; axes of unknown length are None.
    batch_size
        The number of samples, if it is fixed.
    dtype, name
        As for every layer.

    Examples
    --------
    >>> InputLayer((28, 28)).batch_shape
    (None, 28, 28)
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        name: str | None = None,
        *,
        input_shape: Sequence[int | None] | None = None,
    ) -> None:
        chosen = shape if shape is not None else input_shape
        if chosen is None:
            raise ValueError("InputLayer: shape is missing, such as shape=(784,).")
        if isinstance(chosen, int):
            raise ValueError(f"InputLayer: shape must be a tuple such as ({chosen},).")
        super().__init__(name=name, dtype=dtype, input_shape=chosen, batch_size=batch_size)
        self.built = True

    @property
    def shape(self) -> Shape:
        """The shape of a batch, samples first."""
        return self.batch_shape

    @property
    def batch_shape(self) -> Shape:
        """The shape of a batch, samples first."""
        assert self._given_input_shape is not None
        return self._given_input_shape

    def call(self, inputs: Any) -> Any:
        """Return the input."""
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> InputLayer:
    """Return the first entry of a Sequential: the shape of its input.

    Parameters
    ----------
    shape
        The shape of one sample; axes of unknown length are None.
    batch_size
        The number of samples, if it is fixed.
    dtype, name
        As for every layer.

    Examples
    --------
    >>> Input(shape=(784,)).shape
    (None, 784)
    """
    return InputLayer(shape, batch_size, dtype, name)
