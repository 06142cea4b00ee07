"""Attention without projections: of dot products (Luong) and of sums (Bahdanau)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.attention.masks import as_mask, causal_mask
from tapegrad.layers.attention.weighted_sum import may_have_empty_row
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.regularization.arguments import checked_rate
from tapegrad.utils.lookup import look_up

__all__ = ["AdditiveAttention", "Attention"]


class Attention(Layer):
    """Sums of values, weighted by how well their keys fit a query (Luong et al., 2015).

    The inputs are a list ``[query, value]`` or ``[query, value, key]`` of shapes (samples, queries,
    features), (samples, keys, values) and (samples, keys, features); without a key, the values are
    also the keys. The output is ``softmax(scores) @ value``, of shape (samples, queries, values).

    Parameters
    ----------
    use_scale
        Whether to multiply the scores by a weight.
    score_mode
        ``"dot"``: the scores are ``query @ key.T``; ``"concat"``: they are the sum over features of
        ``tanh(query + key)``, times a weight.
    dropout
        The probability with which weights of attention are dropped in training.
    seed
        Makes the layer draw from a generator of its own.
    **kwargs
        ``name``, ``dtype`` and ``trainable``, as for every layer.

    Raises
    ------
    ValueError
        If the mode is unknown or `dropout` lies outside [0, 1]; at the call, if there is no list of
        two or three inputs, or their shapes do not fit.

    References
    ----------
    M.-T. Luong, H. Pham and C. D. Manning, *Effective Approaches to Attention-based Neural Machine
    Translation*, arXiv:1508.04025.

    Examples
    --------
    >>> import numpy as np
    >>> query, value = np.ones((2, 4, 3)), np.ones((2, 5, 3))
    >>> output, weights = Attention()([query, value], return_attention_scores=True)
    >>> output.shape, weights.shape
    ((2, 4, 3), (2, 4, 5))
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        look_up(score_mode, {"dot": 0, "concat": 0}, f"score_mode of {type(self).__name__}")
        self.use_scale = use_scale
        self.score_mode = score_mode
        self.dropout = checked_rate(dropout, type(self).__name__)
        self.seed = seed
        self._generator = self._make_generator(seed)
        self.scale: Variable | None = None
        self.concat_score_weight: Variable | None = None

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of these shapes."""
        self._check(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Return the weighted values.

        Parameters
        ----------
        inputs
            The list of query, value and possibly key.
        mask
            A list of masks of query, value and key, of which the first two count: masked values are
            left out, and the outputs of masked queries are zero.
        training
            Whether to drop weights.
        return_attention_scores
            Whether to return the weights too, of shape (samples, queries, keys).
        use_causal_mask
            Whether query i attends to the keys up to i only.
        """
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        query_mask, value_mask = self._two_masks(mask)
        allowed = None if value_mask is None else ops.expand_dims(value_mask, -2)
        if use_causal_mask:
            causal = causal_mask(query.shape[-2], key.shape[-2])
            allowed = causal if allowed is None else ops.logical_and(allowed, causal)
        drops = training and self.dropout > 0
        weights = None
        if self.score_mode == "dot" and not (drops or return_attention_scores):
            output = self._fused(query, key, value, allowed)
        else:
            weights = self._weights(query, key, allowed)
            if drops:
                weights = self._dropped(weights)
            output = ops.matmul(weights, value)
        if query_mask is not None:
            output = ops.where(ops.expand_dims(query_mask, -1), output, 0.0)
        return (output, weights) if return_attention_scores else output

    def _fused(self, query: Any, key: Any, value: Any, allowed: Any) -> Tensor:
        if self.scale is not None:
            query = query * self.scale.value
        if allowed is not None and may_have_empty_row(allowed):
            # A query without keys attends as if there were no mask: all its scores are lower.
            lower = np.asarray([-1e9, 0.0], query.dtype)
            allowed = ops.where(allowed, lower[1], lower[0])
        return ops.attention(query, key, value, mask=allowed, scale=1.0)

    def _weights(self, query: Any, key: Any, allowed: Any) -> Tensor:
        scores = self._scores(query, key)
        if allowed is not None:
            scores = ops.where(allowed, scores, scores - 1e9)
        return ops.softmax(scores)

    def _scores(self, query: Any, key: Any) -> Tensor:
        """Return how well each key fits each query."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, key, transpose_b=True)
            return scores if self.scale is None else scores * self.scale.value
        sums = ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
        if self.scale is not None:
            sums = self.scale.value * sums
        assert self.concat_score_weight is not None
        return self.concat_score_weight.value * ops.sum(ops.tanh(sums), axis=-1)

    def _dropped(self, weights: Tensor) -> Tensor:
        if self.dropout == 1:
            return weights * 0.0
        kept = 1.0 - self.dropout
        return weights * (
            self._generator.bernoulli(weights.shape, kept, dtype=weights.dtype) * (1.0 / kept)
        )

    def _two_masks(self, mask: Any) -> tuple[Any, Any]:
        if mask is None:
            return None, None
        if not isinstance(mask, list | tuple) or not 2 <= len(mask) <= 3:
            raise ValueError(
                f"Layer {self.name} ({type(self).__name__}): mask must be a list of two or three "
                "masks, [query_mask, value_mask]."
            )
        return as_mask(mask[0]), as_mask(mask[1])

    def _check(self, shapes: Any) -> None:
        """Raise ValueError unless there are shapes that fit."""
        owner = f"Layer {self.name} ({type(self).__name__})"
        if (
            not isinstance(shapes, list | tuple)
            or not 2 <= len(shapes) <= 3
            or not all(isinstance(shape, list | tuple) for shape in shapes)
        ):
            raise ValueError(
                f"{owner}: the input has shape {shapes}, expected a list of two or three inputs, "
                "[query, value] or [query, value, key]."
            )
        query, value, key = shapes[0], shapes[1], shapes[-1]
        if not _may_be_equal(query[-1], key[-1]) or not _may_be_equal(value[-2], key[-2]):
            raise ValueError(
                f"{owner}: query, value and key have shapes {query}, {value} and {key}; expected "
                "as many features in query and key, and as many positions in key and value."
            )

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the query's mask."""
        return None if previous_mask is None else previous_mask[0]

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Return the query's shape with as many features as the values have."""
        self._check(input_shape)
        return (*input_shape[0][:-1], input_shape[1][-1])


def _may_be_equal(one: int | None, other: int | None) -> bool:
    return one is None or other is None or one == other


class AdditiveAttention(Attention):
    """Sums of values, weighted by a learned score of query and key (Bahdanau et al., 2015).

    As `Attention`, with the scores ``sum(scale * tanh(query + key))`` over the features, where the
    weight `scale` has one entry a feature.

    Parameters
    ----------
    use_scale
        Whether there is such a weight; it is 1 otherwise.
    dropout
        The probability with which weights of attention are dropped in training.
    **kwargs
        ``seed``, ``name``, ``dtype`` and ``trainable``.

    Raises
    ------
    ValueError
        As `Attention`.

    References
    ----------
    D. Bahdanau, K. Cho and Y. Bengio, *Neural Machine Translation by Jointly Learning to Align and
    Translate*, arXiv:1409.0473.

    Examples
    --------
    >>> import numpy as np
    >>> AdditiveAttention()([np.ones((2, 4, 3)), np.ones((2, 5, 3))]).shape
    (2, 4, 3)
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        # Not "dot": its scores are never those of the fused operation.
        super().__init__(use_scale, "concat", dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Make the weight for inputs of these shapes."""
        self._check(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale")

    def _scores(self, query: Any, key: Any) -> Tensor:
        activated = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        if self.scale is None:
            return ops.sum(activated, axis=-1)
        return ops.matmul(activated, self.scale.value)
