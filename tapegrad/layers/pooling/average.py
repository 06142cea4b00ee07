"""The means of windows."""

from __future__ import annotations

from tapegrad import ops
from tapegrad.layers.pooling.base import PoolingLayer

__all__ = ["AveragePooling1D", "AveragePooling2D", "AveragePooling3D"]


class AveragePooling1D(PoolingLayer):
    """The mean of the elements under each window of sequences, channel by channel.

    Parameters
    ----------
    pool_size
        The window's length; 2 by default.
    strides
        The steps between windows; `pool_size` if None.
    padding
        ``"valid"`` for whole windows only, or ``"same"`` for ``ceil(length / strides)`` windows,
        which may reach beyond the input: what lies there is not counted.
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
    >>> AveragePooling1D(2)([[[1.0], [3.0], [5.0], [4.0]]]).numpy().ravel()
    array([2. , 4.5], dtype=float32)
    """

    rank = 1
    _pool_row = staticmethod(ops.avg_pool1d)
    _pool_plane = staticmethod(ops.avg_pool2d)


class AveragePooling2D(PoolingLayer):
    """The mean of the elements under each window of images, channel by channel.

    Parameters
    ----------
    pool_size
        The window's height and width, or one number for both; 2 by default.
    strides
        The steps between windows; `pool_size` if None.
    padding
        ``"valid"`` for whole windows only, or ``"same"`` for ``ceil(length / strides)`` windows,
        which may reach beyond the input: what lies there is not counted.
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
    >>> AveragePooling2D(3, strides=1, padding="same")(np.ones((4, 28, 28, 3))).shape
    (4, 28, 28, 3)
    """

    rank = 2
    _pool_row = staticmethod(ops.avg_pool1d)
    _pool_plane = staticmethod(ops.avg_pool2d)


class AveragePooling3D(PoolingLayer):
    """The mean of the elements under each window of volumes, channel by channel.

    Parameters
    ----------
    pool_size
        The window's depth, height and width, or one number for all; 2 by
        default.
    strides
        The steps between windows; `pool_size` if None.
    padding
        ``"valid"`` for whole windows only, or ``"same"`` for ``ceil(length / strides)`` windows,
        which may reach beyond the input: what lies there is not counted.
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
    >>> AveragePooling3D(3)(np.ones((4, 8, 10, 10, 3))).shape
    (4, 2, 3, 3, 3)
    """

    rank = 3
    _pool_row = staticmethod(ops.avg_pool1d)
    _pool_plane = staticmethod(ops.avg_pool2d)
