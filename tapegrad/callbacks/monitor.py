"""Callbacks that watch one value."""

from __future__ import annotations

import math
import warnings
from typing import Any

from tapegrad.callbacks.base import Callback, Logs

__all__ = ["MonitorCallback"]


class MonitorCallback(Callback):
    """Base of callbacks that watch one value and need to know which way is better.

    Parameters
    ----------
    monitor
        The name of the value in the logs.
    mode
        ``"min"``, ``"max"`` or ``"auto"``: down for losses and errors, up for accuracies, asked
        of the metric itself.
    baseline
        The value that the first one is compared with.
    min_delta
        An improvement by less than this does not count.

    Attributes
    ----------
    best : float or None
        The best value so far.

    Raises
    ------
    ValueError
        If `mode` is none of these.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        baseline: float | None = None,
        min_delta: float = 0,
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(
                f'{type(self).__name__}: mode is "auto", "min" or "max", not {mode!r}.'
            )
        self.monitor = monitor
        self.mode = mode
        self.best: float | None = baseline
        self.min_delta = abs(min_delta)
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
        if name.endswith(("accuracy", "acc", "precision", "recall", "f1_score", "auc")):
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

    def improves(self, current: float, reference: float | None) -> bool:
        """Whether a value is better than another by more than ``min_delta``.

        Anything is better than nothing, and any number than NaN.
        """
        if reference is None or math.isnan(reference):
            return reference is None or not math.isnan(current)
        sign = self.sign()
        return sign * current - self.min_delta > sign * reference

    def get_state(self) -> dict[str, Any]:
        """Return the best value so far."""
        return {"best": None if self.best is None else float(self.best)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Remember the best value of an earlier process."""
        self.best = state["best"]
