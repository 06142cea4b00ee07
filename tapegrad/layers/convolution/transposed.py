"""Transposed convolutions of sequences and images."""

from __future__ import annotations

from typing import Any, ClassVar

from tapegrad import activations, constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Shape
from tapegrad.layers.convolution.base import ConvolutionLayer
from tapegrad.layers.spatial import whole_numbers

__all__ = ["Conv1DTranspose", "Conv2DTranspose"]


class _TransposedConvolution(ConvolutionLayer):
    _strides_with_dilation = False
    _fused: ClassVar[dict[Any, str | None]] = {activations.linear: None}

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
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
        self.output_padding = self._checked_output_padding(output_padding)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.kernel: Variable | None = None

    def _checked_output_padding(self, output_padding: Any) -> tuple[int, ...] | None:
        if output_padding is None:
            return None
        layer = type(self).__name__
        numbers = whole_numbers(layer, "output_padding", output_padding, self.rank, minimum=0)
        if any(number >= stride for number, stride in zip(numbers, self.strides)):
            raise ValueError(
                f"{layer}: output_padding {numbers} must be less than strides {self.strides} along "
                "each axis."
            )
        return numbers

    def _build_kernels(self, input_shape: Shape, channels: int) -> None:
        self.kernel = self.add_weight(
            (*self.kernel_size, self.filters, channels),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )

    def _least_length(self, axis: int) -> int:
        return 0  # a window is spread over the output and always fits

    def _output_length(self, length: int, axis: int) -> int:
        stride = self.strides[axis]
        span = self._span(axis)
        if self.output_padding is None:
            return length * stride + (max(span - stride, 0) if self.padding == "valid" else 0)
        cut = 2 * (span // 2) if self.padding == "same" else 0
        return (length - 1) * stride + span - cut + self.output_padding[axis]

    def _output_channels(self, channels: int | None) -> int:
        return self.filters

    def _convolve(self, inputs: Any, bias: Any, activation: str | None) -> Tensor:
        assert self.kernel is not None
        return (ops.conv1d_transpose if self.rank == 1 else ops.conv2d_transpose)(
            inputs,
            self.kernel.value,
            bias,
            self._per_axis(self.strides),
            self.padding,
            self._per_axis(self.dilation_rate),
            None if self.output_padding is None else self._per_axis(self.output_padding),
        )


class Conv1DTranspose(_TransposedConvolution):
    """A transposed convolution of sequences: each step is spread over a window of the output.

    It is the gradient of `Conv1D` by its input, and goes from the shape of that layer's output to
    the shape of its input.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size
        The window's length.
    strides
        The steps between windows, by which the length grows.
    padding
        ``"valid"`` for what the windows cover, or ``"same"`` for ``length * strides``.
    output_padding
        Steps added at the end, less than `strides`; by default as `padding` says.
    data_format
        ``"channels_last"`` (the default): inputs (samples, length, channels); or
        ``"channels_first"``: (samples, channels, length).
    dilation_rate
        The steps between the elements of a window; not together with strides.
    activation
        A name such as ``"relu"``, a callable, or None.
    use_bias
        Whether to add a bias.
    kernel_initializer, bias_initializer
        The first values of the weights.
    kernel_regularizer, bias_regularizer, activity_regularizer
        Penalties on the weights and on the output, added to the loss.
    kernel_constraint, bias_constraint
        What the weights are projected to after each update.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``input_shape``, as for every layer.

    Attributes
    ----------
    kernel
        Shape (kernel_size, filters, channels).
    bias
        Shape (filters,), or None.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not three axes or its
        channels are not those of the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> Conv1DTranspose(32, 3, 2, activation="relu")(np.ones((4, 10, 128))).shape
    (4, 21, 32)
    """

    rank = 1


class Conv2DTranspose(_TransposedConvolution):
    """A transposed convolution of images: each pixel is spread over a window of the output.

    It is the gradient of `Conv2D` by its input, and goes from the shape of that layer's output to
    the shape of its input.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size
        The window's height and width, or one number for both.
    strides
        The steps between windows, by which height and width grow.
    padding
        ``"valid"`` for what the windows cover, or ``"same"`` for ``size * strides``.
    output_padding
        Rows and columns added at the end, less than `strides`; by default as `padding` says.
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    dilation_rate
        The steps between the elements of a window; not together with strides.
    activation
        A name such as ``"relu"``, a callable, or None.
    use_bias
        Whether to add a bias.
    kernel_initializer, bias_initializer
        The first values of the weights.
    kernel_regularizer, bias_regularizer, activity_regularizer
        Penalties on the weights and on the output, added to the loss.
    kernel_constraint, bias_constraint
        What the weights are projected to after each update.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``input_shape``, as for every layer.

    Attributes
    ----------
    kernel
        Shape (height, width, filters, channels).
    bias
        Shape (filters,), or None.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not four axes or its
        channels are not those of the kernel.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Examples
    --------
    >>> import numpy as np
    >>> Conv2DTranspose(32, 2, 2, activation="relu")(np.ones((4, 10, 8, 128))).shape
    (4, 20, 16, 32)
    """

    rank = 2
