"""Spectral normalization of another layer's kernel."""

from __future__ import annotations

from typing import Any

from tapegrad import initializers, ops
from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer
from tapegrad.layers.core.wrapper import Wrapper

__all__ = ["SpectralNormalization"]

_EPSILON = 1e-7


class SpectralNormalization(Wrapper):
    """Divides a layer's kernel by its largest singular value, at each step of training.

    The value is estimated by power iteration from a vector that is kept between steps (Miyato et
    al., 2018). The kernel itself is replaced; the gradient does not pass through the division.

    Parameters
    ----------
    layer
        The layer, with a ``kernel`` or ``embeddings``.
    power_iterations
        How many iterations to do at each step.
    **kwargs
        ``name`` and ``dtype``, as for every layer.

    Attributes
    ----------
    vector_u
        The estimate of the singular vector, shape (1, last axis of the kernel), not trained.

    Raises
    ------
    ValueError
        If `layer` is no layer, or `power_iterations` is not positive; at the call, if the layer
        has no kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad.layers import Dense
    >>> layer = SpectralNormalization(Dense(3), power_iterations=30)
    >>> y = layer(np.ones((1, 3)), training=True)
    >>> bool(abs(np.linalg.norm(layer.layer.kernel.numpy(), 2) - 1) < 1e-3)
    True
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        if power_iterations <= 0:
            raise ValueError(
                f"SpectralNormalization: power_iterations must be positive, but is "
                f"{power_iterations}."
            )
        self.power_iterations = int(power_iterations)
        self.kernel: Variable | None = None
        self.vector_u: Variable | None = None

    def build(self, input_shape: Any) -> None:
        """Build the layer, and make the vector."""
        super().build(input_shape)
        kernel = getattr(self.layer, "kernel", None)
        if kernel is None:
            kernel = getattr(self.layer, "embeddings", None)
        if not isinstance(kernel, Variable):
            raise ValueError(
                f"Layer {self.name} (SpectralNormalization): the layer {self.layer.name} "
                f"({type(self.layer).__name__}) has neither a kernel nor embeddings."
            )
        self.kernel = kernel
        self.vector_u = self.add_weight(
            (1, kernel.shape[-1]),
            initializers.TruncatedNormal(stddev=0.02),
            dtype=kernel.dtype,
            trainable=False,
            name="vector_u",
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the layer's output, its kernel normalized if `training`."""
        if training:
            self._normalize()
        return self.layer(inputs)

    def _normalize(self) -> None:
        assert self.kernel is not None
        assert self.vector_u is not None
        kernel = self.kernel.value
        weights = kernel.reshape((-1, kernel.shape[-1]))
        given = vector_u = vector_v = self.vector_u.value
        for _ in range(self.power_iterations):
            vector_v = ops.unit_norm(
                ops.matmul(vector_u, weights, transpose_b=True), axis=-1, epsilon=_EPSILON
            )
            vector_u = ops.unit_norm(ops.matmul(vector_v, weights), axis=-1, epsilon=_EPSILON)
        sigma = ops.matmul(ops.matmul(vector_v, weights), vector_u, transpose_b=True)
        # A kernel of zeros stays; to decide in Python would keep the step from being recorded.
        is_zero = ops.logical_not(ops.any(weights != 0))
        self.vector_u.assign(ops.where(is_zero, given, vector_u))
        self.kernel.assign(kernel / ops.where(is_zero, 1.0, sigma.reshape(())))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the layer's output shape for an input's."""
        return self.layer.compute_output_shape(input_shape)
