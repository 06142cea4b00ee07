"""A progress bar for loops of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["Progbar"]


class Progbar:
    """A progress bar with values, for training loops written by hand.

    Parameters
    ----------
    target
        The number of steps; None if it is not known.
    width
        Accepted for Keras's signature: the bar fits the terminal.
    verbose
        0 is silent, 1 a bar, 2 a line at the end.
    interval
        The least time between two drawings in seconds.
    stateful_metrics
        Names of values that are shown as they are; the others are averaged until the last step.
    stateless_metrics
        Names of values that are averaged; the others are shown as they are.
    unit_name
        What a step is called.

    Raises
    ------
    ValueError
        If both kinds of names are given.

    Examples
    --------
    >>> bar = Progbar(10, verbose=0)
    >>> bar.update(1, [("loss", 1.0)])
    >>> bar.update(2, [("loss", 0.0)])
    >>> bar.values()
    {'loss': 0.5}
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar: give stateful_metrics or stateless_metrics, not both: each says that "
                "values not named are of the other kind."
            )
        self.target = target
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self._shown_as_is = None if stateful_metrics is None else set(stateful_metrics)
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._sums: dict[str, tuple[float, float]] = {}
        self._seen = 0
        self._bar: Any = None

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, float]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Move the bar to a step.

        Parameters
        ----------
        current
            The number of steps done.
        values
            Names and values of the last step.
        finalize
            Whether this is the last step; by default if `current` has reached the target.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        weight = max(current - self._seen, 1)
        for name, value in values or ():
            if finalize or not self._is_averaged(name):  # the last values are final ones
                self._sums[name] = (float(value), 1.0)
            else:
                total, count = self._sums.get(name, (0.0, 0.0))
                self._sums[name] = (total + float(value) * weight, count + weight)
        step, self._seen = current - self._seen, current
        if self.verbose == 1:
            self._draw(step, finalize)
        elif self.verbose == 2 and finalize:
            values_text = "".join(f" - {name}: {text}" for name, text in self._texts().items())
            print(f"{current}/{self.target or current}{values_text}", flush=True)

    def add(self, n: int, values: Iterable[tuple[str, float]] | None = None) -> None:
        """Move the bar on by `n` steps."""
        self.update(self._seen + n, values)

    def values(self) -> dict[str, float]:
        """Return the values as they are shown."""
        return {name: total / count for name, (total, count) in self._sums.items()}

    def _is_averaged(self, name: str) -> bool:
        if self._averaged is not None:
            return name in self._averaged
        return name not in (self._shown_as_is or ())

    def _texts(self) -> dict[str, str]:
        return {name: f"{value:.4g}" for name, value in self.values().items()}

    def _draw(self, step: int, finalize: bool) -> None:
        if self._bar is None:
            from tqdm.auto import tqdm

            self._bar = tqdm(
                total=self.target,
                unit=self.unit_name,
                mininterval=self.interval,
                dynamic_ncols=True,
            )
        self._bar.set_postfix(self._texts(), refresh=finalize)
        self._bar.update(step)
        if finalize:
            self._bar.close()
            self._bar = None
