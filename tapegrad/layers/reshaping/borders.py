"""Adding and removing borders of sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Shape
from tapegrad.layers.spatial import SpatialLayer, is_whole

__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]

Sides = tuple[tuple[int, int], ...]


def _sides(layer: SpatialLayer, argument: str, value: Any) -> Sides:
    """Return (before, after) for each spatial axis.

    One number is for all sides; for sequences a pair is (before, after); otherwise there is an
    entry an axis: a number for both sides, or a pair.
    """
    rank = layer.rank
    entries = (value,) * rank if is_whole(value) else (value,) if rank == 1 else value
    sides: list[tuple[int, int]] = []
    if isinstance(entries, list | tuple) and len(entries) == rank:
        for entry in entries:
            pair = (entry, entry) if is_whole(entry) else entry
            if (
                isinstance(pair, list | tuple)
                and len(pair) == 2
                and all(is_whole(number) and number >= 0 for number in pair)
            ):
                sides.append((int(pair[0]), int(pair[1])))
    if len(sides) != rank:
        forms = "a pair (before, after)" if rank == 1 else f"{rank} numbers or {rank} pairs"
        raise ValueError(
            f"{type(layer).__name__}: {argument} must be a whole number of at least 0, or {forms} "
            f"of them, but is {value!r}."
        )
    return tuple(sides)


class _ZeroPadding(SpatialLayer):
    padding: Any
    _padding: Sides

    _keeps_integers = True

    def _compute(self, inputs: Any) -> Tensor:
        return ops.pad(inputs, ((0, 0), *self._padding, (0, 0)))

    def _output_length(self, length: int, axis: int) -> int:
        return length + sum(self._padding[axis])


class _Cropping(SpatialLayer):
    cropping: Any
    _cropping: Sides

    _keeps_integers = True

    def _check_input(self, shape: Shape) -> None:
        super()._check_input(shape)
        for length, (before, after) in zip(self._lengths(shape), self._cropping):
            if length is not None and length <= before + after:
                raise self._wrong_shape(
                    f"more than the {before} + {after} elements along an axis that cropping "
                    f"{self.cropping} takes away",
                    shape,
                )

    def _compute(self, inputs: Any) -> Tensor:
        cuts = [
            slice(before, length - after)
            for length, (before, after) in zip(inputs.shape[1:], self._cropping)
        ]
        return inputs[(slice(None), *cuts)]

    def _output_length(self, length: int, axis: int) -> int:
        return length - sum(self._cropping[axis])


class ZeroPadding1D(_ZeroPadding):
    """Adds zeros at the ends of sequences.

    Parameters
    ----------
    padding
        How many: (before, after), or one number for both.
    data_format
        ``"channels_last"`` (the default): inputs (samples, length, channels); or
        ``"channels_first"``: (samples, channels, length).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not three axes.

    Examples
    --------
    >>> ZeroPadding1D((0, 2))([[[1.0]]]).numpy().ravel()
    array([1., 0., 0.], dtype=float32)
    """

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self._padding = _sides(self, "padding", padding)
        self.padding = self._padding[0]


class ZeroPadding2D(_ZeroPadding):
    """Adds a border of zeros to images.

    Parameters
    ----------
    padding
        One number for all sides, (rows, columns), or ((top, bottom), (left, right)).
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not four axes.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPadding2D(((1, 0), (2, 3)))(np.ones((4, 8, 8, 3))).shape
    (4, 9, 13, 3)
    """

    rank = 2

    def __init__(
        self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = self._padding = _sides(self, "padding", padding)


class ZeroPadding3D(_ZeroPadding):
    """Adds a border of zeros to volumes.

    Parameters
    ----------
    padding
        One number for all sides, one for each spatial axis, or a pair (before, after) for each.
    data_format
        ``"channels_last"`` (the default): inputs (samples, depth, height, width, channels); or
        ``"channels_first"``: (samples, channels, depth, height, width).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not five axes.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPadding3D((0, 1, 2))(np.ones((4, 6, 8, 8, 3))).shape
    (4, 6, 10, 12, 3)
    """

    rank = 3

    def __init__(
        self,
        padding: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = self._padding = _sides(self, "padding", padding)


class Cropping1D(_Cropping):
    """Removes steps at the ends of sequences.

    Parameters
    ----------
    cropping
        How many: (before, after), or one number for both.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For a `cropping` that is not as above; at the call if the input does not have the three axes
        (samples, length, channels), or nothing would be left.

    Examples
    --------
    >>> Cropping1D((1, 0))([[[1.0], [2.0], [3.0]]]).numpy().ravel()
    array([2., 3.], dtype=float32)
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._cropping = _sides(self, "cropping", cropping)
        self.cropping = self._cropping[0]


class Cropping2D(_Cropping):
    """Removes the borders of images.

    Parameters
    ----------
    cropping
        One number for all sides, (rows, columns), or ((top, bottom), (left, right)).
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not four axes, or nothing
        would be left.

    Examples
    --------
    >>> import numpy as np
    >>> Cropping2D(((2, 2), (4, 4)))(np.ones((2, 28, 28, 3))).shape
    (2, 24, 20, 3)
    """

    rank = 2

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = self._cropping = _sides(self, "cropping", cropping)


class Cropping3D(_Cropping):
    """Removes the borders of volumes.

    Parameters
    ----------
    cropping
        One number for all sides, one for each spatial axis, or a pair (before, after) for each.
    data_format
        ``"channels_last"`` (the default): inputs (samples, depth, height, width, channels); or
        ``"channels_first"``: (samples, channels, depth, height, width).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not five axes, or nothing
        would be left.

    Examples
    --------
    >>> import numpy as np
    >>> Cropping3D((0, 1, 2))(np.ones((4, 6, 8, 8, 3))).shape
    (4, 6, 6, 4, 3)
    """

    rank = 3

    def __init__(
        self,
        cropping: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = self._cropping = _sides(self, "cropping", cropping)
