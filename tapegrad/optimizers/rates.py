"""Learning rates and counters: small numbers on the host, read anew at every step.

They are Variables, and change through effects, so that a recorded step that is run again reads
their values of that moment.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.primitive import primitive
from tapegrad._core.tensor import Tensor
from tapegrad.optimizers.schedules.base import LearningRateSchedule

__all__ = ["advance", "checked_rate", "evaluate_schedule", "number_update"]


def _add_one(counter: np.ndarray) -> None:
    counter[()] = counter.item() + 1  # a tenth of the time of `np.add` on an array of one number


advance: Any = primitive("increment", mutates=(0,), doc="Add 1 to a counter on the host.")
advance.on("cpu", _add_one)


def _number(count: np.ndarray, iterations: np.ndarray, *, every: int = 1) -> None:
    count[()] = iterations.item() // every + 1


number_update: Any = primitive(
    "number_update", mutates=(0,), doc="Number of the update that comes, from the steps taken."
)
number_update.on("cpu", _number)


def _evaluate(rate: np.ndarray, step: np.ndarray, *, schedule: Any, offset: int = 0) -> None:
    rate[()] = _value_of(schedule, step + offset)


evaluate_schedule: Any = primitive(
    "evaluate_schedule", mutates=(0,), doc="Set a rate on the host to a schedule's value."
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
