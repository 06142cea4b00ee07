"""Learning rates and counters: small numbers on the host, read anew at every step.

They are Variables, and change through effects, so that a recorded step that is run again reads
their values of that moment.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.primitive import primitive
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad.ops._update import schedule_update
from tapegrad.optimizers.schedules.base import LearningRateSchedule, kernel_numbers_of

__all__ = ["checked_rate", "evaluate_schedule", "follow_schedule"]


def follow_schedule(rate: Variable, step: Any, schedule: Any, offset: int = 0) -> None:
    """Set a rate to what a schedule gives for a step.

    Parameters
    ----------
    rate
        The Variable.
    step
        The number of steps taken before.
    schedule
        A schedule, or a function of the step.
    offset
        What is added to the step.
    """
    numbers = kernel_numbers_of(schedule)
    if numbers is None:
        evaluate_schedule(rate, step, schedule=schedule, offset=offset)
    else:
        schedule_update(rate, step, schedule=numbers, offset=offset)


def _evaluate(rate: np.ndarray, step: np.ndarray, *, schedule: Any, offset: int = 0) -> None:
    rate[()] = _value_of(schedule, step + offset)


evaluate_schedule: Any = primitive(
    "evaluate_schedule",
    mutates=(0,),
    doc="Set a rate on the host to the value of a schedule that Python computes.",
)
evaluate_schedule.on("cpu", _evaluate)


def _value_of(schedule: Any, step: Any) -> float:
    own = isinstance(schedule, LearningRateSchedule)
    if own and type(schedule).__call__ is LearningRateSchedule.__call__:
        return schedule.value(float(step))  # without the way through a Tensor
    return float(schedule(Tensor(np.asarray(step))))


def checked_rate(learning_rate: Any, owner: str) -> float:
    """Return the learning rate as a number.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is negative or not finite.
    """
    try:
        rate = float(learning_rate)
    except (TypeError, ValueError):
        raise TypeError(
            f"{owner}: learning_rate must be a number, a schedule or a function, not "
            f"{type(learning_rate).__name__}."
        ) from None
    if not np.isfinite(rate) or rate < 0:
        raise ValueError(f"{owner}: learning_rate must be finite and not negative, got {rate}.")
    return rate
