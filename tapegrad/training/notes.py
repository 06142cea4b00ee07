"""What recorded steps of training note, so that Python need not look after each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core.device import device
from tapegrad._core.primitive import primitive
from tapegrad._core.variable import Variable
from tapegrad.metrics.reduction import Mean

__all__ = ["Notes", "note_step"]

_LOGGED = 64
"""Metrics that are logged, at most."""

note_step: Any = primitive(
    "note_step",
    mutates=tuple(range(2 + _LOGGED)),
    doc="Count a step of training; at the end of an epoch, log what metrics counted.",
)


class Notes:
    """The place in an epoch, and a log of what metrics counted in epochs that are over.

    Parameters
    ----------
    model
        The model. Metrics that are not made yet are no part of the log.

    Attributes
    ----------
    complete : bool
        Whether the log holds all that the values of an epoch are computed from.
    epochs : int
        How many epochs the log has room for.
    """

    epochs = 1024

    def __init__(self, model: Any) -> None:
        named: list[tuple[str, Any]] = []
        if model.compiled:
            named.append(("loss", model._loss_tracker))
        if model._compiled_loss is not None:
            named += [(tracker.name, tracker) for tracker in model._compiled_loss.trackers]
        entries = model._compiled_metrics.entries if model.compiled else ()
        measured = [(entry.name, entry.metric) for entry in entries]
        self.complete = (
            not model._lists().metrics
            and type(model).metrics is _of_compiling("metrics")
            and type(model).get_metrics_result is _of_compiling("get_metrics_result")
            and all(_is_mean(metric) for _, metric in measured)
            and len(named) + len(measured) <= _LOGGED
        )
        self._named: list[tuple[str, Any]] = [*named, *measured] if self.complete else named[:1]
        self._counted = [metric._accumulated for _, metric in self._named]
        with device("cpu"):
            zeros = np.zeros((self.epochs, 2 * len(self._counted)))
            self._place = Variable(np.array([0, 0, 0, -1]), name="place", trainable=False)
            self._log = Variable(zeros, name="log", trainable=False)

    def take(self) -> None:
        """Note a step: part of each step that is recorded."""
        note_step(self._place, self._log, *self._counted)

    def begin(self, taken: int, length: int = 0) -> None:
        """Begin a call of many steps.

        Parameters
        ----------
        taken
            How many steps the present epoch has had.
        length
            How many steps an epoch has, if epochs end within the call.
        """
        self._place._tensor._data[:] = taken, length, 0, -1

    def end(self) -> tuple[int, int | None]:
        """End a call; return how many epochs it ended, and the first step with a loss of NaN.

        Metrics that began anew after the last epoch are what they were at its end.
        """
        place = self._place._tensor._data
        taken, length, closed, not_a_number = place.tolist()
        if closed and taken % length == 0:
            last = self._log._tensor._data[closed - 1]
            for number, counted in enumerate(self._counted):
                counted._tensor._data[:] = last[2 * number : 2 * number + 2]
        place[:] = 0, 0, 0, -1
        return closed, None if not_a_number < 0 else not_a_number

    def values(self, closed: int) -> dict[str, list[float]]:
        """Return the values of the epochs that the last call ended, by name."""
        columns = self._log._tensor._data[:closed]
        return {
            name: metric._means(columns[:, 2 * at], columns[:, 2 * at + 1]).tolist()
            for at, (name, metric) in enumerate(self._named)
        }


def _is_mean(metric: Any) -> bool:
    """Whether a metric's value is computed from a total and a count, for many of them too."""
    kind = type(metric)
    if not isinstance(metric, Mean) or kind.result is not Mean.result:
        return False
    value = next(each for each in kind.__mro__ if "_value" in vars(each))
    return "_means" in vars(value)


def _of_compiling(name: str) -> Callable[..., Any]:
    from tapegrad.training.compiling import Compiling

    return getattr(Compiling, name)
