"""What was measured, epoch by epoch."""

from __future__ import annotations

from typing import Any

from tapegrad.callbacks.base import Callback, Logs

__all__ = ["History"]


class History(Callback):
    """Keeps the values of each whole epoch; `fit` adds one by itself and returns it.

    Attributes
    ----------
    history : dict
        A list of Python floats, one an epoch, under each name: ``"loss"``, the metrics as they
        were named, and with ``val_`` before it the same of the validation data.
    epoch : list of int
        The epochs' numbers, from 0.

    Examples
    --------
    >>> history = History()
    >>> history.on_epoch_end(0, {"loss": 0.5})
    >>> history.history
    {'loss': [0.5]}
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self._known: set[str] = set()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the epochs of an earlier run."""
        self.epoch = []
        self.history = {}

    def get_state(self) -> dict[str, Any]:
        """Return the values of the epochs so far."""
        return {
            "history": {name: list(values) for name, values in self.history.items()},
            "epoch": list(self.epoch),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on after the epochs of an earlier process."""
        self.history = {name: list(values) for name, values in state["history"].items()}
        self.epoch = [int(epoch) for epoch in state["epoch"]]

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append the epoch's values."""
        self.epoch.append(epoch)
        self._known = set()
        self.complete(logs or {})

    def extend(self, first: int, columns: dict[str, list[float]]) -> None:
        """Append the values of several epochs, the first of which has the number `first`."""
        for name, values in columns.items():
            self.history.setdefault(name, []).extend(values)
        count = len(next(iter(columns.values())))
        self.epoch.extend(range(first, first + count))
        self._known = set(columns)

    def complete(self, logs: Logs) -> None:
        """Append what later callbacks have added to the epoch's values."""
        for name, value in logs.items():
            if name not in self._known:
                self.history.setdefault(name, []).append(value)
        self._known.update(logs)
