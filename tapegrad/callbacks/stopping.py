"""Callbacks that end training."""

from __future__ import annotations

import math
import warnings
from typing import Any

from tapegrad.callbacks.base import Callback, Logs

__all__ = ["EarlyStopping", "MonitorCallback", "StopAtThreshold"]


class MonitorCallback(Callback):
    """Base of callbacks that watch one value and need to know which way is better.

    Parameters
    ----------
    monitor
        The name of the value in the logs.
    mode
        ``"min"``, ``"max"`` or ``"auto"``: down for losses and errors, up for accuracies, asked
        of the metric itself.

    Raises
    ------
    ValueError
        If `mode` is none of these.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto") -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(
                f'{type(self).__name__}: mode is "auto", "min" or "max", not {mode!r}.'
            )
        self.monitor = monitor
        self.mode = mode
        self._sign: float | None = None

    def sign(self) -> float:
        """Return 1 if more is better, -1 if less is.

        Raises
        ------
        ValueError
            If mode is ``"auto"`` and neither the name nor the metric tells.
        """
        if self._sign is None:
            self._sign = self._find_sign()
        return self._sign

    def _find_sign(self) -> float:
        if self.mode != "auto":
            return 1.0 if self.mode == "max" else -1.0
        name = self.monitor.removeprefix("val_")
        if name == "loss":
            return -1.0
        for metric in getattr(self.model, "metrics", None) or []:
            direction = getattr(metric, "direction", None)
            if metric.name == name and direction in ("up", "down"):
                return 1.0 if direction == "up" else -1.0
        if name.endswith(("accuracy", "acc", "precision", "recall", "f1_score")):
            return 1.0
        if name.endswith(("loss", "error")) or name in ("mse", "mae", "rmse"):
            return -1.0
        raise ValueError(
            f"{type(self).__name__}: whether more or less of {self.monitor!r} is better does not "
            'show in its name; pass mode="max" or mode="min".'
        )

    def value(self, logs: Logs | None) -> float | None:
        """Return the watched value, or None with a warning if the logs lack it."""
        logs = logs or {}
        if self.monitor not in logs:
            warnings.warn(
                f"{type(self).__name__}: {self.monitor!r} is not measured; there are "
                f"{', '.join(map(repr, logs)) or 'no values'}.",
                stacklevel=3,
            )
            return None
        return logs[self.monitor]


class EarlyStopping(MonitorCallback):
    """Ends training when a value has not improved for some epochs.

    Parameters
    ----------
    monitor
        The name of the value.
    min_delta
        An improvement by less than this does not count.
    patience
        How many epochs without improvement are waited for.
    verbose
        1 prints a line when training is stopped or weights are restored.
    mode
        ``"min"``, ``"max"`` or ``"auto"``.
    baseline
        A value that an improvement must beat too before the waiting starts anew.
    restore_best_weights
        Whether the weights of the best epoch are put back at the end.
    start_from_epoch
        The first epoch, from 0, that is looked at.

    Attributes
    ----------
    stopped_epoch : int
        The epoch at which training was stopped, 0 if it was not.
    best : float or None
        The best value seen.
    best_epoch : int
        Its epoch, from 0.

    Raises
    ------
    ValueError
        If `mode` is unknown.

    Examples
    --------
    >>> EarlyStopping(monitor="val_accuracy", patience=3).patience
    3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode)
        self.min_delta = abs(min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier run."""
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: Any = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the value and stop if it has not improved for too long."""
        current = self.value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            # Should nothing ever improve (the value may be NaN), these are the weights to keep.
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self._improves(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._improves(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Put the best weights back, if wanted."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)

    def _improves(self, current: float, reference: float | None) -> bool:
        sign = self.sign()
        return reference is None or sign * current - self.min_delta > sign * reference


class StopAtThreshold(MonitorCallback):
    """Ends training when a value reaches a threshold.

    Parameters
    ----------
    monitor
        The name of the value: ``"loss"``, a metric, or one of these of the validation data.
    threshold
        Training ends after the first epoch in which the value is at least (or at most) this.
    mode
        ``"min"`` for at most, ``"max"`` for at least, or ``"auto"``.
    verbose
        1 prints a line when training is stopped.

    Attributes
    ----------
    stopped_epoch : int or None
        The epoch, from 0, at which the threshold was reached.

    Raises
    ------
    ValueError
        If `mode` is unknown or the threshold is not a number.

    Examples
    --------
    >>> StopAtThreshold(monitor="accuracy", threshold=0.99).threshold
    0.99
    """

    def __init__(
        self,
        monitor: str = "loss",
        threshold: float = 0.0,
        mode: str = "auto",
        verbose: int = 0,
    ) -> None:
        super().__init__(monitor, mode)
        if math.isnan(threshold):
            raise ValueError("StopAtThreshold: threshold must be a number, but is NaN.")
        self.threshold = float(threshold)
        self.verbose = verbose
        self.stopped_epoch: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier run."""
        self.stopped_epoch = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the value and stop if it has reached the threshold."""
        current = self.value(logs)
        if current is not None and self.sign() * (current - self.threshold) >= 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            if self.verbose > 0:
                print(f"Epoch {epoch + 1}: {self.monitor} reached {current:g}, training ends")
