"""The mean of each channel of whole inputs."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.layers.pooling.base import GlobalPoolingLayer
from tapegrad.utils.tensors import as_real_tensor

__all__ = ["GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"]


class GlobalAveragePooling1D(GlobalPoolingLayer):
    """The mean of each channel over the sequence.

    Steps that a mask excludes are not counted; the mask ends here. Where it excludes every step,
    the mean of nothing is NaN, as in Keras, and NumPy warns of it.

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
    >>> GlobalAveragePooling1D()(np.ones((4, 10, 3))).shape
    (4, 3)
    >>> GlobalAveragePooling1D(keepdims=True)(np.ones((4, 10, 3))).shape
    (4, 1, 3)
    """

    rank = 1
    _reduce = staticmethod(ops.mean)

    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        """Return the mean of the steps of each channel.

        Parameters
        ----------
        inputs
            Shape (samples, length, channels), or with channels first (samples, channels, length).
        mask
            Shape (samples, length): True for the steps that count.
        """
        if mask is None:
            return super().call(inputs)
        self._check_input(inputs._data.shape)
        inputs = as_real_tensor(inputs, self._dtype)
        (axis,) = self._spatial_axes
        counted = ops.astype(ops.expand_dims(mask, 3 - axis), bool)
        total = ops.sum(ops.where(counted, inputs, 0.0), axis=axis, keepdims=self.keepdims)
        weights = ops.astype(counted, inputs.dtype)
        return total / ops.sum(weights, axis=axis, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Return None: the output has no steps."""


class GlobalAveragePooling2D(GlobalPoolingLayer):
    """The mean of each channel over the image.

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
    >>> GlobalAveragePooling2D()(np.ones((4, 8, 8, 3))).shape
    (4, 3)
    >>> GlobalAveragePooling2D(keepdims=True)(np.ones((4, 8, 8, 3))).shape
    (4, 1, 1, 3)
    """

    rank = 2
    _reduce = staticmethod(ops.mean)


class GlobalAveragePooling3D(GlobalPoolingLayer):
    """The mean of each channel over the volume.

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
    >>> GlobalAveragePooling3D()(np.ones((4, 6, 8, 8, 3))).shape
    (4, 3)
    >>> GlobalAveragePooling3D(keepdims=True)(np.ones((4, 6, 8, 8, 3))).shape
    (4, 1, 1, 1, 3)
    """

    rank = 3
    _reduce = staticmethod(ops.mean)
