"""The shape of what enters a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.symbolic import Node, SymbolicTensor

__all__ = ["Input", "InputLayer"]


class InputLayer(Layer):
    """Where data enter a model: their shape and dtype. It passes them on unchanged.

    Parameters
    ----------
    shape
        The shape of one sample; axes of unknown length are None.
    batch_size
        The number of samples, if it is fixed.
    dtype
        What data are converted to, ``floatx()`` by default.
    sparse, ragged
        Accepted for Keras's signature; must not be true.
    batch_shape
        The shape with the axis of samples, in place of `shape`.
    name
        As for every layer.

    Raises
    ------
    ValueError
        If the shape is missing or is no tuple, or the input should be sparse or ragged.

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
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        *,
        input_shape: Sequence[int | None] | None = None,
    ) -> None:
        if sparse or ragged:
            raise ValueError(
                f"InputLayer: {'sparse' if sparse else 'ragged'} inputs are not supported; SciPy's "
                "sparse rows can be given to fit, which reads them batch by batch."
            )
        chosen = shape if shape is not None else input_shape
        if batch_shape is not None:
            chosen, batch_size = tuple(batch_shape)[1:], batch_shape[0]
        if chosen is None:
            raise ValueError("InputLayer: shape is missing, such as shape=(784,).")
        if isinstance(chosen, int | str):
            raise ValueError(
                "InputLayer: shape must be a tuple such as "
                f"{(chosen,) if isinstance(chosen, int) else (784,)}, but is {chosen!r}."
            )
        super().__init__(name=name, dtype=dtype, input_shape=chosen, batch_size=batch_size)
        self.built = True
        node = Node(self, (), {})
        node.finish(SymbolicTensor(self.batch_shape, self._dtype, self.name))
        self._inbound_nodes.append(node)

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

    def get_config(self) -> dict[str, Any]:
        """Return what the layer can be made again from."""
        return {"batch_shape": list(self.batch_shape), "dtype": self.dtype, "name": self.name}

    def _stem(self) -> str:
        # The name of an input is also the key under which its data may be given.
        return "input_layer" if type(self) is InputLayer else type(self).__name__


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: SymbolicTensor | None = None,
) -> SymbolicTensor:
    """Return a symbolic tensor: where data enter a network, or the first entry of a Sequential.

    Parameters
    ----------
    shape
        The shape of one sample; axes of unknown length are None.
    batch_size
        The number of samples, if it is fixed.
    dtype
        What data are converted to, ``floatx()`` by default.
    sparse, ragged
        Accepted for Keras's signature; must not be true.
    batch_shape
        The shape with the axis of samples, in place of `shape`.
    name
        The key under which this input's data may be given.
    tensor
        A symbolic tensor, whose shape and dtype are taken.

    Examples
    --------
    >>> Input(shape=(784,)).shape
    (None, 784)
    """
    if tensor is not None:
        batch_shape, dtype = tensor.shape, dtype or np.dtype(tensor.dtype)
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, name).output
