"""Multi-head attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tapegrad import constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad.layers.attention.masks import (
    as_mask,
    causal_mask,
    joined_mask,
    mask_of_positions,
    sliding_window_mask,
)
from tapegrad.layers.attention.weighted_sum import attend, explicit_weights
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.core.einsum_dense import EinsumDense
from tapegrad.layers.masking_state import get_mask
from tapegrad.layers.regularization import Dropout
from tapegrad.layers.regularization.arguments import checked_rate

__all__ = ["MultiHeadAttention"]

_LETTERS = "abcdefghijklmnopqrstuvw"


class MultiHeadAttention(Layer):
    """Attention of several heads, each with projections of its own (Vaswani et al., 2017).

    Called with a query of shape (samples, queries, features), a value of shape (samples, keys, …)
    and possibly a key. Each head attends with ``softmax(q k' / sqrt(key_dim)) v``; what the heads
    find is projected to the output.

    Parameters
    ----------
    num_heads
        The number of heads.
    key_dim
        How many features a head has in query and key.
    value_dim
        How many it has in the values; `key_dim` by default.
    dropout
        The probability with which weights of attention are dropped in training.
    use_bias
        Whether the projections have biases.
    output_shape
        The shape of the output's features; those of the query by default.
    attention_axes
        The axes over which to attend, counted with the samples' axis; all but the first and the
        last by default.
    sliding_window
        Whether queries attend only to keys that lie nearer than this many positions.
    flash_attention
        Accepted; attention without dropout and without weights asked for is always computed in
        blocks, with memory for the positions only.
    kernel_initializer, bias_initializer
        The first values of the projections' weights.
    kernel_regularizer, bias_regularizer, activity_regularizer
        Penalties on the projections' weights and outputs, added to the loss.
    kernel_constraint, bias_constraint
        What the projections' weights are projected to after each update.
    use_gate
        Whether what the heads find is multiplied by a sigmoid of a projection of the query.
    seed
        Makes dropout draw from a generator of its own.
    **kwargs
        ``name``, ``dtype`` and ``trainable``, as for every layer.

    Raises
    ------
    ValueError
        If a number is not positive, or flash attention is asked for with dropout; at the call, if
        the shapes of key and value do not fit each other.

    References
    ----------
    A. Vaswani et al., *Attention Is All You Need*, arXiv:1706.03762.

    Examples
    --------
    >>> import numpy as np
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
    >>> query, value = np.ones((3, 5, 8)), np.ones((3, 6, 7))
    >>> layer(query, value).shape
    (3, 5, 8)
    >>> output, weights = layer(query, value, return_attention_scores=True)
    >>> weights.shape
    (3, 2, 5, 6)
    """

    supports_masking = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = _positive(num_heads, "num_heads")
        self.key_dim = _positive(key_dim, "key_dim")
        self.value_dim = self.key_dim if value_dim is None else _positive(value_dim, "value_dim")
        self.dropout = checked_rate(dropout, "MultiHeadAttention")
        self.use_bias = use_bias
        if isinstance(output_shape, int):
            output_shape = (output_shape,)
        self._output_shape = None if output_shape is None else tuple(output_shape)
        if isinstance(attention_axes, int):
            attention_axes = (attention_axes,)
        self.attention_axes = None if attention_axes is None else tuple(attention_axes)
        if sliding_window is not None:
            _positive(sliding_window, "sliding_window")
        self.sliding_window = sliding_window
        if flash_attention and self.dropout > 0:
            raise ValueError(
                "MultiHeadAttention: flash attention computes no weights that could be dropped; "
                f"set dropout, which is {self.dropout}, to 0, or leave flash_attention=None."
            )
        self.flash_attention = bool(flash_attention)
        # Handed to the projections, which are the layers whose outputs it penalizes.
        self._projection_options: dict[str, Any] = {
            "kernel_initializer": initializers.get(kernel_initializer),
            "bias_initializer": initializers.get(bias_initializer),
            "kernel_regularizer": regularizers.get(kernel_regularizer),
            "bias_regularizer": regularizers.get(bias_regularizer),
            "activity_regularizer": regularizers.get(activity_regularizer),
            "kernel_constraint": constraints.get(kernel_constraint),
            "bias_constraint": constraints.get(bias_constraint),
            "dtype": self._dtype,
        }
        self.use_gate = use_gate
        self.seed = seed
        self._scale = 1.0 / math.sqrt(self.key_dim)

    # ---- building --------------------------------------------------------------------

    def build(  # type: ignore[override]
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        """Make the projections for inputs of these shapes."""
        key_shape = value_shape if key_shape is None else key_shape
        self._check_key(value_shape, key_shape)
        rank = len(query_shape)
        for shape in (query_shape, value_shape):
            if len(shape) < 3:
                raise self._wrong_shape(
                    "at least three axes, (samples, positions, features)", shape
                )
        heads = self.num_heads
        self._query_dense = self._into_heads("query", query_shape, heads, self.key_dim)
        self._key_dense = self._into_heads("key", key_shape, heads, self.key_dim)
        self._gate_dense: EinsumDense | None = None
        if self.use_gate:
            self._gate_dense = self._into_heads(
                "gate", query_shape, heads, self.value_dim, activation="sigmoid"
            )
        self._value_dense = self._into_heads("value", value_shape, heads, self.value_dim)
        self._axes = self._attention_positions(query_shape)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self._dtype)
        features = self._output_shape or query_shape[-1:]
        free, found = _LETTERS[: rank - 1], _LETTERS[rank + 1 : rank + 1 + len(features)]
        summed = _LETTERS[rank - 1 : rank + 1]
        self._output_dense = self._projection(
            "attention_output", f"{free}{summed},{summed}{found}->{free}{found}", features
        )
        self._output_dense.build((*query_shape[:-1], heads, self.value_dim))

    def _into_heads(
        self, name: str, shape: Shape, heads: int, features: int, activation: Any = None
    ) -> EinsumDense:
        """Return a projection of the last axis to (heads, features)."""
        free, summed = _LETTERS[: len(shape) - 1], _LETTERS[len(shape) - 1]
        equation = f"{free}{summed},{summed}xy->{free}xy"
        layer = self._projection(name, equation, (heads, features), activation)
        layer.build(shape)
        return layer

    def _projection(
        self, name: str, equation: str, features: Sequence[int | None], activation: Any = None
    ) -> EinsumDense:
        output = equation.partition("->")[2]
        layer = EinsumDense(
            equation,
            output_shape=[None] * (len(output) - 1 - len(features)) + list(features),
            bias_axes=output[-len(features) :] if self.use_bias else None,
            activation=activation,
            name=name,
            **self._projection_options,
        )
        layer._accepts_masked = True  # the masks are seen to here
        return layer

    def _attention_positions(self, query_shape: Shape) -> tuple[int, ...]:
        """Return the axes to attend over, counted from the front."""
        rank = len(query_shape)
        if self.attention_axes is None:
            return tuple(range(1, rank - 1))
        for axis in self.attention_axes:
            if not -rank <= axis < rank or axis % rank in (0, rank - 1):
                raise self._wrong_shape(
                    f"attention_axes {self.attention_axes} between the first and the last axis",
                    query_shape,
                )
        return tuple(axis % rank for axis in self.attention_axes)

    def _check_key(self, value_shape: Shape, key_shape: Shape) -> None:
        if len(value_shape) != len(key_shape) or any(
            None not in (one, other) and one != other
            for one, other in zip(value_shape[1:-1], key_shape[1:-1])
        ):
            raise ValueError(
                f"Layer {self.name} (MultiHeadAttention): value and key have shapes "
                f"{tuple(value_shape)} and {tuple(key_shape)}, expected equal ones up to the last "
                "axis."
            )

    # ---- calling ---------------------------------------------------------------------

    def call(  # type: ignore[override]
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Return what the queries found.

        Parameters
        ----------
        query
            Shape (samples, queries, …).
        value
            Shape (samples, keys, …).
        key
            Of as many positions as the value; the value by default.
        query_mask
            As in Keras, the mask that the query itself carries counts, not this argument. Masked
            queries attend to all keys alike, and the output carries the mask on.
        value_mask, key_mask
            Shape (samples, keys): keys that are masked in either are not attended to.
        attention_mask
            Broadcast to (samples, queries, keys): True where attention is allowed. It may have an
            axis of heads after the samples' axis.
        return_attention_scores
            Whether to return the weights too, of shape (samples, heads, queries, keys).
        training
            Whether to drop weights.
        use_causal_mask
            Whether query i attends to the keys up to i only.
        """
        if self.flash_attention and return_attention_scores:
            raise ValueError(
                f"Layer {self.name} (MultiHeadAttention): flash attention computes no weights that "
                "could be returned; leave flash_attention=None."
            )
        key = value if key is None else key
        mask, causal = self._joined_mask(
            query, value, value_mask, key_mask, attention_mask, use_causal_mask
        )
        gate = None if self._gate_dense is None else self._gate_dense(query)
        found, weights = self._attend(
            self._query_dense(query),
            self._key_dense(key),
            self._value_dense(value),
            mask,
            causal,
            training,
            return_attention_scores,
        )
        output = self._output_dense(found if gate is None else found * gate)
        return (output, weights) if return_attention_scores else output

    def _joined_mask(
        self,
        query: Any,
        value: Any,
        value_mask: Any,
        key_mask: Any,
        attention_mask: Any,
        use_causal_mask: bool,
    ) -> tuple[Any, bool]:
        """Return the mask, and whether being causal is all that restricts attention."""
        query_mask = get_mask(query)
        given = (query_mask, value_mask, key_mask, attention_mask, self.sliding_window)
        ordered = use_causal_mask or self.sliding_window is not None
        if ordered and len(self._axes) != 1:
            raise ValueError(
                f"Layer {self.name} (MultiHeadAttention): positions have an order along one axis "
                f"only, but attention is over the axes {self._axes}; leave use_causal_mask and "
                "sliding_window, and give an attention_mask."
            )
        if use_causal_mask and all(part is None for part in given):
            return None, True
        further = []
        if ordered:
            queries, keys = query.shape[self._axes[0]], value.shape[self._axes[0]]
            if use_causal_mask:
                further.append(causal_mask(queries, keys))
            if self.sliding_window is not None:
                further.append(sliding_window_mask(queries, keys, self.sliding_window))
        return joined_mask(
            query_mask, value_mask, key_mask, as_mask(attention_mask), *further
        ), False

    def _attend(
        self,
        query: Any,
        key: Any,
        value: Any,
        mask: Any,
        causal: bool,
        training: bool,
        return_weights: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend, with the axes (…, positions, heads, features) before and after."""
        axes = self._axes
        rest = tuple(axis for axis in range(query.ndim - 1) if axis not in axes)
        queries = tuple(query.shape[axis] for axis in axes)
        keys = tuple(key.shape[axis] for axis in axes)
        apart = tuple(query.shape[axis] for axis in rest)
        query, key, value = (_positions_last(x, rest, axes) for x in (query, key, value))
        if mask is not None:
            mask = mask_of_positions(mask, len(rest), queries, keys)
        weights = None
        drops = training and self.dropout > 0
        if return_weights or drops:
            if causal:
                mask = causal_mask(queries[0], keys[0])
            weights = explicit_weights(query, key, mask, self._scale)
            kept = self._dropout_layer(weights, training=training) if drops else weights
            found = ops.matmul(kept, value)
        elif self.dropout == 0 and len(rest) == 2:
            found = attend(query, key, value, mask, self._scale, causal)
        else:
            # Keras computes these by explicit weights, which are zero for a query without keys.
            found = ops.attention(query, key, value, mask=mask, scale=self._scale, causal=causal)
        found = found.reshape((*apart, *queries, value.shape[-1]))
        order = (*rest, *axes)
        found = ops.transpose(found, (*(order.index(i) for i in range(len(order))), len(order)))
        if weights is not None and len(axes) > 1:
            weights = weights.reshape((*apart, *queries, *keys))
        return found, weights

    # ---- shapes and masks ------------------------------------------------------------

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the query's mask."""
        return previous_mask

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> Shape:
        """Return the query's shape, with the output's features."""
        self._check_key(value_shape, value_shape if key_shape is None else key_shape)
        return (*query_shape[:-1], *(self._output_shape or query_shape[-1:]))


def _positive(number: Any, name: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number <= 0:
        raise ValueError(
            f"MultiHeadAttention: {name} must be a positive whole number, but is {number!r}."
        )
    return number


def _positions_last(x: Any, rest: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """Return the array with the axes (rest…, positions, features), positions being joined."""
    x = ops.transpose(x, (*rest, *axes, x.ndim - 1))
    if len(axes) == 1:
        return x
    return x.reshape((*x.shape[: len(rest)], -1, x.shape[-1]))
