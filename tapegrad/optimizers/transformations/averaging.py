"""Means over steps: of gradients before an update, of parameters after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.optimizers.transformations.base import Transformation, zeros
from tapegrad.optimizers.transformations.checks import in_interval

if TYPE_CHECKING:
    from tapegrad.optimizers.groups import Group

__all__ = ["AccumulateGradients", "AverageParameters"]


class AccumulateGradients(Transformation):
    """The mean of the gradients of several steps, of which only the last changes parameters.

    In k - 1 of k steps ``a ← a + g``, and the parameters stay; in the k-th ``u = (a + g) / k`` and
    ``a ← 0``. It is what ``gradient_accumulation_steps`` of every optimizer adds.

    Parameters
    ----------
    steps
        k, at least 2.
    iterations
        The number of steps taken, a Variable.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(0.0)
    >>> optimizer = tg.optimizers.SGD(1.0, gradient_accumulation_steps=2)
    >>> for gradient in (1.0, 3.0):
    ...     optimizer.apply([tg.tensor(gradient)], [x])
    >>> float(x)
    -2.0
    """

    slots = zeros("gradient_accumulator")

    def __init__(self, steps: int, iterations: Variable) -> None:
        self.steps = steps
        self.iterations = iterations

    def transform(self, groups: Sequence[Group], count: Any) -> bool:
        """Add the gradients, or replace them by their mean."""
        due = (int(self.iterations) + 1) % self.steps == 0
        for group in groups:
            total = group.slots(self)["gradient_accumulator"]
            if due:
                ops.sgd_update(group.updates, total, None, -1.0)
                ops.scale_update(group.updates, 1.0 / self.steps)
                total.assign(_zeros_like(total))
            else:
                ops.sgd_update(total, group.updates, None, -1.0)
        return due


class AverageParameters(Transformation):
    """The running mean of the parameters: ``a ← μ a + (1 - μ) p``, at first p itself.

    It is what ``use_ema`` of every optimizer adds, after the update (B. T. Polyak and
    A. B. Juditsky, *Acceleration of stochastic approximation by averaging*, 1992).

    Parameters
    ----------
    momentum
        μ, in [0, 1].
    overwrite_frequency
        After how many updates the parameters are set to their means each time; None for never.

    Raises
    ------
    ValueError
        If the momentum lies outside [0, 1], or the frequency is no whole number above 0.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(0.0)
    >>> optimizer = tg.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.apply([tg.tensor(1.0)], [x])
    >>> float(x)
    -2.0
    >>> optimizer.finalize_variable_values([x])
    >>> float(x)
    -1.5
    """

    def __init__(self, momentum: float = 0.99, overwrite_frequency: int | None = None) -> None:
        self.slots = {"average": "value"}
        self.momentum = in_interval("use_ema", "ema_momentum", momentum, closed=True)
        if overwrite_frequency is not None and (
            isinstance(overwrite_frequency, bool)
            or not isinstance(overwrite_frequency, int)
            or overwrite_frequency < 1
        ):
            raise ValueError(
                "ema_overwrite_frequency must be a whole number of at least 1, or None, but is "
                f"{overwrite_frequency!r}."
            )
        self.overwrite_frequency = overwrite_frequency

    def transform(self, groups: Sequence[Group], count: Any) -> None:
        """Update the means, and overwrite the parameters when it is time."""
        for group in groups:
            average, parameters = group.slots(self)["average"], group.flat.prepare_write()
            ops.ema_update(average, parameters, self.momentum, count)
            if self.overwrite_frequency:
                ops.overwrite_update(parameters, average, count, every=self.overwrite_frequency)


def _zeros_like(variable: Variable) -> Tensor:
    return Tensor(np.zeros(variable.shape, variable.dtype)).to(variable.device)
