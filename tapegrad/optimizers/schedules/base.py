"""What a learning-rate schedule is."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.utils.config import Configurable
from tapegrad_kernels._scalar.schedules import evaluate

__all__ = ["LearningRateSchedule", "checked_steps", "kernel_numbers_of"]


class LearningRateSchedule(Configurable):
    """Base of all schedules: a learning rate for every step.

    A schedule stands in the place of an optimizer's learning rate. A subclass writes
    ``__call__(step)``, as in Keras, or `value`, which works with plain numbers and is quicker.

    Examples
    --------
    >>> import tapegrad as tg
    >>> class Inverse(LearningRateSchedule):
    ...     def __init__(self, initial):
    ...         self.initial = initial
    ...
    ...     def __call__(self, step):
    ...         return self.initial / (step + 1)
    >>> optimizer = tg.optimizers.SGD(Inverse(0.5))
    >>> optimizer.apply([tg.tensor(1.0)], [tg.Variable(0.0)])
    >>> float(optimizer.learning_rate)
    0.25
    """

    def kernel_numbers(self) -> tuple[float, ...] | None:
        """Return the schedule as kernels know it (`tapegrad_kernels._scalar.schedules`).

        None, as in schedules of your own, means that Python computes the rate of every step.
        """
        return None

    def value(self, step: float) -> float:
        """Return the learning rate of a step.

        Parameters
        ----------
        step
            The number of steps taken before.
        """
        numbers = self.kernel_numbers()
        if numbers is None:
            raise NotImplementedError(f"{type(self).__name__} does not say what it gives.")
        return evaluate(step, numbers)

    def __call__(self, step: Any) -> Tensor:
        """Return the learning rates of steps.

        Parameters
        ----------
        step
            The number of steps taken before: a number, a Variable, or an array of many.

        Returns
        -------
        Tensor
            Of the shape of `step`, float64.
        """
        steps = np.asarray(step.numpy() if isinstance(step, Tensor | Variable) else step)
        values = [self.value(float(each)) for each in steps.ravel()]
        return Tensor(np.array(values, np.float64).reshape(steps.shape))


def checked_steps(owner: str, name: str, steps: float) -> float:
    """Return a number of steps that is above 0, or raise ValueError."""
    if not steps > 0:
        raise ValueError(f"{owner}: {name} must be above 0, but is {steps!r}.")
    return steps


def kernel_numbers_of(schedule: Any) -> tuple[float, ...] | None:
    """Return a schedule as kernels know it; None if only Python can say what it gives."""
    for kind in type(schedule).__mro__:
        own = vars(kind)
        if "kernel_numbers" in own:
            return schedule.kernel_numbers()
        if "value" in own or "__call__" in own:  # what a subclass changed
            return None
    return None
