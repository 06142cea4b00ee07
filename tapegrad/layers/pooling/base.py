"""What pooling layers share: windows, or whole inputs, of each channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Shape
from tapegrad.layers.spatial import SpatialLayer, over_planes, padding_of, whole_numbers
from tapegrad.utils.tensors import as_real_tensor

__all__ = ["GlobalPoolingLayer", "PoolingLayer"]


class PoolingLayer(SpatialLayer):
    """Base of layers that take one number from each window of each channel.

    Parameters
    ----------
    pool_size
        The window's length along each spatial axis.
    strides
        The steps between windows; `pool_size` if None.
    padding
        ``"valid"`` for whole windows only, or ``"same"`` for ``ceil(length / strides)`` windows,
        which may reach beyond the input.
    data_format
        ``"channels_last"`` (the default) or ``"channels_first"``.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.
    """

    _pool_row: ClassVar[Callable[..., Tensor]]
    """The operation on sequences."""

    _pool_plane: ClassVar[Callable[..., Tensor]]
    """The operation on images."""

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, name=name, **kwargs)
        layer = type(self).__name__
        self.pool_size = whole_numbers(layer, "pool_size", pool_size, self.rank)
        self.strides = (
            self.pool_size
            if strides is None
            else whole_numbers(layer, "strides", strides, self.rank)
        )
        self.padding = padding_of(layer, padding)

    def _compute(self, inputs: Any) -> Tensor:
        return self._pool(as_real_tensor(inputs, self._dtype))

    def _pool(self, inputs: Any) -> Tensor:
        """Return the output for real numbers."""
        size, strides, padding = self.pool_size, self.strides, self.padding
        if self.rank == 1:
            return self._pool_row(inputs, size[0], strides[0], padding)
        pool = self._pool_plane
        if self.rank == 2:
            return pool(inputs, size, strides, padding)
        return over_planes(
            inputs,
            lambda images: pool(images, size[1:], strides[1:], padding),
            lambda images: pool(images, (size[0], 1), (strides[0], 1), padding),
        )

    def _check_input(self, shape: Shape) -> None:
        super()._check_input(shape)
        if self.padding == "same":
            return
        for length, size in zip(self._lengths(shape), self.pool_size):
            if length is not None and length < size:
                raise self._wrong_shape(
                    f"a spatial length of at least {size}, what the window of {self.pool_size} "
                    'covers; use a smaller pool_size or padding="same"',
                    shape,
                )

    def _output_length(self, length: int, axis: int) -> int:
        if self.padding == "valid":
            length -= self.pool_size[axis] - 1
        return -(-length // self.strides[axis])


class GlobalPoolingLayer(SpatialLayer):
    """Base of layers that take one number from each channel.

    Parameters
    ----------
    data_format
        ``"channels_last"`` (the default) or ``"channels_first"``.
    keepdims
        Whether the spatial axes stay, with length 1.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.
    """

    _reduce: ClassVar[Callable[..., Tensor]]
    """The reduction along axes."""

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.keepdims = keepdims
        first = 1 if self.data_format == "channels_last" else 2
        self._spatial_axes = tuple(range(first, first + self.rank))

    def call(self, inputs: Any) -> Tensor:
        """Return one number for each sample and channel."""
        self._check_input(inputs._data.shape)
        if not self._keeps_integers:
            inputs = as_real_tensor(inputs, self._dtype)
        return self._reduce(inputs, axis=self._spatial_axes, keepdims=self.keepdims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (samples, channels), with spatial axes of length 1 if they are kept."""
        self._check_input(input_shape)
        samples, channels = input_shape[0], self._channels(input_shape)
        kept = (1,) * self.rank if self.keepdims else ()
        if self.data_format == "channels_last":
            return (samples, *kept, channels)
        return (samples, channels, *kept)

    def _check_input(self, shape: Shape) -> None:
        super()._check_input(shape)
        if 0 in self._lengths(shape):
            raise self._wrong_shape("spatial axes that are not empty", shape)
