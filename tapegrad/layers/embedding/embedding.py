"""Vectors for whole numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tapegrad import constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer, Shape

__all__ = ["Embedding"]


class Embedding(Layer):
    """Looks whole numbers up in a table of vectors.

    Parameters
    ----------
    input_dim
        The number of vectors: inputs are from 0 to ``input_dim - 1``.
    output_dim
        The length of a vector.
    embeddings_initializer
        The first values of the table.
    embeddings_regularizer
        A penalty on the table, added to the loss.
    embeddings_constraint
        What the table is projected to after each update.
    mask_zero
        Whether 0 stands for padding, which layers further on skip.
    weights
        The first values of the table as an array, shape (input_dim, output_dim), or a list of it.
    **kwargs
        ``name``, ``dtype`` and ``trainable``, as for every layer. ``input_length`` of older
        listings is accepted with a warning, and changes nothing.

    Attributes
    ----------
    embeddings
        The table, shape (input_dim, output_dim).

    Raises
    ------
    ValueError
        If `input_dim` or `output_dim` is no positive whole number.
    IndexError
        At the call, if an input is negative or not less than `input_dim`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Embedding(1000, 16, mask_zero=True)
    >>> vectors = layer(np.array([[5, 2, 0], [7, 0, 0]]))
    >>> vectors.shape
    (2, 3, 16)
    >>> from tapegrad.layers.masking_state import get_mask
    >>> get_mask(vectors).tolist()
    [[True, True, False], [True, False, False]]
    """

    # Numbers of words keep all their digits.
    _converts_inputs = False
    _takes_one = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("input_length", None) is not None:
            warnings.warn(
                "Embedding: input_length is no longer needed; leave it out.", stacklevel=2
            )
        super().__init__(**kwargs)
        for name, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value <= 0:
                raise ValueError(
                    f"Embedding: {name} must be a positive whole number, but is {value!r}."
                )
        self.input_dim = int(input_dim)
        self.output_dim = int(output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = bool(mask_zero)
        self.supports_masking = self.mask_zero
        self.embeddings: Variable | None = None
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list | tuple) else [weights])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, without initial weights."""
        config = super().get_config()
        config.pop("weights", None)
        config.pop("input_length", None)
        return config

    def build(self, input_shape: Shape | None = None) -> None:
        """Make the table."""
        if self.embeddings is None:
            self.embeddings = self.add_weight(
                (self.input_dim, self.output_dim),
                self.embeddings_initializer,
                regularizer=self.embeddings_regularizer,
                constraint=self.embeddings_constraint,
                name="embeddings",
            )

    def call(self, inputs: Any) -> Tensor:
        """Return the vectors, shape ``inputs.shape + (output_dim,)``."""
        assert self.embeddings is not None
        indices = inputs if inputs._data.dtype.kind in "iu" else inputs.astype("int64")
        try:
            return ops.gather(self.embeddings.value, indices)
        except IndexError:
            raise self._out_of_range(indices.numpy()) from None

    def _out_of_range(self, indices: np.ndarray) -> IndexError:
        wrong = indices[(indices < 0) | (indices >= self.input_dim)]
        return IndexError(
            f"Layer {self.name} (Embedding): the input contains {wrong[0]}, expected whole numbers "
            f"from 0 to {self.input_dim - 1}; input_dim must be larger than all of them."
        )

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return where the inputs are not 0, if 0 stands for padding."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape for an input's."""
        return (*input_shape, self.output_dim)
