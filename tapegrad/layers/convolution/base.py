"""What all convolution layers share: windows, the bias and the activation."""

from __future__ import annotations

from typing import Any, ClassVar

from tapegrad import activations, constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Shape
from tapegrad.layers.spatial import SpatialLayer, is_whole, padding_of, whole_numbers

__all__ = ["ConvolutionLayer"]


class ConvolutionLayer(SpatialLayer):
    """Base of convolution layers.

    A subclass makes its kernels in `_build_kernels` and applies them in `_convolve`.

    Parameters
    ----------
    kernel_size
        The window's length along each spatial axis.
    strides
        The steps between windows.
    padding
        ``"valid"``, ``"same"`` or, where the layer has it, ``"causal"``.
    data_format
        ``"channels_last"`` (the default) or ``"channels_first"``.
    dilation_rate
        The steps between the elements of a window.
    activation
        A name such as ``"relu"``, a callable, or None.
    use_bias
        Whether to add a bias.
    bias_initializer, bias_regularizer, bias_constraint
        The bias's first values, penalty and projection.
    activity_regularizer
        A penalty on the output.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``input_shape``, as for every layer.
    """

    _causal = False
    """Whether there is a causal padding."""

    _strides_with_dilation = True
    """Whether strides and dilation may both exceed 1; Keras allows it to some families only."""

    _fused: ClassVar[dict[Any, str | None]] = {
        activations.linear: None,
        activations.relu: "relu",
        activations.tanh: "tanh",
    }
    """Activations that `_convolve` takes by name, to apply them while the result is at hand. Not
    sigmoid: its result must remember its logits for the loss."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        bias_initializer: Any = "zeros",
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, activity_regularizer=activity_regularizer, **kwargs)
        layer = type(self).__name__
        self.kernel_size = whole_numbers(layer, "kernel_size", kernel_size, self.rank)
        self.strides = whole_numbers(layer, "strides", strides, self.rank)
        self.dilation_rate = whole_numbers(layer, "dilation_rate", dilation_rate, self.rank)
        self.padding = padding_of(layer, padding, self._causal)
        if not self._strides_with_dilation and max(self.strides) > 1 < max(self.dilation_rate):
            raise ValueError(
                f"{layer}: strides {self.strides} and dilation_rate {self.dilation_rate} cannot "
                "both exceed 1; leave one of them at 1."
            )
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Variable | None = None
        self._input_channels: int | None = None

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape."""
        self._check_input(input_shape)
        channels = self._channels(input_shape)
        if channels is None:
            raise self._wrong_shape(f"a known number of channels, {self._axes()}", input_shape)
        self._build_kernels(input_shape, channels)
        if self.use_bias:
            self.bias = self.add_weight(
                self._bias_shape(channels),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self._input_channels = channels

    def call(self, inputs: Any) -> Tensor:
        """Return the activations, in the layer's data format."""
        self._check_input(inputs._data.shape)
        if inputs._data.dtype != self._dtype:  # whole numbers, which layers do not convert
            inputs = inputs.astype(self._dtype)
        bias = None if self.bias is None else self.bias.value
        fused = self.activation in self._fused
        activation = self._fused[self.activation] if fused else None
        if self.data_format == "channels_last":
            outputs = self._convolve(inputs, bias, activation)
        else:
            outputs = self._convolve(ops.moveaxis(inputs, 1, -1), bias, activation)
            outputs = ops.moveaxis(outputs, -1, 1)
        return outputs if fused else self.activation(outputs)

    def _bias_shape(self, channels: int) -> tuple[int]:
        """Return the shape of the bias: one number for each output channel."""
        filters = self._output_channels(channels)
        assert filters is not None
        return (filters,)

    def _build_kernels(self, input_shape: Shape, channels: int) -> None:
        """Make the kernels for inputs with so many channels."""
        raise NotImplementedError

    def _convolve(self, inputs: Any, bias: Any, activation: str | None) -> Tensor:
        """Return the convolution of inputs with channels last, with a bias, activated."""
        raise NotImplementedError

    def _check_input(self, shape: Shape) -> None:
        super()._check_input(shape)
        channels = self._channels(shape)
        if self._input_channels is not None and channels not in (None, self._input_channels):
            raise self._wrong_shape(
                f"{self._input_channels} channels, for which the weights were made, "
                f"in {self._axes()}",
                shape,
            )
        for axis, length in enumerate(self._lengths(shape)):
            if length is not None and length < self._least_length(axis):
                raise self._wrong_shape(
                    f"a spatial length of at least {self._least_length(axis)}, what the window of "
                    f'{self.kernel_size} covers; use a smaller kernel_size or padding="same"',
                    shape,
                )

    def _span(self, axis: int) -> int:
        """Return the length that a window covers."""
        return (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1

    def _least_length(self, axis: int) -> int:
        """Return the least length of the input along a spatial axis."""
        return self._span(axis) if self.padding == "valid" else 0

    def _output_length(self, length: int, axis: int) -> int:
        if self.padding == "valid":
            length -= self._span(axis) - 1
        return -(-length // self.strides[axis])

    def _per_axis(self, numbers: Any) -> Any:
        """Return numbers of all axes as operations take them: a plain one for sequences."""
        return numbers[0] if self.rank == 1 else numbers

    def _positive(self, argument: str, value: Any) -> int:
        """Return a positive whole number that was given."""
        if not is_whole(value) or value < 1:
            raise ValueError(
                f"{type(self).__name__}: {argument} must be a positive whole number, "
                f"but is {value!r}."
            )
        return int(value)
