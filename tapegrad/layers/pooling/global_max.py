"""The largest element of each channel of whole inputs."""

from __future__ import annotations

from tapegrad import ops
from tapegrad.layers.pooling.base import GlobalPoolingLayer

__all__ = ["GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"]


class GlobalMaxPooling1D(GlobalPoolingLayer):
    """The largest element of each channel over the sequence.

    Parameters
    ----------
    data_format
        ``"channels_last"`` (the default): inputs (samples, length, channels); or
        ``"channels_first"``: (samples, channels, length).
    keepdims
        Whether the spatial axes stay, with length 1.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        At the call if the input has not three axes or one of its spatial axes is empty.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPooling1D()(np.ones((4, 10, 3))).shape
    (4, 3)
    >>> GlobalMaxPooling1D(keepdims=True)(np.ones((4, 10, 3))).shape
    (4, 1, 3)
    """

    rank = 1
    _reduce = staticmethod(ops.max)
    _keeps_integers = True


class GlobalMaxPooling2D(GlobalPoolingLayer):
    """The largest element of each channel over the image.

    Parameters
    ----------
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    keepdims
        Whether the spatial axes stay, with length 1.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        At the call if the input has not four axes or one of its spatial axes is empty.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPooling2D()(np.ones((4, 8, 8, 3))).shape
    (4, 3)
    >>> GlobalMaxPooling2D(keepdims=True)(np.ones((4, 8, 8, 3))).shape
    (4, 1, 1, 3)
    """

    rank = 2
    _reduce = staticmethod(ops.max)
    _keeps_integers = True


class GlobalMaxPooling3D(GlobalPoolingLayer):
    """The largest element of each channel over the volume.

    Parameters
    ----------
    data_format
        ``"channels_last"`` (the default): inputs (samples, depth, height, width, channels); or
        ``"channels_first"``: (samples, channels, depth, height, width).
    keepdims
        Whether the spatial axes stay, with length 1.
    **kwargs
        ``name``, ``dtype`` and ``input_shape``, as for every layer.

    Raises
    ------
    ValueError
        At the call if the input has not five axes or one of its spatial axes is empty.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPooling3D()(np.ones((4, 6, 8, 8, 3))).shape
    (4, 3)
    >>> GlobalMaxPooling3D(keepdims=True)(np.ones((4, 6, 8, 8, 3))).shape
    (4, 1, 1, 1, 3)
    """

    rank = 3
    _reduce = staticmethod(ops.max)
    _keeps_integers = True
