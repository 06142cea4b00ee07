"""Convolutions that filter each channel by itself."""

from __future__ import annotations

from typing import Any

from tapegrad import constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Shape
from tapegrad.layers.convolution.base import ConvolutionLayer

__all__ = ["DepthwiseConv1D", "DepthwiseConv2D"]


class _DepthwiseConvolution(ConvolutionLayer):
    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            activity_regularizer,
            bias_constraint,
            **kwargs,
        )
        self.depth_multiplier = self._positive("depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.kernel: Variable | None = None

    def _build_kernels(self, input_shape: Shape, channels: int) -> None:
        self.kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
            name="kernel",
        )

    def _output_channels(self, channels: int | None) -> int | None:
        return None if channels is None else channels * self.depth_multiplier

    def _convolve(self, inputs: Any, bias: Any, activation: str | None) -> Tensor:
        assert self.kernel is not None
        return (ops.depthwise_conv1d if self.rank == 1 else ops.depthwise_conv2d)(
            inputs,
            self.kernel.value,
            bias,
            self._per_axis(self.strides),
            self.padding,
            self._per_axis(self.dilation_rate),
            activation,
        )


class DepthwiseConv1D(_DepthwiseConvolution):
    """Filters each channel of sequences with filters of its own.

    Parameters
    ----------
    kernel_size
        The window's length.
    strides
        The steps between windows.
    padding
        ``"valid"`` for none, or ``"same"`` for zeros on both sides so that
        ``ceil(length / strides)`` windows fit.
    depth_multiplier
        The number of filters for each channel.
    data_format
        ``"channels_last"`` (the default): inputs (samples, length, channels); or
        ``"channels_first"``: (samples, channels, length).
    dilation_rate
        The steps between the elements of a window.
    activation
        A name such as ``"relu"``, a callable, or None.
    use_bias
        Whether to add a bias.
    depthwise_initializer, bias_initializer
        The first values of the weights.
    depthwise_regularizer, bias_regularizer, activity_regularizer
        Penalties on the weights and on the output, added to the loss.
    depthwise_constraint, bias_constraint
        What the weights are projected to after each update.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``input_shape``, as for every layer.

    Attributes
    ----------
    kernel
        Shape (kernel_size, channels, depth_multiplier).
    bias
        Shape (channels * depth_multiplier,), or None.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not three axes, is shorter
        than a window without padding, or its channels are not those of the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> DepthwiseConv1D(3, depth_multiplier=2)(np.ones((4, 10, 12))).shape
    (4, 8, 24)
    """

    rank = 1


class DepthwiseConv2D(_DepthwiseConvolution):
    """Filters each channel of images with filters of its own.

    Output channel ``c * depth_multiplier + m`` is input channel c filtered with its filter m.

    Parameters
    ----------
    kernel_size
        The window's height and width, or one number for both.
    strides
        The steps between windows: (rows, columns), or one number for both.
    padding
        ``"valid"`` for none, or ``"same"`` for zeros on all sides so that ``ceil(size / strides)``
        windows fit.
    depth_multiplier
        The number of filters for each channel.
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    dilation_rate
        The steps between the elements of a window.
    activation
        A name such as ``"relu"``, a callable, or None.
    use_bias
        Whether to add a bias.
    depthwise_initializer, bias_initializer
        The first values of the weights.
    depthwise_regularizer, bias_regularizer, activity_regularizer
        Penalties on the weights and on the output, added to the loss.
    depthwise_constraint, bias_constraint
        What the weights are projected to after each update.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``input_shape``, as for every layer.

    Attributes
    ----------
    kernel
        Shape (height, width, channels, depth_multiplier).
    bias
        Shape (channels * depth_multiplier,), or None.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not four axes, is smaller
        than a window without padding, or its channels are not those of the kernel.

    References
    ----------
    Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> DepthwiseConv2D(3, padding="same")(np.ones((4, 10, 10, 12))).shape
    (4, 10, 10, 12)
    """

    rank = 2
