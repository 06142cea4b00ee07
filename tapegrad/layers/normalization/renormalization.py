"""Batch renormalization: the correction of a batch's statistics towards moving ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tapegrad import ops
from tapegrad._core.state import no_record
from tapegrad._core.variable import Variable

if TYPE_CHECKING:
    from tapegrad.layers.normalization.batch_normalization import BatchNormalization

__all__ = ["Renormalization"]


class Renormalization:
    """The part of a BatchNormalization with ``renorm=True`` that corrects (Ioffe, 2017).

    The normalized input is multiplied by ``r = σ_batch / σ_moving`` and ``d = (μ_batch - μ_moving)
    / σ_moving`` is added, both taken as constants by the gradient, so that training and inference
    compute the same function.

    Parameters
    ----------
    epsilon
        Added to variances.
    momentum
        How much of the averages for inference stays at each step.
    renorm_momentum
        How much of the averages for the correction stays at each step.
    clipping
        Bounds ``rmin`` and ``rmax`` of r, and ``dmax`` of the size of d.

    Raises
    ------
    ValueError
        If a bound is unknown, or contradicts another.
    """

    renorm_mean: Variable
    renorm_stddev: Variable
    moving_stddev: Variable

    def __init__(
        self,
        epsilon: float,
        momentum: float,
        renorm_momentum: float,
        clipping: Mapping[str, float] | None,
    ) -> None:
        bounds = dict(clipping or {})
        unknown = set(bounds) - {"rmin", "rmax", "dmax"}
        if unknown:
            raise ValueError(
                f"BatchNormalization: renorm_clipping has the unknown keys {sorted(unknown)}; "
                "known are rmin, rmax and dmax."
            )
        rmin, rmax, dmax = bounds.get("rmin"), bounds.get("rmax"), bounds.get("dmax")
        if rmin is not None and rmax is not None and rmax < rmin:
            raise ValueError(
                f"BatchNormalization: rmax must not lie below rmin, but is {rmax} with rmin {rmin}."
            )
        if dmax is not None and dmax < 0:
            raise ValueError(f"BatchNormalization: dmax must not be negative, but is {dmax}.")
        self.epsilon = epsilon
        self.momentum = momentum
        self.renorm_momentum = renorm_momentum
        self.rmin, self.rmax, self.dmax = rmin, rmax, dmax

    def make_weights(self, layer: BatchNormalization, shape: tuple[int, ...]) -> None:
        """Make the moving statistics of the correction, which belong to the layer."""

        def root(shape: tuple[int, ...], dtype: Any = None) -> Any:
            return ops.sqrt(layer.moving_variance_initializer(shape, dtype=dtype))

        self.moving_stddev = layer.add_weight(shape, root, trainable=False, name="moving_stddev")
        self.renorm_mean = layer.add_weight(
            shape, layer.moving_mean_initializer, trainable=False, name="renorm_mean"
        )
        self.renorm_stddev = layer.add_weight(shape, root, trainable=False, name="renorm_stddev")

    def corrected(self, mean: Any, variance: Any, gamma: Any, beta: Any) -> tuple[Any, Any]:
        """Return the factors and summands with the correction in them."""
        with no_record():
            least = math.sqrt(self.epsilon)
            moving_stddev = ops.maximum(self.renorm_stddev.value, least)
            ratio = ops.sqrt(variance + self.epsilon) / moving_stddev
            shift = (mean - self.renorm_mean.value) / moving_stddev
            if self.rmin is not None:
                ratio = ops.maximum(ratio, self.rmin)
            if self.rmax is not None:
                ratio = ops.minimum(ratio, self.rmax)
            if self.dmax is not None:
                shift = ops.clip(shift, -self.dmax, self.dmax)
        if gamma is not None:
            ratio, shift = ratio * gamma, shift * gamma
        return ratio, shift if beta is None else shift + beta

    def update(
        self, moving_mean: Variable, moving_variance: Variable, mean: Any, variance: Any
    ) -> None:
        """Take a batch's statistics into all averages."""
        stddev = ops.sqrt(variance + self.epsilon)
        ops.moving_average_update(self.renorm_mean, mean, self.renorm_momentum)
        ops.moving_average_update(self.renorm_stddev, stddev, self.renorm_momentum)
        ops.moving_average_update(moving_mean, mean, self.momentum)
        ops.moving_average_update(self.moving_stddev, stddev, self.momentum)
        moving_variance.assign(ops.relu(ops.square(self.moving_stddev.value) - self.epsilon))
