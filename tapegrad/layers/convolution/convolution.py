"""Convolutions of sequences and images."""

from __future__ import annotations

from typing import Any

from tapegrad import constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Shape
from tapegrad.layers.convolution.base import ConvolutionLayer

__all__ = ["Conv1D", "Conv2D"]


class _Convolution(ConvolutionLayer):
    _strides_with_dilation = False

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
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
        self.groups = self._positive("groups", groups)
        if self.filters % self.groups:
            raise ValueError(
                f"{type(self).__name__}: filters must be a multiple of groups, but {self.filters} "
                f"filters do not divide into {self.groups} groups."
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.kernel: Variable | None = None

    def _build_kernels(self, input_shape: Shape, channels: int) -> None:
        if channels % self.groups:
            raise self._wrong_shape(
                f"a number of channels that divides into {self.groups} groups, {self._axes()}",
                input_shape,
            )
        self.kernel = self.add_weight(
            (*self.kernel_size, channels // self.groups, self.filters),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )

    def _output_channels(self, channels: int | None) -> int:
        return self.filters

    def _convolve(self, inputs: Any, bias: Any, activation: str | None) -> Tensor:
        assert self.kernel is not None
        return (ops.conv1d if self.rank == 1 else ops.conv2d)(
            inputs,
            self.kernel.value,
            bias,
            self._per_axis(self.strides),
            self.padding,
            self._per_axis(self.dilation_rate),
            self.groups,
            activation,
        )


class Conv1D(_Convolution):
    """A convolution of sequences with filters (a cross-correlation, as in all of deep learning).

    Output channel f at step t is ``activation(sum over k, c of inputs[t * stride + k * dilation, c]
    * kernel[k, c, f] + bias[f])``.

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size
        The window's length.
    strides
        The steps between windows.
    padding
        ``"valid"`` for none, ``"same"`` for zeros on both sides so that ``ceil(length / strides)``
        windows fit, ``"causal"`` for as many windows with all zeros in front, so that no output
        sees later inputs.
    data_format
        ``"channels_last"`` (the default): inputs (samples, length, channels); or
        ``"channels_first"``: (samples, channels, length).
    dilation_rate
        The steps between the elements of a window; not together with strides.
    groups
        Groups of channels that are convolved with filters of their own.
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
        Shape (kernel_size, channels / groups, filters).
    bias
        Shape (filters,), or None.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not three axes, is shorter
        than a window without padding, or its channels do not fit the groups or the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> Conv1D(32, 3, activation="relu")(np.ones((4, 10, 128))).shape
    (4, 8, 32)
    >>> Conv1D(32, 3, padding="causal")(np.ones((4, 10, 128))).shape
    (4, 10, 32)
    """

    rank = 1
    _causal = True


class Conv2D(_Convolution):
    """A convolution of images with filters (a cross-correlation, as in all of deep learning).

    Parameters
    ----------
    filters
        The number of output channels.
    kernel_size
        The window's height and width, or one number for both.
    strides
        The steps between windows: (rows, columns), or one number for both.
    padding
        ``"valid"`` for none, or ``"same"`` for zeros on all sides so that ``ceil(size / strides)``
        windows fit.
    data_format
        ``"channels_last"`` (the default): inputs (samples, height, width, channels); or
        ``"channels_first"``: (samples, channels, height, width).
    dilation_rate
        The steps between the elements of a window; not together with strides.
    groups
        Groups of channels that are convolved with filters of their own.
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
        Shape (height, width, channels / groups, filters).
    bias
        Shape (filters,), or None.

    Raises
    ------
    ValueError
        For arguments that are not as above; at the call if the input has not four axes, is smaller
        than a window without padding, or its channels do not fit the groups or the kernel.

    References
    ----------
    LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Conv2D(32, (3, 3), activation="relu")
    >>> layer(np.ones((4, 28, 28, 1))).shape
    (4, 26, 26, 32)
    >>> layer.count_params()
    320
    """

    rank = 2
