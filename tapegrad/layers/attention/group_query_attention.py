"""Attention of many heads of queries that share fewer heads of keys and values."""

from __future__ import annotations

import math
from typing import Any

from tapegrad import constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad.layers.attention.masks import causal_mask, joined_mask, sliding_window_mask
from tapegrad.layers.attention.weighted_sum import attend, explicit_weights
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.core.einsum_dense import EinsumDense
from tapegrad.layers.regularization import Dropout
from tapegrad.layers.regularization.arguments import checked_rate

__all__ = ["GroupQueryAttention", "GroupedQueryAttention"]


class GroupQueryAttention(Layer):
    """Multi-head attention in which groups of heads share keys and values (Ainslie et al., 2023).

    With one head of keys and values this is multi-query attention, with as many as of queries
    `MultiHeadAttention`. The inputs have three axes: (samples, positions, features).

    Parameters
    ----------
    head_dim
        How many features a head has.
    num_query_heads
        The number of heads of queries.
    num_key_value_heads
        The number of heads of keys and values, a divisor of `num_query_heads`.
    dropout
        The probability with which weights of attention are dropped in training.
    use_bias
        Whether the projections have biases.
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
        If a number is not positive, the numbers of heads do not fit, or flash attention is asked
        for with dropout; at the call, if shapes do not fit.

    References
    ----------
    J. Ainslie et al., *GQA: Training Generalized Multi-Query Transformer Models from Multi-Head
    Checkpoints*, arXiv:2305.13245.

    Examples
    --------
    >>> import numpy as np
    >>> layer = GroupQueryAttention(head_dim=4, num_query_heads=6, num_key_value_heads=2)
    >>> layer(np.ones((3, 5, 8)), np.ones((3, 7, 8))).shape
    (3, 5, 8)
    """

    supports_masking = True

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
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
        numbers = {
            "head_dim": head_dim,
            "num_query_heads": num_query_heads,
            "num_key_value_heads": num_key_value_heads,
            "sliding_window": 1 if sliding_window is None else sliding_window,
        }
        for argument, number in numbers.items():
            if isinstance(number, bool) or not isinstance(number, int) or number <= 0:
                raise ValueError(
                    f"GroupQueryAttention: {argument} must be a positive whole number, but is "
                    f"{number!r}."
                )
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                f"GroupQueryAttention: num_query_heads, which is {num_query_heads}, must be a "
                f"multiple of num_key_value_heads, which is {num_key_value_heads}."
            )
        self.head_dim = head_dim
        self.num_query_heads = num_query_heads
        self.num_key_value_heads = num_key_value_heads
        self.dropout = checked_rate(dropout, "GroupQueryAttention")
        self.use_bias = use_bias
        self.sliding_window = sliding_window
        if flash_attention and self.dropout > 0:
            raise ValueError(
                "GroupQueryAttention: flash attention computes no weights that could be dropped; "
                f"set dropout, which is {self.dropout}, to 0, or leave flash_attention=None."
            )
        self.flash_attention = bool(flash_attention)
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
        self._scale = 1.0 / math.sqrt(head_dim)

    def build(  # type: ignore[override]
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        """Make the projections for inputs of these shapes."""
        key_shape = value_shape if key_shape is None else key_shape
        self.compute_output_shape(query_shape, value_shape, key_shape)
        queries, shared = self.num_query_heads, self.num_key_value_heads
        self._query_dense = self._into_heads("query", query_shape, queries)
        self._key_dense = self._into_heads("key", key_shape, shared)
        self._gate_dense: EinsumDense | None = None
        if self.use_gate:
            self._gate_dense = self._into_heads("gate", query_shape, queries, "sigmoid")
        self._value_dense = self._into_heads("value", value_shape, shared)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self._dtype)
        self._output_dense = self._projection(
            "attention_output", "abde,dec->abc", (None, query_shape[-1]), "c"
        )
        self._output_dense.build((None, None, queries, self.head_dim))

    def _into_heads(
        self, name: str, shape: Shape, heads: int, activation: Any = None
    ) -> EinsumDense:
        layer = self._projection(
            name, "abc,cde->abde", (None, heads, self.head_dim), "de", activation
        )
        layer.build(shape)
        return layer

    def _projection(
        self, name: str, equation: str, output_shape: Any, bias_axes: str, activation: Any = None
    ) -> EinsumDense:
        layer = EinsumDense(
            equation,
            output_shape,
            activation=activation,
            bias_axes=bias_axes if self.use_bias else None,
            name=name,
            **self._projection_options,
        )
        layer._accepts_masked = True  # the masks are seen to here
        return layer

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
            Shape (samples, queries, features).
        value, key
            Shape (samples, keys, features); the value is the key by default.
        query_mask
            Shape (samples, queries): masked queries attend to all keys alike.
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
                f"Layer {self.name} (GroupQueryAttention): flash attention computes no weights "
                "that could be returned; leave flash_attention=None."
            )
        key = value if key is None else key
        given = (query_mask, value_mask, key_mask, attention_mask, self.sliding_window)
        causal = use_causal_mask and all(part is None for part in given)
        further = []
        if use_causal_mask and not causal:
            further.append(causal_mask(query.shape[1], value.shape[1]))
        if self.sliding_window is not None:
            further.append(sliding_window_mask(query.shape[1], value.shape[1], self.sliding_window))
        mask = joined_mask(query_mask, value_mask, key_mask, attention_mask, *further)
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
        """Attend, with the axes (samples, positions, heads, features) before and after."""
        samples, queries, heads, features = query.shape
        shared = self.num_key_value_heads
        group = heads // shared
        # The axes (samples, shared heads, heads of a group, positions, features): keys and values
        # have one head a group, which attention broadcasts without copying.
        query = query.reshape((samples, queries, shared, group, features))
        query = ops.transpose(query, (0, 2, 3, 1, 4))
        key = ops.expand_dims(ops.transpose(key, (0, 2, 1, 3)), 2)
        value = ops.expand_dims(ops.transpose(value, (0, 2, 1, 3)), 2)
        if mask is not None:
            mask = self._mask_of_groups(mask, shared, group)
        weights = None
        if return_weights or (training and self.dropout > 0):
            if causal:
                mask = causal_mask(queries, key.shape[-2])
            weights = explicit_weights(query, key, mask, self._scale)
            kept = self._dropout_layer(weights, training=training)
            found = ops.matmul(kept, value)
            weights = weights.reshape((samples, heads, *weights.shape[3:]))
        elif self.dropout == 0:
            found = attend(query, key, value, mask, self._scale, causal)
        else:
            # Keras computes these by explicit weights, which are zero for a query without keys.
            found = ops.attention(query, key, value, mask=mask, scale=self._scale, causal=causal)
        found = ops.transpose(found, (0, 3, 1, 2, 4))
        return found.reshape((samples, queries, heads, features)), weights

    @staticmethod
    def _mask_of_groups(mask: Any, shared: int, group: int) -> Any:
        """Return a mask of three or four axes with two axes of heads."""
        positions = mask.shape[-2:]
        if mask.ndim < 4:
            return mask.reshape((*mask.shape[:-2], 1, 1, *positions))
        heads = (shared, group) if mask.shape[1] > 1 else (1, 1)
        return mask.reshape((mask.shape[0], *heads, *positions))

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> Shape:
        """Return the query's shape.

        Raises
        ------
        ValueError
            If an input has not three axes, or they do not fit each other.
        """
        key_shape = value_shape if key_shape is None else key_shape
        shapes = [tuple(shape) for shape in (query_shape, value_shape, key_shape)]
        fits = all(len(shape) == 3 for shape in shapes)
        if not fits or query_shape[-1] != value_shape[-1] or value_shape[1:-1] != key_shape[1:-1]:
            raise ValueError(
                f"Layer {self.name} (GroupQueryAttention): query, value and key have shapes "
                f"{shapes[0]}, {shapes[1]} and {shapes[2]}; expected three axes, as many features "
                "in query and value, and as many positions in key and value."
            )
        return tuple(query_shape)


GroupedQueryAttention = GroupQueryAttention
