"""The fully connected layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import activations, constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer, Shape

__all__ = ["Dense"]

# Activations that the matrix product's kernel applies while the result is in registers. Not
# sigmoid: its result must remember its logits for the loss.
FUSED_ACTIVATIONS = {activations.linear: None, activations.relu: "relu", activations.tanh: "tanh"}


class Dense(Layer):
    """A fully connected layer: ``activation(inputs @ kernel + bias)``.

    Parameters
    ----------
    units
        The number of outputs.
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
        ``name``, ``dtype``, ``trainable``, ``input_shape`` and ``input_dim``, as for every layer.

    Attributes
    ----------
    kernel
        Shape (inputs, units).
    bias
        Shape (units,), or None.

    Raises
    ------
    ValueError
        If `units` is not positive; at the call if the input's last axis is not that of the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dense(3, activation="relu")
    >>> layer(np.ones((2, 4), dtype=np.float32)).shape
    (2, 3)
    >>> layer.count_params()
    15
    """

    supports_masking = True
    _takes_one = True

    def __init__(
        self,
        units: int,
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
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if not isinstance(units, int | np.integer) or isinstance(units, bool) or units <= 0:
            raise ValueError(f"Dense: units must be a positive whole number, but is {units!r}.")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel: Variable | None = None
        self.bias: Variable | None = None
        self._features: int | None = None

    def build(self, input_shape: Shape) -> None:
        """Make kernel and bias for inputs of this shape."""
        if len(input_shape) < 2:
            raise self._wrong_shape("at least two axes, (samples, …, features)", input_shape)
        if input_shape[-1] is None:
            raise self._wrong_shape("a last axis of known length", input_shape)
        self._features = int(input_shape[-1])
        self.kernel = self.add_weight(
            (self._features, self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def call(self, inputs: Any) -> Tensor:
        """Return the activations, shape ``inputs.shape[:-1] + (units,)``."""
        shape = inputs._data.shape
        if len(shape) < 2 or shape[-1] != self._features:
            raise self._wrong_shape(
                f"(samples, …, {self._features}) to fit the kernel of shape "
                f"{(self._features, self.units)}",
                shape,
            )
        if inputs._data.dtype != self._dtype:  # whole numbers, which layers do not convert
            inputs = inputs.astype(self._dtype)
        assert self.kernel is not None
        bias = None if self.bias is None else self.bias.value
        activation = self.activation
        if activation in FUSED_ACTIVATIONS:
            fused = FUSED_ACTIVATIONS[activation]
            return ops.dense(inputs, self.kernel.value, bias, activation=fused)
        return activation(ops.dense(inputs, self.kernel.value, bias))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape for an input's."""
        return (*input_shape[:-1], self.units)
