"""Normalizations along axes of each sample: layer, RMS and unit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from tapegrad import constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.normalization.axes import given_axes, known_length, positions
from tapegrad.utils.tensors import as_float_tensor

__all__ = ["LayerNormalization", "RMSNormalization", "UnitNormalization"]


class LayerNormalization(Layer):
    """Gives each sample mean 0 and variance 1 along axes (Ba, Kiros and Hinton, 2016).

    ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, the same in training and outside.

    Parameters
    ----------
    axis
        The axis, or axes taken together.
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
        Of the lengths of the axes, in ascending order; or None.

    Raises
    ------
    ValueError
        At the call, if an axis does not exist or has no known length.

    Examples
    --------
    >>> import numpy as np
    >>> LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0]])).numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True
    _takes_one = True

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
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
        self.rms_scaling = bool(kwargs.pop("rms_scaling", False))
        if self.rms_scaling:
            warnings.warn(
                "LayerNormalization: rms_scaling divides by the deviation from the mean without "
                "subtracting it; for the root mean square, write RMSNormalization.",
                DeprecationWarning,
                stacklevel=2,
            )
        super().__init__(**kwargs)
        self.axis = given_axes(axis, "LayerNormalization")
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
        self._axes = positions(self, self.axis, input_shape)
        self._rank = len(input_shape)
        shape = tuple(known_length(self, axis, input_shape) for axis in self._axes)
        if self.scale or self.rms_scaling:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                name="gamma",
            )
        if self.center and not self.rms_scaling:
            self.beta = self.add_weight(
                shape,
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
        if self.rms_scaling:
            variance = ops.var(x, axis=self._axes, keepdims=True)
            lengths = [n if axis in self._axes else 1 for axis, n in enumerate(x.shape)]
            assert gamma is not None
            return x / ops.sqrt(variance + self.epsilon) * gamma.reshape(tuple(lengths))
        beta = None if self.beta is None else self.beta.value
        return ops.layer_norm(x, gamma, beta, axis=self._axes, epsilon=self.epsilon)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        positions(self, self.axis, input_shape)
        return input_shape


class RMSNormalization(Layer):
    """Divides each sample by its root mean square along axes (Zhang and Sennrich, 2019).

    ``scale * x / sqrt(mean(x**2) + epsilon)``.

    Parameters
    ----------
    axis
        The axis, or axes taken together.
    epsilon
        Added to the mean square.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``input_shape``, as for every layer.

    Attributes
    ----------
    scale
        Of the lengths of the axes, in ascending order.

    Raises
    ------
    ValueError
        At the call, if an axis does not exist or has no known length.

    Examples
    --------
    >>> import numpy as np
    >>> RMSNormalization(epsilon=0.0)(np.array([[1.0, 7.0]])).numpy()
    array([[0.2, 1.4]], dtype=float32)
    """

    def __init__(
        self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = given_axes(axis, "RMSNormalization")
        self.epsilon = float(epsilon)
        self.scale: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        """Make the factors for inputs of this shape."""
        self._axes = positions(self, self.axis, input_shape)
        self._rank = len(input_shape)
        shape = tuple(known_length(self, axis, input_shape) for axis in self._axes)
        self.scale = self.add_weight(shape, "ones", name="scale")

    def call(self, inputs: Any) -> Tensor:
        """Return the normalized input."""
        assert self.scale is not None
        if len(inputs.shape) != self._rank:
            raise self._wrong_shape(f"{self._rank} axes, as before", inputs.shape)
        x = as_float_tensor(inputs, self._dtype)
        return ops.rms_norm(x, self.scale.value, axis=self._axes, epsilon=self.epsilon)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        positions(self, self.axis, input_shape)
        return input_shape


class UnitNormalization(Layer):
    """Divides by the Euclidean length along axes, so that it becomes 1.

    Parameters
    ----------
    axis
        The axis, or axes taken together.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        At the call, if an axis does not exist.

    Examples
    --------
    >>> UnitNormalization()([[3.0, 4.0]]).numpy()
    array([[0.6, 0.8]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = given_axes(axis, "UnitNormalization")

    def call(self, inputs: Any) -> Tensor:
        """Return the normalized input."""
        x = as_float_tensor(inputs, self._dtype)
        return ops.unit_norm(x, axis=positions(self, self.axis, x.shape), epsilon=1e-12)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        positions(self, self.axis, input_shape)
        return input_shape
