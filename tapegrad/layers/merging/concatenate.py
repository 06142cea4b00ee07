"""Several inputs, one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Shape
from tapegrad.layers.merging.base import Masks, Merge, alike, check_inputs, check_list

__all__ = ["Concatenate", "concatenate"]


class Concatenate(Merge):
    """Joins a list of inputs along an axis.

    Parameters
    ----------
    axis
        The axis that becomes longer, counted with the samples' axis.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        At the call, if there is no list of inputs, their shapes differ along another axis, or the
        axis does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> Concatenate()([np.ones((2, 3)), np.ones((2, 4))]).shape
    (2, 7)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Masks = None) -> Tensor:
        """Return the inputs, joined."""
        check_inputs(self, inputs)
        shapes = [value.shape for value in inputs]
        position = self._position(shapes)
        if len({(*shape[:position], *shape[position + 1 :]) for shape in shapes}) > 1:
            raise self._lengths_differ(shapes)
        return ops.concatenate(alike(inputs, self._dtype), axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the joined shape; an unknown length along the axis makes the sum unknown."""
        shapes = check_list(self, input_shape)
        position = self._position(shapes)
        joined: list[int | None] = []
        for axis, lengths in enumerate(zip(*shapes)):
            known = [length for length in lengths if length is not None]
            if axis == position:
                joined.append(sum(known) if len(known) == len(lengths) else None)
            elif len(set(known)) > 1:
                raise self._lengths_differ(shapes)
            else:
                joined.append(known[0] if known else None)
        return tuple(joined)

    def _position(self, shapes: Sequence[Shape]) -> int:
        """Return the axis counted from the front; raises ValueError if it does not exist."""
        ranks = {len(shape) for shape in shapes}
        if len(ranks) > 1:
            raise self._misfit(shapes, "as many axes in each")
        rank = ranks.pop()
        if not -rank <= self.axis < rank:
            raise self._misfit(shapes, f"an axis {self.axis}, along which to join them")
        return self.axis % rank

    def _lengths_differ(self, shapes: Sequence[Shape]) -> ValueError:
        return self._misfit(shapes, f"equal lengths along every axis but {self.axis}")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the masks, joined as the inputs are; inputs without one are valid throughout."""
        if previous_mask is None or all(mask is None for mask in previous_mask):
            return None
        masks = []
        for value, mask in zip(inputs, previous_mask):
            if mask is None:
                mask = ops.ones_like(value).astype("bool")
            elif mask.ndim < value.ndim:
                mask = ops.broadcast_to(ops.expand_dims(mask, -1), value.shape)
            masks.append(mask)
        return ops.any(ops.concatenate(masks, axis=self.axis), axis=-1)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """Return ``Concatenate(axis, **kwargs)(inputs)``.

    Examples
    --------
    >>> import numpy as np
    >>> concatenate([np.array([[1.0]]), np.array([[2.0]])]).numpy()
    array([[1., 2.]], dtype=float32)
    """
    return Concatenate(axis=axis, **kwargs)(inputs)
