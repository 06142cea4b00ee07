"""What layers over sequences, images and volumes share: the data format and its shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.utils.lookup import look_up

__all__ = [
    "SpatialLayer",
    "data_format_of",
    "is_whole",
    "over_planes",
    "padding_of",
    "whole_numbers",
]

_AXES = {1: "length", 2: "height, width", 3: "depth, height, width"}


class SpatialLayer(Layer):
    """Base of layers over sequences (rank 1), images (rank 2) and volumes (rank 3).

    A subclass computes channels last, in `_compute`; inputs with channels first are transposed
    around it, as views. It says what becomes of each spatial length (`_output_length`) and of the
    number of channels (`_output_channels`), and refuses inputs in `_check_input`.

    Parameters
    ----------
    data_format
        ``"channels_last"`` (also for None), or ``"channels_first"``: whether the channels are the
        last axis or the second one.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.
    """

    rank: ClassVar[int]
    """The number of spatial axes."""

    _takes_one = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(type(self).__name__, data_format)

    def call(self, inputs: Any) -> Tensor:
        """Return the output for `inputs`, in the layer's data format."""
        self._check_input(inputs._data.shape)
        if self.data_format == "channels_last":
            return self._compute(inputs)
        return ops.moveaxis(self._compute(ops.moveaxis(inputs, 1, -1)), -1, 1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape for an input's; unknown lengths stay None.

        Raises
        ------
        ValueError
            If the layer does not take such inputs.
        """
        self._check_input(input_shape)
        lengths = [
            None if length is None else self._output_length(length, axis)
            for axis, length in enumerate(self._lengths(input_shape))
        ]
        channels = self._output_channels(self._channels(input_shape))
        if self.data_format == "channels_last":
            return (input_shape[0], *lengths, channels)
        return (input_shape[0], channels, *lengths)

    # ---- what subclasses write -------------------------------------------------------

    def _compute(self, inputs: Any) -> Tensor:
        """Return the output for inputs with channels last."""
        raise NotImplementedError

    def _output_length(self, length: int, axis: int) -> int:
        """Return what becomes of a length along a spatial axis."""
        return length

    def _output_channels(self, channels: int | None) -> int | None:
        """Return the number of channels of the output."""
        return channels

    def _check_input(self, shape: Shape) -> None:
        """Raise ValueError for the shape of an input that the layer does not take."""
        if len(shape) != self.rank + 2:
            raise self._wrong_shape(f"{self.rank + 2} axes, {self._axes()}", shape)

    # ---- shapes ----------------------------------------------------------------------

    def _lengths(self, shape: Shape) -> Shape:
        """Return the lengths of the spatial axes."""
        return shape[1:-1] if self.data_format == "channels_last" else shape[2:]

    def _channels(self, shape: Shape) -> int | None:
        """Return the number of channels."""
        return shape[-1] if self.data_format == "channels_last" else shape[1]

    def _axes(self) -> str:
        """Return the names of the input's axes."""
        if self.data_format == "channels_last":
            return f"(samples, {_AXES[self.rank]}, channels)"
        return f"(samples, channels, {_AXES[self.rank]})"


# ---- arguments ---------------------------------------------------------------------------


def data_format_of(layer: str, data_format: str | None) -> str:
    """Return a data format's name; None means channels last.

    Parameters
    ----------
    layer
        Whose argument it is, for the error.
    data_format
        What was given.

    Raises
    ------
    ValueError
        If it is none of the two.

    Examples
    --------
    >>> data_format_of("Conv2D", None)
    'channels_last'
    """
    return _one_of(layer, "data_format", data_format or "channels_last", _DATA_FORMATS)


_DATA_FORMATS = ("channels_last", "channels_first")


def padding_of(layer: str, padding: str, causal: bool = False) -> str:
    """Return the name of a way of padding, in lower case.

    Parameters
    ----------
    layer
        Whose argument it is, for the error.
    padding
        What was given.
    causal
        Whether the layer also has ``"causal"``.

    Raises
    ------
    ValueError
        If it is none of the ways; the nearest one is suggested.

    Examples
    --------
    >>> padding_of("Conv2D", "SAME")
    'same'
    """
    return _one_of(layer, "padding", padding, ("valid", "same", "causal")[: 2 + causal])


def _one_of(layer: str, argument: str, given: Any, known: Sequence[str]) -> str:
    """Return the known name that was given, in any case."""
    if not isinstance(given, str):
        listing = " or ".join(f'"{name}"' for name in known)
        raise ValueError(f"{layer}: {argument} must be {listing}, but is {given!r}.")
    return look_up(given, {name: name for name in known}, f"{argument} of {layer}")


def whole_numbers(
    layer: str, argument: str, value: Any, count: int, minimum: int = 1
) -> tuple[int, ...]:
    """Return an argument such as ``strides`` as one number an axis.

    Parameters
    ----------
    layer, argument
        Whose argument it is and its name, for the error.
    value
        One number for all axes, or `count` of them.
    count
        The number of axes.
    minimum
        The smallest number allowed.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> whole_numbers("Conv2D", "strides", 2, 2)
    (2, 2)
    """
    numbers = (value,) * count if is_whole(value) else value
    if (
        not isinstance(numbers, list | tuple)
        or len(numbers) != count
        or any(not is_whole(number) or number < minimum for number in numbers)
    ):
        many = "" if count == 1 else f", or {count} of them"
        raise ValueError(
            f"{layer}: {argument} must be a whole number of at least {minimum}{many}, "
            f"but is {value!r}."
        )
    return tuple(int(number) for number in numbers)


def is_whole(value: Any) -> bool:
    """Return whether a value is an integer, of Python or NumPy, and not a bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


# ---- volumes -----------------------------------------------------------------------------


def over_planes(
    volumes: Any, within: Callable[[Any], Tensor], along_depth: Callable[[Any], Tensor]
) -> Tensor:
    """Apply to volumes what is a product of an operation on planes and one along the depth.

    Windows are boxes, so their largest elements, means and copies can be taken first in each plane
    and then over planes: what operations on images do.

    Parameters
    ----------
    volumes
        Shape (samples, depth, height, width, channels).
    within
        Of images (samples * depth, height, width, channels).
    along_depth
        Of images (samples, depth, places of a plane, channels), of which it leaves the width.

    Examples
    --------
    >>> volumes = np.arange(8.0).reshape(1, 2, 2, 2, 1)
    >>> y = over_planes(
    ...     volumes, lambda x: ops.max_pool2d(x, 2), lambda x: ops.max_pool2d(x, (2, 1))
    ... )
    >>> y.shape, y.numpy().item()
    ((1, 1, 1, 1, 1), 7.0)
    """
    samples, depth, *plane = volumes.shape
    images = within(ops.reshape(volumes, (samples * depth, *plane)))
    _, height, width, channels = images.shape
    columns = along_depth(ops.reshape(images, (samples, depth, height * width, channels)))
    return ops.reshape(columns, (samples, columns.shape[1], height, width, channels))
