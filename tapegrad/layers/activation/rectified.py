"""Relu and its kin as layers, one of them with weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from tapegrad import activations, constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer, Shape
from tapegrad.utils.tensors import as_real_tensor

__all__ = ["ELU", "LeakyReLU", "PReLU", "ReLU"]


def _not_negative(value: float | None, name: str, owner: str) -> float:
    """Return an argument; raises ValueError if it is None or negative."""
    if value is None or not value >= 0:
        raise ValueError(f"{owner}: {name} must be a number that is not negative, but is {value}.")
    return value


class ReLU(Layer):
    """Applies ``max(x, 0)``, or its variant with a slope, a ceiling or another threshold.

    Parameters
    ----------
    max_value
        The largest value returned; None for no ceiling.
    negative_slope
        The slope below the threshold.
    threshold
        Values up to it are replaced by ``negative_slope * (x - threshold)``.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Raises
    ------
    ValueError
        If an argument is negative.

    Examples
    --------
    >>> ReLU(max_value=6.0)([[-1.0, 3.0, 9.0]]).numpy()
    array([[0., 3., 6.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None:
            _not_negative(max_value, "max_value", "ReLU")
        self.max_value = max_value
        self.negative_slope = _not_negative(negative_slope, "negative_slope", "ReLU")
        self.threshold = _not_negative(threshold, "threshold", "ReLU")

    def call(self, inputs: Any) -> Tensor:
        """Return the rectified input."""
        return activations.relu(
            as_real_tensor(inputs, self._dtype),
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class LeakyReLU(Layer):
    """Applies ``x`` where it is positive, and ``negative_slope * x`` elsewhere (Maas et al., 2013).

    Parameters
    ----------
    negative_slope
        The slope of the negative side.
    **kwargs
        ``name`` and ``dtype``, as for every layer; ``alpha``, as older listings call the slope.

    Raises
    ------
    ValueError
        If the slope is negative.

    Examples
    --------
    >>> LeakyReLU()([[-1.0, 3.0]]).numpy()
    array([[-0.3,  3. ]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn(
                "LeakyReLU: alpha is an old name; write negative_slope.",
                DeprecationWarning,
                stacklevel=2,
            )
        super().__init__(**kwargs)
        self.negative_slope = _not_negative(negative_slope, "negative_slope", "LeakyReLU")

    def call(self, inputs: Any) -> Tensor:
        """Return the rectified input."""
        inputs = as_real_tensor(inputs, self._dtype)
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class ELU(Layer):
    """Applies ``x`` where it is positive, and ``alpha * (exp(x) - 1)`` elsewhere.

    The exponential linear unit of Clevert et al. (2016).

    Parameters
    ----------
    alpha
        What the negative side tends to is ``-alpha``.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Examples
    --------
    >>> ELU()([[-1.0, 2.0]]).numpy().round(4)
    array([[-0.6321,  2.    ]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Tensor:
        """Return the activated input."""
        return activations.elu(as_real_tensor(inputs, self._dtype), alpha=self.alpha)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class PReLU(Layer):
    """Applies ``x`` where it is positive, and ``alpha * x`` with learned slopes elsewhere.

    The parametric relu of He et al. (2015).

    Parameters
    ----------
    alpha_initializer
        The first values of the slopes.
    alpha_regularizer
        A penalty on them, added to the loss.
    alpha_constraint
        What they are projected to after each update.
    shared_axes
        Axes (counted with the samples' axis, which is 0) along which one slope serves all: ``[1,
        2]`` for one slope a channel of images.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Attributes
    ----------
    alpha
        Of the shape of one sample, with length 1 along the shared axes.

    Raises
    ------
    ValueError
        If a shared axis does not exist, or one that is not shared has no known length.

    Examples
    --------
    >>> PReLU(alpha_initializer="ones")([[-1.0, 3.0]]).numpy()
    array([[-1.,  3.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if isinstance(shared_axes, int):
            shared_axes = [shared_axes]
        self.shared_axes = None if shared_axes is None else list(shared_axes)
        self.alpha: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        """Make the slopes for inputs of this shape."""
        lengths = list(input_shape)
        for axis in self.shared_axes or ():
            if not -len(lengths) < axis < len(lengths) or axis == 0:
                raise self._wrong_shape(f"an axis {axis}, which is to be shared", input_shape)
            lengths[axis] = 1
        self.alpha = self.add_weight(
            lengths[1:],  # type: ignore[arg-type]  # add_weight refuses None
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )

    def call(self, inputs: Any) -> Tensor:
        """Return the rectified input."""
        assert self.alpha is not None
        inputs = as_real_tensor(inputs, self._dtype)
        return ops.relu(inputs) - self.alpha.value * ops.relu(-inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape
