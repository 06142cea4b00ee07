"""Callbacks that end training."""

from __future__ import annotations

import math
from typing import Any

from tapegrad.callbacks.base import Callback, Logs
from tapegrad.callbacks.monitor import MonitorCallback

__all__ = ["EarlyStopping", "StopAtThreshold", "TerminateOnNaN"]


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
        super().__init__(monitor, mode, min_delta=min_delta)
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
        self.best = None
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
        if self.improves(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.improves(current, self.baseline):
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
                print(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)

    def get_state(self) -> dict[str, Any]:
        """Return the best epoch so far, its weights if they are kept, and the epochs since."""
        return {
            **super().get_state(),
            "best_epoch": self.best_epoch,
            "wait": self.wait,
            "stopped_epoch": self.stopped_epoch,
            "best_weights": self.best_weights,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on waiting where an earlier process was."""
        super().set_state(state)
        self.best_epoch = int(state["best_epoch"])
        self.wait = int(state["wait"])
        self.stopped_epoch = int(state["stopped_epoch"])
        weights = state["best_weights"]
        self.best_weights = None if weights is None else list(weights)


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

    def get_state(self) -> dict[str, Any]:
        """Return the epoch at which the threshold was reached, if it was."""
        return {**super().get_state(), "stopped_epoch": self.stopped_epoch}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where an earlier process was."""
        super().set_state(state)
        self.stopped_epoch = state["stopped_epoch"]


class TerminateOnNaN(Callback):
    """Ends training when the loss of a batch is NaN or infinite, and says at which batch.

    Parameters
    ----------
    raise_error
        Whether to raise an error instead; `on_train_end` of callbacks is then not called.

    Raises
    ------
    RuntimeError
        On the way, if `raise_error` is set.

    Examples
    --------
    >>> callback = TerminateOnNaN()
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Take note of the epoch, for the message."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"TerminateOnNaN: the loss is {float(loss)} at batch {batch} of epoch "
                f"{self._epoch + 1} (batches count from 0)."
            )
        print(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
