"""Pooling to an output of given size, whatever the input's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Shape
from tapegrad.layers.spatial import SpatialLayer, whole_numbers
from tapegrad.utils.tensors import as_real_tensor

__all__ = [
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
]


class _AdaptivePooling(SpatialLayer):
    """Base of adaptive pooling layers.

    Element i along an axis is taken from a window that begins at ``floor(i * length / size)`` and
    ends before ``ceil((i + 1) * length / size)``.
    """

    _reduce: ClassVar[Callable[..., Tensor]]

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.output_size = whole_numbers(type(self).__name__, "output_size", output_size, self.rank)

    def _compute(self, inputs: Any) -> Tensor:
        if not self._keeps_integers:
            inputs = as_real_tensor(inputs, self._dtype)
        # Windows are boxes, so the axes can be reduced one after the other.
        for axis, size in enumerate(self.output_size, start=1):
            inputs = self._pool_axis(inputs, axis, size)
        return inputs

    def _pool_axis(self, x: Any, axis: int, size: int) -> Tensor:
        before, length, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
        lead, rest = math.prod(before), math.prod(after)
        if length % size == 0:
            parts = ops.reshape(x, (lead, size, length // size, rest))
            y = self._reduce(parts, axis=2)
        else:
            rows = ops.reshape(x, (lead, length, rest))
            ends = [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
            y = ops.stack([self._reduce(rows[:, i:j], axis=1) for i, j in ends], axis=1)
        return ops.reshape(y, (*before, size, *after))

    def _check_input(self, shape: Shape) -> None:
        super()._check_input(shape)
        if 0 in self._lengths(shape):
            raise self._wrong_shape("spatial axes that are not empty", shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output, of which the spatial axes are always known."""
        self._check_input(input_shape)
        if self.data_format == "channels_last":
            return (input_shape[0], *self.output_size, input_shape[-1])
        return (*input_shape[:2], *self.output_size)


class AdaptiveAveragePooling1D(_AdaptivePooling):
    """The means of windows of sequences, as many as the output has elements.

    The windows cover the input; they overlap where its size is no multiple of the output's. Each
    channel is pooled by itself.

    Parameters
    ----------
    output_size
        The length of the output.
    data_format
        ``"channels_last"`` (the default): inputs (samples, length, channels); or
        ``"channels_first"``: (samples, channels, length).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not three axes or one of
        its spatial axes is empty.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAveragePooling1D(4)(np.ones((4, 10, 3))).shape
    (4, 4, 3)
    """

    rank = 1
    _reduce = staticmethod(ops.mean)


class AdaptiveAveragePooling2D(_AdaptivePooling):
    """The means of windows of images, as many as the output has elements.

    The windows cover the input; they overlap where its size is no multiple of the output's. Each
    channel is pooled by itself.

    Parameters
    ----------
    output_size
        The height and width of the output, or one number for both.
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not four axes or one of
        its spatial axes is empty.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAveragePooling2D((4, 3))(np.ones((4, 10, 7, 3))).shape
    (4, 4, 3, 3)
    """

    rank = 2
    _reduce = staticmethod(ops.mean)


class AdaptiveAveragePooling3D(_AdaptivePooling):
    """The means of windows of volumes, as many as the output has elements.

    The windows cover the input; they overlap where its size is no multiple of the output's. Each
    channel is pooled by itself.

    Parameters
    ----------
    output_size
        The depth, height and width of the output, or one number for all.
    data_format
        ``"channels_last"`` (the default): inputs (samples, depth, height, width, channels); or
        ``"channels_first"``: (samples, channels, depth, height, width).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not five axes or one of
        its spatial axes is empty.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAveragePooling3D((2, 4, 3))(np.ones((4, 6, 10, 7, 3))).shape
    (4, 2, 4, 3, 3)
    """

    rank = 3
    _reduce = staticmethod(ops.mean)


class AdaptiveMaxPooling1D(_AdaptivePooling):
    """The largest elements of windows of sequences, as many as the output has elements.

    The windows cover the input; they overlap where its size is no multiple of the output's. Each
    channel is pooled by itself.

    Parameters
    ----------
    output_size
        The length of the output.
    data_format
        ``"channels_last"`` (the default): inputs (samples, length, channels); or
        ``"channels_first"``: (samples, channels, length).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not three axes or one of
        its spatial axes is empty.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPooling1D(4)(np.ones((4, 10, 3))).shape
    (4, 4, 3)
    """

    rank = 1
    _reduce = staticmethod(ops.max)
    _keeps_integers = True


class AdaptiveMaxPooling2D(_AdaptivePooling):
    """The largest elements of windows of images, as many as the output has elements.

    The windows cover the input; they overlap where its size is no multiple of the output's. Each
    channel is pooled by itself.

    Parameters
    ----------
    output_size
        The height and width of the output, or one number for both.
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not four axes or one of
        its spatial axes is empty.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPooling2D((4, 3))(np.ones((4, 10, 7, 3))).shape
    (4, 4, 3, 3)
    """

    rank = 2
    _reduce = staticmethod(ops.max)
    _keeps_integers = True


class AdaptiveMaxPooling3D(_AdaptivePooling):
    """The largest elements of windows of volumes, as many as the output has elements.

    The windows cover the input; they overlap where its size is no multiple of the output's. Each
    channel is pooled by itself.

    Parameters
    ----------
    output_size
        The depth, height and width of the output, or one number for all.
    data_format
        ``"channels_last"`` (the default): inputs (samples, depth, height, width, channels); or
        ``"channels_first"``: (samples, channels, depth, height, width).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not five axes or one of
        its spatial axes is empty.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPooling3D((2, 4, 3))(np.ones((4, 6, 10, 7, 3))).shape
    (4, 2, 4, 3, 3)
    """

    rank = 3
    _reduce = staticmethod(ops.max)
    _keeps_integers = True
