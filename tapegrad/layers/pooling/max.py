"""The largest elements of windows."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.pooling.base import PoolingLayer
from tapegrad.utils.tensors import through_reals

__all__ = ["MaxPooling1D", "MaxPooling2D", "MaxPooling3D"]


class _MaxPooling(PoolingLayer):
    _keeps_integers = True

    def _compute(self, inputs: Any) -> Tensor:
        return through_reals(self._pool, inputs)


class MaxPooling1D(_MaxPooling):
    """The largest element under each window of sequences, channel by channel.

    Parameters
    ----------
    pool_size
        The window's length; 2 by default.
    strides
        The steps between windows; `pool_size` if None.
    padding
        ``"valid"`` for whole windows only, or ``"same"`` for ``ceil(length / strides)`` windows,
        which may reach beyond the input: what lies there is never the largest.
    data_format
        ``"channels_last"`` (the default): inputs (samples, length, channels); or
        ``"channels_first"``: (samples, channels, length).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not three axes or, without
        padding, is shorter than a window.

    Examples
    --------
    >>> MaxPooling1D(2)([[[1.0], [3.0], [5.0], [4.0]]]).numpy().ravel()
    array([3., 5.], dtype=float32)
    """

    rank = 1
    _pool_row = staticmethod(ops.max_pool1d)
    _pool_plane = staticmethod(ops.max_pool2d)


class MaxPooling2D(_MaxPooling):
    """The largest element under each window of images, channel by channel.

    Parameters
    ----------
    pool_size
        The window's height and width, or one number for both; 2 by default.
    strides
        The steps between windows; `pool_size` if None.
    padding
        ``"valid"`` for whole windows only, or ``"same"`` for ``ceil(length / strides)`` windows,
        which may reach beyond the input: what lies there is never the largest.
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not four axes or, without
        padding, is smaller than a window.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPooling2D()(np.ones((4, 28, 28, 3))).shape
    (4, 14, 14, 3)
    """

    rank = 2
    _pool_row = staticmethod(ops.max_pool1d)
    _pool_plane = staticmethod(ops.max_pool2d)


class MaxPooling3D(_MaxPooling):
    """The largest element under each window of volumes, channel by channel.

    Parameters
    ----------
    pool_size
        The window's depth, height and width, or one number for all; 2 by
        default.
    strides
        The steps between windows; `pool_size` if None.
    padding
        ``"valid"`` for whole windows only, or ``"same"`` for ``ceil(length / strides)`` windows,
        which may reach beyond the input: what lies there is never the largest.
    data_format
        ``"channels_last"`` (the default): inputs (samples, depth, height, width, channels); or
        ``"channels_first"``: (samples, channels, depth, height, width).
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not five axes or, without
        padding, is smaller than a window.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPooling3D()(np.ones((4, 8, 10, 10, 3))).shape
    (4, 4, 5, 5, 3)
    """

    rank = 3
    _pool_row = staticmethod(ops.max_pool1d)
    _pool_plane = staticmethod(ops.max_pool2d)
