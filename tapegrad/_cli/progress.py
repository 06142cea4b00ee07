"""The bar that shows training: one for the whole run, with what is left of it and live metrics."""

from __future__ import annotations

import time
from typing import Any

from tapegrad.callbacks import Callback

_SECONDS_BETWEEN_METRICS = 0.1

Logs = dict[str, Any]


class TrainingBar(Callback):
    """A tqdm bar over all steps of all epochs.

    Data of a few samples train for hundreds of epochs, each shorter than a blink;
    a bar for each, as `fit` shows by itself, would scroll everything else away.
    """

    takes_many_batches = True

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None
        self._next_refresh = 0.0
        self._validation: dict[str, str] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the bar."""
        from tqdm.auto import tqdm

        total = self.params["epochs"] * self.params["steps"]
        self._bar = tqdm(total=total, unit="step", dynamic_ncols=True)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Say which epoch it is."""
        self._bar.set_description(f"epoch {epoch + 1}/{self.params['epochs']}", refresh=False)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move on; show the metrics of the epoch so far, ten times a second at most."""
        self.on_train_batches_end(batch, 1, logs or {})

    def on_train_batches_end(self, batch: int, count: int, logs: Logs) -> None:
        """Move on by several batches."""
        now = time.monotonic()
        if now >= self._next_refresh:
            self._next_refresh = now + _SECONDS_BETWEEN_METRICS
            self._show(logs)
        self._bar.update(count)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the epoch's metrics, those of the test samples among them."""
        given = logs or {}
        self._validation = {
            f"test {name.removeprefix('val_')}": f"{float(value):.4f}"
            for name, value in given.items()
            if name.startswith("val_")
        }
        self._show({name: value for name, value in given.items() if not name.startswith("val_")})

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the bar."""
        self._bar.close()

    def _show(self, logs: Logs | None) -> None:
        shown = {name: f"{float(value):.4f}" for name, value in (logs or {}).items()}
        self._bar.set_postfix({**shown, **self._validation}, refresh=False)
