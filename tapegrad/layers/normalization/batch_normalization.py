"""Batch normalization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tapegrad import constraints, initializers, ops, regularizers
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.normalization.axes import known_length, positions
from tapegrad.layers.normalization.renormalization import Renormalization
from tapegrad.utils.tensors import as_float_tensor, as_tensor

__all__ = ["BatchNormalization"]

_EPSILON = 1e-7


class BatchNormalization(Layer):
    """Gives each channel mean 0 and variance 1 over the batch (Ioffe and Szegedy, 2015).

    In training, ``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` with mean and variance of
    the batch, of which the layer keeps moving averages. Outside of training, and in a layer with
    ``trainable=False``, these averages take their place and stay as they are.

    Parameters
    ----------
    axis
        The axis of the channels.
    momentum
        How much of the moving averages stays at each step.
    epsilon
        Added to the variance.
    center, scale
        Whether to add `beta`, and to multiply by `gamma`.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer
        The first values of the weights.
    beta_regularizer, gamma_regularizer
        Penalties on the weights, added to the loss.
    beta_constraint, gamma_constraint
        What the weights are projected to after each update.
    renorm
        Whether to correct the batch's statistics towards moving ones (Ioffe, 2017).
    renorm_clipping
        Bounds ``rmin``, ``rmax`` and ``dmax`` of that correction, in a dictionary.
    renorm_momentum
        How much of the moving statistics of that correction stays at each step.
    synchronized
        Accepted; on one device, statistics are always those of the whole batch.
    **kwargs
        ``name``, ``dtype``, ``trainable`` and ``input_shape``, as for every layer.

    Attributes
    ----------
    gamma, beta
        Shape (channels,), or None.
    moving_mean, moving_variance
        Shape (channels,), not trained.

    Raises
    ------
    ValueError
        If an argument of `renorm_clipping` is unknown or contradicts another; at the call, if the
        axis does not exist, or the mask does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> layer = BatchNormalization(epsilon=0.0)
    >>> layer(np.array([[1.0], [3.0]]), training=True).numpy().ravel()
    array([-1.,  1.], dtype=float32)
    >>> layer.moving_mean.numpy()
    array([0.02], dtype=float32)
    """

    supports_masking = True
    _takes_one = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Mapping[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = int(axis)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.synchronized = synchronized
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        self.moving_mean: Variable | None = None
        self.moving_variance: Variable | None = None
        self._renormalization: Renormalization | None = None
        if renorm:
            self._renormalization = Renormalization(
                self.epsilon, self.momentum, renorm_momentum, renorm_clipping
            )

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape."""
        shape = (known_length(self, self.axis, input_shape),)
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                name="gamma",
            )
        if self.center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                name="beta",
            )
        self.moving_mean = self.add_weight(
            shape, self.moving_mean_initializer, trainable=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        if self._renormalization is not None:
            self._renormalization.make_weights(self, shape)
        self._rank = len(input_shape)

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Tensor:
        """Return the normalized input.

        Parameters
        ----------
        inputs
            Any number of axes.
        training
            Whether to use the batch's statistics, and to take them into the averages.
        mask
            Of the input's shape without the last axis: what is False does not count for the
            statistics.
        """
        assert self.moving_mean is not None
        assert self.moving_variance is not None
        if len(inputs.shape) != self._rank:
            raise self._wrong_shape(f"{self._rank} axes, as before", inputs.shape)
        x = as_float_tensor(inputs, self._dtype)
        gamma = None if self.gamma is None else self.gamma.value
        beta = None if self.beta is None else self.beta.value
        axis, epsilon = self.axis, self.epsilon
        if not (training and self.trainable):
            mean, variance = self.moving_mean.value, self.moving_variance.value
            return ops.batch_norm_inference(x, gamma, beta, mean, variance, axis, epsilon)
        if mask is None and self._renormalization is None:
            y, mean, variance = ops.batch_norm(x, gamma, beta, axis, epsilon)
        else:
            mean, variance = self._statistics(x, mask)
            if self._renormalization is not None:
                gamma, beta = self._renormalization.corrected(mean, variance, gamma, beta)
            y = ops.batch_norm_inference(x, gamma, beta, mean, variance, axis, epsilon)
        if self._renormalization is None:
            ops.moving_average_update(self.moving_mean, mean, self.momentum)
            ops.moving_average_update(self.moving_variance, variance, self.momentum)
        else:
            self._renormalization.update(self.moving_mean, self.moving_variance, mean, variance)
        return y

    def _statistics(self, x: Any, mask: Any) -> tuple[Any, Any]:
        """Return mean and variance of each channel over what the mask shows."""
        (channels,) = positions(self, self.axis, x.shape)
        axes = tuple(axis for axis in range(x.ndim) if axis != channels)
        if mask is None:
            return ops.mean(x, axis=axes), ops.var(x, axis=axes)
        mask = as_tensor(mask)
        if mask.ndim != x.ndim - 1 or any(
            own not in (1, length) for own, length in zip(mask.shape, x.shape)
        ):
            raise ValueError(
                f"Layer {self.name} (BatchNormalization): the mask has shape {mask.shape}, "
                f"expected {x.shape[:-1]}, that of the input without its last axis."
            )
        counts = ops.broadcast_to(ops.expand_dims(mask.astype("bool"), -1), x.shape)
        # As Keras, by which an empty mask gives the mean 0 and the variance 0.
        number = ops.sum(counts.astype(x.dtype), axis=axes, keepdims=True) + _EPSILON
        mean = ops.sum(ops.where(counts, x, 0.0), axis=axes, keepdims=True) / number
        squares = ops.square(ops.where(counts, x - mean, 0.0))
        variance = ops.sum(squares, axis=axes, keepdims=True) / number
        return mean.reshape((-1,)), variance.reshape((-1,))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        positions(self, self.axis, input_shape)
        return input_shape
