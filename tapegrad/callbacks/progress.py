"""How training is shown while it runs."""

from __future__ import annotations

import time
from typing import Any

from tapegrad.callbacks.base import Callback, Logs

__all__ = ["EpochLine", "ProgressBar"]

_SECONDS_BETWEEN_METRICS = 0.1


def _shown(logs: Logs | None) -> dict[str, str]:
    """Return the numbers of the logs as short texts."""
    return {
        name: f"{value:.4g}" for name, value in (logs or {}).items() if isinstance(value, float)
    }


class ProgressBar(Callback):
    """A bar for each epoch, with the metrics so far; at its end those of the validation too.

    It is tqdm's, in terminals and notebooks alike. `fit` adds one by itself unless ``verbose=0``.

    Examples
    --------
    >>> bar = ProgressBar()
    """

    takes_many_batches = True

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None
        self._next_refresh = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Open the epoch's bar."""
        from tqdm.auto import tqdm

        epochs = self.params.get("epochs", 1)
        self._bar = tqdm(
            total=self.params.get("steps"),
            desc=f"Epoch {epoch + 1:>{len(str(epochs))}}/{epochs}",
            unit="step",
            dynamic_ncols=True,
        )
        self._next_refresh = 0.0

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar on."""
        self._show(logs)
        self._bar.update()

    def _show(self, logs: Logs | None) -> None:
        now = time.monotonic()
        if now >= self._next_refresh:
            self._next_refresh = now + _SECONDS_BETWEEN_METRICS
            self._bar.set_postfix(_shown(logs), refresh=False)

    def on_train_batches_end(self, batch: int, count: int, logs: Logs) -> None:
        """Move the bar on by several batches."""
        self._show(logs)
        self._bar.update(count)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the epoch's values and close its bar."""
        self._bar.set_postfix(_shown(logs))
        self._close()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the bar of an epoch that was interrupted."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class EpochLine(Callback):
    """One printed line an epoch, for logs: what ``verbose=2`` asks for.

    Examples
    --------
    >>> line = EpochLine()
    """

    def __init__(self) -> None:
        super().__init__()
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the clock."""
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Print the line."""
        seconds = time.monotonic() - self._started
        values = " - ".join(f"{name}: {text}" for name, text in _shown(logs).items())
        epochs = self.params.get("epochs", 1)
        print(f"Epoch {epoch + 1}/{epochs} - {seconds:.2f}s - {values}", flush=True)
