"""Enlarging sequences, images and volumes by whole factors."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.reshaping.interpolation import KERNELS, interpolate
from tapegrad.layers.spatial import SpatialLayer, is_whole, over_planes, whole_numbers
from tapegrad.utils.lookup import look_up
from tapegrad.utils.tensors import as_real_tensor, through_reals

__all__ = ["UpSampling1D", "UpSampling2D", "UpSampling3D"]


class _UpSampling(SpatialLayer):
    size: Any

    def _factor(self, axis: int) -> int:
        return self.size if self.rank == 1 else self.size[axis]

    def _output_length(self, length: int, axis: int) -> int:
        return length * self._factor(axis)


class UpSampling1D(_UpSampling):
    """Repeats each step of sequences.

    Parameters
    ----------
    size
        How many times.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    TypeError
        If `size` is not a whole number.
    ValueError
        If `size` is not positive; at the call if the input does not have the three axes
        (samples, length, channels).

    Examples
    --------
    >>> UpSampling1D(2)([[[1.0], [2.0]]]).numpy().ravel()
    array([1., 1., 2., 2.], dtype=float32)
    """

    rank = 1

    _keeps_integers = True

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not is_whole(size):
            raise TypeError(f"UpSampling1D: size must be a whole number, but is {size!r}.")
        (self.size,) = whole_numbers("UpSampling1D", "size", size, 1)

    def _compute(self, inputs: Any) -> Tensor:
        return through_reals(lambda x: ops.upsample1d(x, self.size), inputs)


class UpSampling2D(_UpSampling):
    """Enlarges images by whole factors.

    Parameters
    ----------
    size
        The factors for height and width, or one number for both.
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    interpolation
        ``"nearest"`` repeats pixels; ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` and
        ``"lanczos5"`` interpolate between their centers, from 2, 4, 6 and 10 pixels along each
        axis. (Bicubic is Keys's kernel with a = -1/2, as in TensorFlow and JAX; PyTorch's has
        a = -3/4.)
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not four axes.

    Examples
    --------
    >>> import numpy as np
    >>> UpSampling2D((2, 3))(np.ones((4, 8, 8, 3))).shape
    (4, 16, 24, 3)
    >>> UpSampling2D((1, 2), interpolation="bilinear")([[[[0.0], [4.0]]]]).numpy().ravel()
    array([0., 1., 3., 4.], dtype=float32)
    """

    rank = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.size = whole_numbers("UpSampling2D", "size", size, 2)
        known = {name: name for name in ("nearest", "bilinear", *KERNELS)}
        self.interpolation = look_up(interpolation, known, "interpolation of UpSampling2D")
        self._keeps_integers = self.interpolation == "nearest"

    def _compute(self, inputs: Any) -> Tensor:
        if self.interpolation == "nearest":
            return through_reals(lambda x: ops.upsample2d(x, self.size, "nearest"), inputs)
        inputs = as_real_tensor(inputs, self._dtype)
        if self.interpolation in KERNELS:
            return interpolate(inputs, self.size, self.interpolation)
        return ops.upsample2d(inputs, self.size, self.interpolation)


class UpSampling3D(_UpSampling):
    """Enlarges volumes by repeating their elements.

    Parameters
    ----------
    size
        The factors for depth, height and width, or one number for all.
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
    >>> UpSampling3D((1, 2, 3))(np.ones((4, 6, 8, 8, 3))).shape
    (4, 6, 16, 24, 3)
    """

    rank = 3

    _keeps_integers = True

    def __init__(
        self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.size = whole_numbers("UpSampling3D", "size", size, 3)

    def _compute(self, inputs: Any) -> Tensor:
        return through_reals(self._enlarge, inputs)

    def _enlarge(self, volumes: Any) -> Tensor:
        depth, *plane = self.size
        return over_planes(
            volumes,
            lambda images: ops.upsample2d(images, plane),
            lambda images: ops.upsample2d(images, (depth, 1)),
        )
