"""Updates multiplied by numbers, and weight decay added to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad import ops
from tapegrad._core.device import device
from tapegrad._core.variable import Variable
from tapegrad.optimizers.rates import checked_rate, follow_schedule
from tapegrad.optimizers.transformations.base import Transformation
from tapegrad.optimizers.transformations.checks import not_negative

if TYPE_CHECKING:
    from tapegrad.optimizers.groups import Group

__all__ = [
    "AddDecayedWeights",
    "Scale",
    "ScaleByLearningRate",
    "ScaleBySchedule",
    "add_decayed_weights",
    "scale",
    "scale_by_learning_rate",
    "scale_by_schedule",
]


class Scale(Transformation):
    """Updates multiplied by a number: ``u ← c u``.

    Parameters
    ----------
    step_size
        c; negative at the end of a chain, since chains add their updates to the parameters.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(1.0)
    >>> tg.optimizers.chain(scale(-0.5)).apply([tg.tensor(1.0)], [x])
    >>> float(x)
    0.5
    """

    def __init__(self, step_size: float) -> None:
        self.step_size = float(step_size)

    def transform(self, groups: Sequence[Group], count: Any) -> None:
        """Multiply."""
        for group in groups:
            ops.scale_update(group.updates, self.step_size)


class ScaleBySchedule(Transformation):
    """Updates multiplied by what a schedule gives for the number of the update, from 0.

    ``u ← s(t) u``.

    Parameters
    ----------
    schedule
        A `tapegrad.optimizers.schedules.LearningRateSchedule`, or a function of the step.

    Raises
    ------
    TypeError
        If it cannot be called.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(0.0)
    >>> optimizer = tg.optimizers.chain(scale_by_schedule(lambda step: -1.0 / (step + 1)))
    >>> for _ in range(2):
    ...     optimizer.apply([tg.tensor(1.0)], [x])
    >>> float(x)
    -1.5
    """

    sign = 1.0

    def __init__(self, schedule: Any) -> None:
        if not callable(schedule):
            raise TypeError(
                "scale_by_schedule: a schedule is a function of the step, not "
                f"{type(schedule).__name__}."
            )
        self.schedule = schedule
        with device("cpu"):
            self._factor = Variable(np.float64(0.0), name="factor", trainable=False)

    def transform(self, groups: Sequence[Group], count: Any) -> None:
        """Multiply."""
        follow_schedule(self._factor, count, self.schedule, offset=-1)
        for group in groups:
            ops.scale_update(group.updates, self._factor * self.sign)


class ScaleByLearningRate(Transformation):
    """Updates multiplied by the negative learning rate: ``u ← -η u``.

    At the end of a chain, η is the ``learning_rate`` of the optimizer, which can be assigned and
    which callbacks change.

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function without arguments.

    Raises
    ------
    ValueError, TypeError
        If it is no learning rate.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale_by_adam
    >>> optimizer = tg.optimizers.chain(scale_by_adam(), scale_by_learning_rate(0.1))
    >>> float(optimizer.learning_rate)
    0.1
    """

    def __init__(self, learning_rate: Any) -> None:
        self.learning_rate = learning_rate
        if callable(learning_rate):
            descending = ScaleBySchedule(learning_rate)
            descending.sign = -1.0
            self._scaling: Transformation = descending
        else:
            self._scaling = Scale(-checked_rate(learning_rate, "scale_by_learning_rate"))

    def transform(self, groups: Sequence[Group], count: Any) -> None:
        """Multiply."""
        self._scaling.transform(groups, count)


class AddDecayedWeights(Transformation):
    """A multiple of the parameters added to the updates: ``u ← u + λ p``.

    After a rule such as `ScaleByAdam`, this is decoupled weight decay: weights shrink by a share
    of the learning rate, however large gradients are (I. Loshchilov and F. Hutter, *Decoupled
    weight decay regularization*, arXiv:1711.05101). Before such a rule, or with plain gradient
    descent, it is the gradient of an L2 penalty ``λ/2 ‖p‖²``, as `tapegrad.regularizers.L2` is of
    ``λ ‖p‖²``; the rule then scales it as it scales gradients.

    Parameters
    ----------
    weight_decay
        λ, not negative.

    Raises
    ------
    ValueError
        If the decay is negative.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(2.0)
    >>> optimizer = tg.optimizers.chain(add_decayed_weights(0.1), scale(-0.5))
    >>> optimizer.apply([tg.tensor(0.0)], [x])
    >>> round(float(x), 4)
    1.9
    """

    def __init__(self, weight_decay: float = 0.0) -> None:
        self.weight_decay = not_negative("add_decayed_weights", "weight_decay", weight_decay)

    def transform(self, groups: Sequence[Group], count: Any) -> None:
        """Add the decayed parameters."""
        for group in groups:
            parameters = group.flat.prepare_write()
            # Gradient descent on the updates, along the parameters.
            ops.sgd_update(group.updates, parameters, None, -self.weight_decay)


scale = Scale
scale_by_schedule = ScaleBySchedule
scale_by_learning_rate = ScaleByLearningRate
add_decayed_weights = AddDecayedWeights
