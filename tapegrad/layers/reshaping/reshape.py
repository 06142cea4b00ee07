"""The elements of each sample in another shape, in another order, or several times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.spatial import is_whole

__all__ = ["Permute", "RepeatVector", "Reshape"]


class Reshape(Layer):
    """Gives each sample another shape; the order of its elements stays.

    Parameters
    ----------
    target_shape
        The shape of one sample. One length may be -1: it follows from the others.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        If `target_shape` has other numbers than these; at the call if a sample has another number
        of elements.

    Examples
    --------
    >>> import numpy as np
    >>> Reshape((-1, 2, 2))(np.ones((5, 12))).shape
    (5, 3, 2, 2)
    """

    _takes_one = True

    _keeps_integers = True

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        lengths: Any = (target_shape,) if is_whole(target_shape) else target_shape
        if (
            not isinstance(lengths, list | tuple)
            or any(not is_whole(length) or length < -1 for length in lengths)
            or list(lengths).count(-1) > 1
        ):
            raise ValueError(
                "Reshape: target_shape must be lengths of at least 0, one of which may be -1 to be "
                f"found from the others, but is {target_shape!r}."
            )
        self.target_shape = tuple(int(length) for length in lengths)

    def call(self, inputs: Any) -> Tensor:
        """Return the input, with samples in the target shape."""
        shape = inputs._data.shape
        return inputs.reshape((*shape[:1], *self._target(shape)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (samples, …) with the target shape; a -1 stays unknown if the input's size is."""
        if any(length is None for length in input_shape[1:]):
            return (
                input_shape[0],
                *(None if length == -1 else length for length in self.target_shape),
            )
        return (input_shape[0], *self._target(input_shape))

    def _target(self, input_shape: Any) -> tuple[int, ...]:
        """Return the target shape with -1 replaced, for an input of known shape."""
        size = math.prod(input_shape[1:])
        given = math.prod(length for length in self.target_shape if length != -1)
        if -1 not in self.target_shape:
            fits = size == given
        else:
            fits = given > 0 and size % given == 0
        if not fits:
            raise self._wrong_shape(
                f"samples whose {size} elements fit the target shape {self.target_shape}",
                input_shape,
            )
        return tuple(size // given if length == -1 else length for length in self.target_shape)


class Permute(Layer):
    """Reorders the axes of each sample.

    Parameters
    ----------
    dims
        The input's axis for each axis of the output, counted from 1: ``(2, 1)`` exchanges the two
        axes after that of the samples.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        If `dims` is not an order of 1, 2, …; at the call if the input has another number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> Permute((2, 1))(np.ones((5, 10, 64))).shape
    (5, 64, 10)
    """

    _keeps_integers = True

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if (
            not isinstance(dims, list | tuple)
            or not all(is_whole(axis) for axis in dims)
            or sorted(dims) != list(range(1, len(dims) + 1))
        ):
            raise ValueError(
                "Permute: dims must hold each of the numbers 1, 2, … once, such as (2, 1), "
                f"but is {dims!r}."
            )
        self.dims = tuple(int(axis) for axis in dims)

    def call(self, inputs: Any) -> Tensor:
        """Return the input with its axes in the new order."""
        self._check_rank(inputs._data.shape)
        return ops.transpose(inputs, (0, *self.dims))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the lengths of the input's axes in the new order."""
        self._check_rank(input_shape)
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))

    def _check_rank(self, shape: Shape) -> None:
        if len(shape) != len(self.dims) + 1:
            raise self._wrong_shape(
                f"{len(self.dims) + 1} axes, samples first, to fit dims {self.dims}", shape
            )


class RepeatVector(Layer):
    """Repeats each vector along a new second axis, as the steps of a sequence.

    Parameters
    ----------
    n
        How many times.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    TypeError
        If `n` is not a whole number.
    ValueError
        If `n` is not positive; at the call if the input has not two axes.

    Examples
    --------
    >>> RepeatVector(2)([[1.0, 3.0]]).numpy()
    array([[[1., 3.],
            [1., 3.]]], dtype=float32)
    """

    _takes_one = True

    _keeps_integers = True

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not is_whole(n):
            raise TypeError(f"RepeatVector: n must be a whole number, but is {n!r}.")
        if n < 1:
            raise ValueError(f"RepeatVector: n must be positive, but is {n}.")
        self.n = int(n)

    def call(self, inputs: Any) -> Tensor:
        """Return sequences of n equal steps, shape (samples, n, features)."""
        samples, _, features = self.compute_output_shape(inputs._data.shape)
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (samples, self.n, features))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (samples, n, features)."""
        if len(input_shape) != 2:
            raise self._wrong_shape("two axes, (samples, features)", input_shape)
        return (input_shape[0], self.n, input_shape[1])
