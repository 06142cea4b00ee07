"""Callbacks that set the learning rate."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad.callbacks.base import Callback, Logs
from tapegrad.callbacks.monitor import MonitorCallback

__all__ = ["LearningRateScheduler", "ReduceLROnPlateau", "current_rate"]


def current_rate(model: Any) -> float:
    """Return the learning rate that a model's optimizer has now.

    Raises
    ------
    ValueError
        If it has no optimizer with a learning rate.
    """
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    if rate is None:
        raise ValueError("the model has no optimizer with a learning_rate: compile it first.")
    return float(rate)


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch.

    Parameters
    ----------
    schedule
        A function of the epoch, from 0, and the current learning rate, or of the epoch alone,
        that returns the new one.
    verbose
        1 prints a line an epoch.

    Raises
    ------
    TypeError
        If `schedule` is no function.
    ValueError
        On the way, if it returns no number.

    Examples
    --------
    >>> halving = LearningRateScheduler(lambda epoch, lr: lr if epoch < 10 else lr / 2)
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise TypeError(
                "LearningRateScheduler: schedule must be a function of the epoch and the learning "
                f"rate, not {schedule!r}."
            )
        self.schedule = schedule
        self.verbose = verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Ask for the epoch's learning rate and set it."""
        rate = current_rate(self.model)
        given = self.schedule(epoch, rate) if self._takes_rate else self.schedule(epoch)
        if given is None or isinstance(given, bool | str) or np.ndim(given) > 0:
            raise ValueError(
                f"LearningRateScheduler: schedule must return a number, but returned {given!r} for "
                f"epoch {epoch}."
            )
        self.model.optimizer.learning_rate = float(given)
        if self.verbose > 0:
            print(
                f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to "
                f"{float(given)}."
            )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add the learning rate to the epoch's values."""
        if logs is not None:
            logs["learning_rate"] = current_rate(self.model)


def _takes_two(function: Callable[..., Any]) -> bool:
    """Whether a function can be called with two arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not tell
        return True
    try:
        signature.bind(0, 0.0)
    except TypeError:
        return False
    return True


class ReduceLROnPlateau(MonitorCallback):
    """Lowers the learning rate when a value has not improved for some epochs.

    Parameters
    ----------
    monitor
        The name of the value.
    factor
        What the learning rate is multiplied with, below 1.
    patience
        How many epochs without improvement are waited for.
    verbose
        1 prints a line when the learning rate is lowered.
    mode
        ``"min"``, ``"max"`` or ``"auto"``.
    min_delta
        An improvement by less than this does not count.
    cooldown
        For so many epochs after it was lowered nothing is counted.
    min_lr
        The learning rate goes no lower.

    Raises
    ------
    ValueError
        If `factor` does not lie in (0, 1), or `mode` is unknown.

    Examples
    --------
    >>> callback = ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5, min_lr=0.001)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        if not 0 < factor < 1:
            raise ValueError(
                f"ReduceLROnPlateau: factor must lie between 0 and 1, but is {factor}."
            )
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.wait = 0
        self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier run."""
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0

    def in_cooldown(self) -> bool:
        """Whether epochs are not counted now."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the value; lower the learning rate if it has not improved for too long."""
        logs = {} if logs is None else logs
        current = self.value(logs)
        logs["learning_rate"] = current_rate(self.model)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        rate = current_rate(self.model)
        # As float32, in which a rate that came down to the bound by factors is the bound.
        if np.float32(rate) <= np.float32(self.min_lr):
            return
        rate = max(rate * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = rate
        self.cooldown_counter = self.cooldown
        self.wait = 0
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")

    def get_state(self) -> dict[str, Any]:
        """Return the best value so far and the epochs since."""
        return {**super().get_state(), "wait": self.wait, "cooldown": self.cooldown_counter}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on waiting where an earlier process was."""
        super().set_state(state)
        self.wait = int(state["wait"])
        self.cooldown_counter = int(state["cooldown"])
