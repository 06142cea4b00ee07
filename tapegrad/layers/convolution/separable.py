"""Convolutions in two parts: each channel by itself, then all channels at each place."""

from __future__ import annotations

from typing import Any

from tapegrad import constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Shape
from tapegrad.layers.convolution.base import ConvolutionLayer

__all__ = ["SeparableConv1D", "SeparableConv2D"]


class _SeparableConvolution(ConvolutionLayer):
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
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
        self.filters = self._positive("filters", filters)
        self.depth_multiplier = self._positive("depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.pointwise_constraint = constraints.get(pointwise_constraint)
        self.depthwise_kernel: Variable | None = None
        self.pointwise_kernel: Variable | None = None

    def _build_kernels(self, input_shape: Shape, channels: int) -> None:
        self.depthwise_kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
            name="depthwise_kernel",
        )
        self.pointwise_kernel = self.add_weight(
            (*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
            name="pointwise_kernel",
        )

    def _output_channels(self, channels: int | None) -> int:
        return self.filters

    def _convolve(self, inputs: Any, bias: Any, activation: str | None) -> Tensor:
        assert self.depthwise_kernel is not None
        assert self.pointwise_kernel is not None
        return (ops.separable_conv1d if self.rank == 1 else ops.separable_conv2d)(
            inputs,
            self.depthwise_kernel.value,
            self.pointwise_kernel.value,
            bias,
            self._per_axis(self.strides),
            self.padding,
            self._per_axis(self.dilation_rate),
            activation,
        )


class SeparableConv1D(_SeparableConvolution):
    """Filters each channel of sequences, then mixes the channels at each step.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size
        The length of the windows in which channels are filtered.
    strides
        The steps between windows.
    padding
        ``"valid"`` for none, or ``"same"`` for zeros on both sides so that
        ``ceil(length / strides)`` windows fit.
    data_format
        ``"channels_last"`` (the default): inputs (samples, length, channels); or
        ``"channels_first"``: (samples, channels, length).
    dilation_rate
        The steps between the elements of a window.
    depth_multiplier
        The number of filters for each channel.
    activation
        A name such as ``"relu"``, a callable, or None.
    use_bias
        Whether to add a bias.
    depthwise_initializer, pointwise_initializer, bias_initializer
        The first values of the weights.
    depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer
        Penalties on the weights and on the output, added to the loss.
    depthwise_constraint, pointwise_constraint, bias_constraint
        What the weights are projected to after each update.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``input_shape``, as for every layer.

    Attributes
    ----------
    depthwise_kernel
        Shape (kernel_size, channels, depth_multiplier).
    pointwise_kernel
        Shape (1, channels * depth_multiplier, filters).
    bias
        Shape (filters,), or None.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not three axes, is shorter
        than a window without padding, or its channels are not those of the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> SeparableConv1D(4, 3, depth_multiplier=2)(np.ones((4, 10, 12))).shape
    (4, 8, 4)
    """

    rank = 1


class SeparableConv2D(_SeparableConvolution):
    """Filters each channel of images, then mixes the channels at each pixel.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size
        The height and width of the windows in which channels are filtered, or one number for both.
    strides
        The steps between windows: (rows, columns), or one number for both.
    padding
        ``"valid"`` for none, or ``"same"`` for zeros on all sides so that ``ceil(size / strides)``
        windows fit.
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    dilation_rate
        The steps between the elements of a window.
    depth_multiplier
        The number of filters for each channel.
    activation
        A name such as ``"relu"``, a callable, or None.
    use_bias
        Whether to add a bias.
    depthwise_initializer, pointwise_initializer, bias_initializer
        The first values of the weights.
    depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer
        Penalties on the weights and on the output, added to the loss.
    depthwise_constraint, pointwise_constraint, bias_constraint
        What the weights are projected to after each update.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``input_shape``, as for every layer.

    Attributes
    ----------
    depthwise_kernel
        Shape (height, width, channels, depth_multiplier).
    pointwise_kernel
        Shape (1, 1, channels * depth_multiplier, filters).
    bias
        Shape (filters,), or None.

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
    >>> layer = SeparableConv2D(4, 3, 2)
    >>> layer(np.ones((4, 10, 10, 12))).shape
    (4, 4, 4, 4)
    >>> [weight.shape for weight in layer.weights]
    [(3, 3, 12, 1), (1, 1, 12, 4), (4,)]
    """

    rank = 2
