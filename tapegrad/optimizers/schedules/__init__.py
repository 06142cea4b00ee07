"""Learning rates that change from step to step. Names, arguments and formulas of Keras 3.

A schedule takes the place of an optimizer's learning rate:

>>> import tapegrad as tg
>>> schedule = CosineDecay(0.1, decay_steps=1000)
>>> optimizer = tg.optimizers.SGD(schedule)

`OneCycle` and `Warmup` are additions to Keras's six.
"""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.schedules.base import LearningRateSchedule
from tapegrad.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from tapegrad.optimizers.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from tapegrad.optimizers.schedules.warmup import OneCycle, Warmup
from tapegrad.utils import serialization

__all__ = [
    "LearningRateSchedule",
    "ExponentialDecay",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "InverseTimeDecay",
    "CosineDecay",
    "CosineDecayRestarts",
    "OneCycle",
    "Warmup",
    "serialize",
    "deserialize",
]


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """Return a schedule as plain data.

    Examples
    --------
    >>> serialize(Warmup(0.1, 10))["config"]["warmup_steps"]
    10
    """
    return serialization.serialize(learning_rate_schedule, "schedule")


def deserialize(
    config: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> LearningRateSchedule:
    """Make a schedule of what `serialize` returned.

    Parameters
    ----------
    config
        A dict of ``class_name`` and ``config``.
    custom_objects
        Classes of your own by name.

    Examples
    --------
    >>> float(deserialize(serialize(Warmup(0.1, 10)))(5))
    0.05
    """
    data = {"module": "tapegrad.optimizers.schedules", **config}
    with serialization.custom_object_scope(custom_objects):
        return serialization.deserialize(data)
