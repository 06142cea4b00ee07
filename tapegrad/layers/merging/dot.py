"""Products of the samples of two inputs, summed over an axis of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Shape
from tapegrad.layers.merging.base import Masks, Merge, alike, check_inputs, check_list

__all__ = ["Dot", "dot"]

_EPSILON = 1e-7


class Dot(Merge):
    """The dot product of two inputs, sample by sample.

    Parameters
    ----------
    axes
        The axis of each input that is summed over: one number for both, or a pair. The samples'
        axis is 0.
    normalize
        Whether vectors along these axes are first divided by their lengths, so that the results are
        cosines.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    TypeError, ValueError
        If `axes` is neither; at the call, if there is no list of two inputs, an axis does not exist
        or is that of the samples, or the two lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])]).numpy()
    array([[11.]], dtype=float32)
    >>> Dot(axes=(2, 1))([np.ones((5, 2, 3)), np.ones((5, 3, 4))]).shape
    (5, 2, 4)
    """

    _least = 2
    _most = 2

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int | list | tuple):
            raise TypeError(f"Dot: axes must be a number or a pair of numbers, but is {axes!r}.")
        if not isinstance(axes, int) and (
            len(axes) != 2 or not all(isinstance(axis, int) for axis in axes)
        ):
            raise ValueError(f"Dot: axes must be a number or a pair of numbers, but is {axes!r}.")
        self.axes = axes if isinstance(axes, int) else list(axes)
        self.normalize = normalize

    def call(self, inputs: Any, mask: Masks = None) -> Tensor:
        """Return the products."""
        check_inputs(self, inputs, 2, 2)
        left, right = alike(inputs, self._dtype)
        first, second = self._positions([left.shape, right.shape])
        if self.normalize:
            left = ops.unit_norm(left, axis=first, epsilon=_EPSILON)
            right = ops.unit_norm(right, axis=second, epsilon=_EPSILON)
        left = ops.moveaxis(left, first, -1)
        right = ops.moveaxis(right, second, 1)
        rows, columns = left.shape[1:-1], right.shape[2:]
        samples, length = left.shape[0], left.shape[-1]
        product = ops.matmul(
            left.reshape((samples, math.prod(rows), length)),
            right.reshape((samples, length, math.prod(columns))),
        )
        return product.reshape((samples, *(rows + columns or (1,))))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the remaining axes of the first input, then those of the second."""
        shapes = check_list(self, input_shape, 2, 2)
        first, second = self._positions(shapes)
        rows = [length for axis, length in enumerate(shapes[0]) if axis not in (0, first)]
        columns = [length for axis, length in enumerate(shapes[1]) if axis not in (0, second)]
        samples = shapes[0][0] if shapes[0][0] is not None else shapes[1][0]
        return (samples, *(rows + columns or [1]))

    def _positions(self, shapes: Sequence[Shape]) -> tuple[int, int]:
        """Return the two axes counted from the front; raises ValueError if they do not fit."""
        axes = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        for axis, shape in zip(axes, shapes):
            if not -len(shape) <= axis < len(shape):
                raise self._misfit(shapes, f"axes {axes} to sum over")
        first, second = (axis % len(shape) for axis, shape in zip(axes, shapes))
        if first == 0 or second == 0:
            raise self._misfit(shapes, f"axes to sum over other than {axes}, that of the samples")
        lengths = {shapes[0][first], shapes[1][second]} - {None}
        if len(lengths) > 1:
            raise self._misfit(shapes, f"equal lengths along the axes {axes}")
        samples = {shapes[0][0], shapes[1][0]} - {None}
        if len(samples) > 1:
            raise self._misfit(shapes, "as many samples in each")
        return first, second

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Return None: what a masked position was is summed over."""
        return None


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """Return ``Dot(axes, **kwargs)(inputs)``.

    Examples
    --------
    >>> import numpy as np
    >>> dot([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])]).numpy()
    array([[11.]], dtype=float32)
    """
    return Dot(axes=axes, **kwargs)(inputs)
