"""Group normalization."""

from __future__ import annotations

from typing import Any

from tapegrad import constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.normalization.axes import known_length, positions
from tapegrad.utils.tensors import as_float_tensor

__all__ = ["GroupNormalization"]


class GroupNormalization(Layer):
    """Normalizes each sample over its positions and a group of channels (Wu and He, 2018).

    ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, the same in training and outside.

    Parameters
    ----------
    groups
        The number of groups, a divisor of the number of channels. 1 is layer normalization over all
        axes of a sample; -1 stands for as many groups as channels, which is instance normalization.
    axis
        The axis of the channels.
    epsilon
        Added to the variance.
    center, scale
        Whether to add `beta`, and to multiply by `gamma`.
    beta_initializer, gamma_initializer
        The first values of the weights.
    beta_regularizer, gamma_regularizer
        Penalties on the weights, added to the loss.
    beta_constraint, gamma_constraint
        What the weights are projected to after each update.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``input_shape``, as for every layer.

    Attributes
    ----------
    gamma, beta
        Shape (channels,), or None.

    Raises
    ------
    ValueError
        If `groups` is neither positive nor -1; at the call, if it does not divide the number of
        channels, or the axis does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> layer = GroupNormalization(groups=2, epsilon=0.0)
    >>> layer(np.array([[1.0, 3.0, 0.0, 8.0]])).numpy()
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if groups <= 0 and groups != -1:
            raise ValueError(
                "GroupNormalization: groups must be a positive whole number or -1, but is "
                f"{groups}."
            )
        self.groups = int(groups)
        self.axis = int(axis)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape."""
        channels = known_length(self, self.axis, input_shape)
        if positions(self, self.axis, input_shape) == (0,):
            raise self._wrong_shape("an axis of channels other than that of samples", input_shape)
        if self.groups == -1:
            self.groups = channels
        if channels % self.groups:
            raise self._wrong_shape(
                f"a number of channels along axis {self.axis} that {self.groups} groups divide",
                input_shape,
            )
        self._rank = len(input_shape)
        if self.scale:
            self.gamma = self.add_weight(
                (channels,),
                self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                name="gamma",
            )
        if self.center:
            self.beta = self.add_weight(
                (channels,),
                self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                name="beta",
            )

    def call(self, inputs: Any) -> Tensor:
        """Return the normalized input."""
        if len(inputs.shape) != self._rank:
            raise self._wrong_shape(f"{self._rank} axes, as before", inputs.shape)
        x = as_float_tensor(inputs, self._dtype)
        gamma = None if self.gamma is None else self.gamma.value
        beta = None if self.beta is None else self.beta.value
        return ops.group_norm(x, gamma, beta, self.groups, self.axis, self.epsilon)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        positions(self, self.axis, input_shape)
        return input_shape
