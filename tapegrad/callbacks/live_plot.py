"""Curves of a running training, in notebooks."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Sequence
from typing import Any

from tapegrad.callbacks.base import Callback, Logs

__all__ = ["LivePlot"]


class LivePlot(Callback):
    """Draws loss and metrics by epoch while training runs, in the output of a notebook's cell.

    The figure is replaced in place after each epoch, at most once in `seconds`, and after the
    last one. Outside of notebooks nothing is drawn.

    Parameters
    ----------
    metrics
        The names of the values that are drawn, a panel each, with those of the validation beside
        them. By default all.
    figsize
        Width and height of a panel in inches.
    seconds
        The least time between two drawings.

    Examples
    --------
    >>> plot = LivePlot(metrics=["loss", "accuracy"])
    """

    def __init__(
        self,
        metrics: Sequence[str] | None = None,
        figsize: tuple[float, float] = (4.5, 3.0),
        seconds: float = 0.5,
    ) -> None:
        super().__init__()
        self.metrics = None if metrics is None else list(metrics)
        self.figsize = figsize
        self.seconds = seconds
        self.history: dict[str, list[tuple[int, float]]] = {}
        self._display: Any = None
        self._active = False
        self._drawn_at = -float("inf")
        self._drawn_epochs = 0
        self._epochs = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin a new figure."""
        self.history = {}
        self._display = None
        self._active = _in_notebook()
        self._drawn_at = -float("inf")
        self._drawn_epochs = self._epochs = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add the epoch's values, and draw if it is time."""
        for name, value in (logs or {}).items():
            if isinstance(value, int | float):
                self.history.setdefault(name, []).append((epoch + 1, float(value)))
        self._epochs += 1
        if self._active and time.monotonic() - self._drawn_at >= self.seconds:
            self._draw()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Draw the last epochs."""
        if self._active and self._drawn_epochs < self._epochs:
            self._draw()

    def get_state(self) -> dict[str, Any]:
        """Return the values so far."""
        return {"history": {k: [list(point) for point in v] for k, v in self.history.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on with the curves of an earlier process."""
        self.history = {
            name: [(int(epoch), float(value)) for epoch, value in points]
            for name, points in state["history"].items()
        }

    def figure(self) -> Any:
        """Return the curves so far as a matplotlib figure."""
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        names = self.metrics
        if names is None:
            names = [name for name in self.history if not name.startswith("val_")]
        width, height = self.figsize
        figure = Figure(figsize=(width * max(1, len(names)), height), layout="constrained")
        for number, name in enumerate(names):
            axes = figure.add_subplot(1, len(names), number + 1)
            for key, label in ((name, "training"), (f"val_{name}", "validation")):
                points = self.history.get(key, [])
                if points:
                    axes.plot(*zip(*points), marker="o", markersize=3, label=label)
            axes.set_title(name)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            if axes.lines:
                axes.legend()
        return figure

    def _draw(self) -> None:
        from IPython.display import Image, display

        buffer = io.BytesIO()
        self.figure().savefig(buffer, format="png", dpi=90)
        image = Image(data=buffer.getvalue())
        if self._display is None:
            self._display = display(image, display_id=True)
        else:
            self._display.update(image)
        # After drawing: its own time must not count as training's.
        self._drawn_at = time.monotonic()
        self._drawn_epochs = self._epochs


def _in_notebook() -> bool:
    """Whether the code runs in a kernel that shows pictures."""
    if "IPython" not in sys.modules:  # not imported: then no notebook imported it
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
