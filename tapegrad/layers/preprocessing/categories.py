"""Whole numbers as vectors of zeros and ones, and numbers as whole numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.host_call import call_on_host
from tapegrad._core.operators import Operators
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor, tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.preprocessing.quantiles import boundaries, merged, summarized
from tapegrad.utils.lookup import look_up
from tapegrad.utils.tensors import as_tensor

__all__ = ["CategoryEncoding", "Discretization"]

_MODES = {"one_hot": 0, "multi_hot": 0, "count": 0}


def _encode(indices: Tensor, depth: int, mode: str, dtype: Any, weights: Any = None) -> Tensor:
    """Return whole numbers below `depth` as vectors of this length."""
    if indices.ndim == 0:
        indices = indices.reshape((1,))
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices.reshape(indices.shape[:-1])
        return ops.one_hot(indices, depth, dtype)
    encoded = ops.one_hot(indices, depth, dtype)
    axis = 1 if indices.ndim > 1 else 0
    if mode == "multi_hot":
        return ops.max(encoded, axis=axis)
    if weights is not None:
        encoded = encoded * ops.expand_dims(weights, -1)
    return ops.sum(encoded, axis=axis)


def _encoded_shape(shape: Shape, depth: int, mode: str) -> Shape:
    """Return the shape of `_encode`'s result."""
    if mode == "one_hot":
        joined = len(shape) > 1 and shape[-1] == 1
        return (*(shape[:-1] if joined else shape), depth)
    return (depth,) if len(shape) < 2 else (shape[0], *shape[2:], depth)


class CategoryEncoding(Layer):
    """Turns whole numbers into vectors: one-hot, multi-hot or counts.

    Parameters
    ----------
    num_tokens
        The length of the vectors; the numbers lie from 0 to one less.
    output_mode
        ``"one_hot"`` for a vector a number (a last axis of length 1 is left out); ``"multi_hot"``
        for a vector a sample, with ones for the numbers that occur in it; ``"count"`` for how often
        they occur.
    sparse
        Accepted if False: results are dense.
    **kwargs
        ``name``, ``dtype`` (of the vectors) and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        If `num_tokens` is missing or not positive, or the mode unknown; at the call, if a number
        lies outside, or weights are given in another mode than ``"count"``.

    Examples
    --------
    >>> CategoryEncoding(num_tokens=3, output_mode="count")([[0, 0, 2]]).numpy()
    array([[2., 0., 1.]], dtype=float32)
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_tokens is None or num_tokens < 1:
            raise ValueError(
                "CategoryEncoding: num_tokens, the length of the vectors, must be a positive whole "
                f"number, but is {num_tokens}."
            )
        if sparse:
            raise ValueError("CategoryEncoding: results are dense; leave sparse=False.")
        output_mode = "multi_hot" if output_mode == "binary" else output_mode
        look_up(output_mode, _MODES, "output_mode of CategoryEncoding")
        self.num_tokens = int(num_tokens)
        self.output_mode = output_mode
        self.sparse = sparse

    def call(self, inputs: Any, count_weights: Any = None) -> Tensor:
        """Return the vectors.

        Parameters
        ----------
        inputs
            Whole numbers.
        count_weights
            What each of them counts, in the mode ``"count"``; 1 by default.
        """
        if count_weights is not None:
            if self.output_mode != "count":
                raise ValueError(
                    f"Layer {self.name} (CategoryEncoding): count_weights are for the output_mode "
                    f'"count", but it is "{self.output_mode}".'
                )
            count_weights = as_tensor(count_weights).astype(self._dtype)
        indices = inputs if inputs.dtype.kind in "iu" else inputs.astype("int64")
        call_on_host(self._check, indices)
        return _encode(indices, self.num_tokens, self.output_mode, self._dtype, count_weights)

    def _check(self, indices: Tensor) -> None:
        """Raise ValueError if there are other numbers than those of tokens."""
        values = indices.numpy()
        if values.size and not (values.min() >= 0 and values.max() < self.num_tokens):
            raise ValueError(
                f"Layer {self.name} (CategoryEncoding): the input has values from {values.min()} "
                f"to {values.max()}, expected 0 to {self.num_tokens - 1}, below num_tokens."
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape for an input's."""
        return _encoded_shape(input_shape, self.num_tokens, self.output_mode)


class Discretization(Layer):
    """Turns numbers into the number of the interval that they lie in.

    Parameters
    ----------
    bin_boundaries
        The ascending bounds between intervals; a number on a bound belongs to the right.
    num_bins
        Instead of the bounds, the number of intervals: `adapt` then finds bounds with about as many
        numbers of a data set in each.
    epsilon
        How exactly: the largest error of a quantile, as a share of the data.
    output_mode
        ``"int"``, or as for `CategoryEncoding`.
    sparse
        Accepted if False: results are dense.
    **kwargs
        ``name`` and ``dtype`` (of vectors), as for every layer.

    Raises
    ------
    ValueError
        Unless exactly one of `bin_boundaries` and `num_bins` is given, or if the mode is unknown;
        at the call, if there are no bounds yet.

    Examples
    --------
    >>> Discretization(bin_boundaries=[0.0, 1.0])([[-1.0, 0.0, 5.0]]).numpy()
    array([[0, 1, 2]], dtype=int32)
    """

    _converts_inputs = False

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError("Discretization: give either bin_boundaries or num_bins.")
        if num_bins is not None and num_bins < 1:
            raise ValueError(f"Discretization: num_bins must be positive, but is {num_bins}.")
        if sparse:
            raise ValueError("Discretization: results are dense; leave sparse=False.")
        look_up(output_mode, {"int": 0, **_MODES}, "output_mode of Discretization")
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode = output_mode
        self.sparse = sparse
        self.bin_boundaries = None if bin_boundaries is None else list(bin_boundaries)

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find bounds that cut a data set into equal shares; earlier ones are forgotten.

        Parameters
        ----------
        data
            An array or a Tensor, or anything that gives batches one after the other.
        steps
            How many batches to look at; all by default.

        Raises
        ------
        ValueError
            If the bounds were given.
        """
        if self.num_bins is None:
            raise ValueError(
                f"Layer {self.name} (Discretization): the bin_boundaries were given, so there is "
                "nothing to adapt; give num_bins instead."
            )
        is_array = isinstance(data, np.ndarray | Operators) or not isinstance(data, Iterable)
        batches: Any = [data] if is_array else data
        summary = np.zeros((2, 0), dtype=np.float32)
        for step, batch in enumerate(batches):
            if steps is not None and step >= steps:
                break
            values = np.asarray(batch).astype(np.float32)
            summary = merged(summarized(values, self.epsilon), summary, self.epsilon)
        self.bin_boundaries = boundaries(summary, self.num_bins).tolist()

    def call(self, inputs: Any) -> Tensor:
        """Return the numbers of the intervals, int32, or vectors of them."""
        if self.bin_boundaries is None:
            raise ValueError(
                f"Layer {self.name} (Discretization): there are no bounds yet; call adapt(data) "
                "first, or give bin_boundaries."
            )
        indices = _interval(as_tensor(inputs), np.asarray(self.bin_boundaries, np.float64))
        if self.output_mode == "int":
            return indices
        return _encode(indices, self._depth(), self.output_mode, self._dtype)

    def _depth(self) -> int:
        if self.bin_boundaries is not None:
            return len(self.bin_boundaries) + 1
        assert self.num_bins is not None
        return self.num_bins

    def _output_dtype(self, inputs: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
        return np.dtype(np.int32) if self.output_mode == "int" else self._dtype

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape for an input's."""
        if self.output_mode == "int":
            return input_shape
        return _encoded_shape(input_shape, self._depth(), self.output_mode)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; after `adapt`, with the bounds that it found."""
        config = super().get_config()
        if self.bin_boundaries is not None:
            config |= {"bin_boundaries": list(self.bin_boundaries), "num_bins": None}
        return config


def _interval(values: Tensor, bounds: np.ndarray) -> Tensor:
    """Return the number of the interval that each value lies in."""
    if thread.recorder is None or not (bounds[:-1] <= bounds[1:]).all():
        return tensor(np.digitize(values.numpy(), bounds).astype(np.int32))
    # The same in operations, which can be recorded; NaN lies above all bounds.
    below = ops.less(values.astype("float64").reshape((*values.shape, 1)), bounds)
    return ops.sum(ops.logical_not(below).astype("int32"), axis=-1).astype("int32")
