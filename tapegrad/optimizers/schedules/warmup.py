"""Learning rates that rise first: warm-up before another schedule, and one cycle."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.optimizers.schedules.base import (
    LearningRateSchedule,
    checked_steps,
    kernel_numbers_of,
)
from tapegrad_kernels._scalar.schedules import CONSTANT, ONE_CYCLE

__all__ = ["OneCycle", "Warmup"]


class Warmup(LearningRateSchedule):
    """A straight rise to a rate, or to the beginning of another schedule, which follows.

    ``η(t) = η₀ + (η₁ - η₀) t / W`` for t < W; then the target, counted from there: η₁, or
    ``target(t - W)`` with ``η₁ = target(0)`` (P. Goyal et al., *Accurate, large minibatch SGD*,
    arXiv:1706.02677).

    Parameters
    ----------
    target
        A number, or a schedule.
    warmup_steps
        W, above 0.
    initial_learning_rate
        η₀.
    name
        A name.

    Raises
    ------
    ValueError
        If `warmup_steps` is not above 0.
    TypeError
        If the target is neither a number nor a schedule.

    Examples
    --------
    >>> Warmup(0.1, warmup_steps=4)([0, 2, 4, 100]).numpy()
    array([0.  , 0.05, 0.1 , 0.1 ])
    >>> from tapegrad.optimizers.schedules import ExponentialDecay
    >>> Warmup(ExponentialDecay(0.1, 10, 0.5), warmup_steps=4)([2, 4, 14]).numpy()
    array([0.05, 0.1 , 0.05])
    """

    def __init__(
        self,
        target: float | LearningRateSchedule,
        warmup_steps: float,
        initial_learning_rate: float = 0.0,
        name: str | None = "Warmup",
    ) -> None:
        if not (callable(target) or isinstance(target, int | float | np.number)):
            raise TypeError(
                f"Warmup: target must be a number or a schedule, not {type(target).__name__}."
            )
        self.target: Any = target
        self.warmup_steps = checked_steps("Warmup", "warmup_steps", warmup_steps)
        self.initial_learning_rate = float(initial_learning_rate)
        self.name = name

    def kernel_numbers(self) -> tuple[float, ...] | None:
        """Return the schedule as kernels know it, if they know its target."""
        rise = self.initial_learning_rate, self.warmup_steps
        if not callable(self.target):
            return 1, *rise, CONSTANT, float(self.target)
        target = kernel_numbers_of(self.target)
        return None if target is None else (target[0] + 1, *rise, *target[1:])

    def value(self, step: float) -> float:
        """Return the learning rate of a step."""
        if step >= self.warmup_steps:
            return self._target(step - self.warmup_steps)
        rise = self._target(0.0) - self.initial_learning_rate
        return self.initial_learning_rate + rise * step / self.warmup_steps

    def _target(self, step: float) -> float:
        value: Any = self.target(step) if callable(self.target) else self.target
        return float(value)


class OneCycle(LearningRateSchedule):
    """One rise to a high rate and one fall, to far below the beginning.

    From ``peak / initial_divisor`` up to the peak, then down to
    ``peak / (initial_divisor · final_divisor)`` at the last step, each along a cosine or a straight
    line (L. N. Smith and N. Topin, *Super-convergence*, arXiv:1708.07120). The numbers are those of
    PyTorch's OneCycleLR with its two phases. After the last step the rate stays.

    Parameters
    ----------
    max_learning_rate
        The peak.
    total_steps
        The length of the cycle, at least 2.
    warmup_fraction
        Which part of it rises, in (0, 1).
    initial_divisor, final_divisor
        How far below the peak the cycle begins, and how far below its beginning it ends.
    anneal
        ``"cosine"`` or ``"linear"``.
    name
        A name.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> OneCycle(1.0, total_steps=11, warmup_fraction=0.5)([0, 4.5, 10]).numpy()
    array([4.e-02, 1.e+00, 4.e-06])
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        warmup_fraction: float = 0.3,
        initial_divisor: float = 25.0,
        final_divisor: float = 1e4,
        anneal: str = "cosine",
        name: str | None = "OneCycle",
    ) -> None:
        if not total_steps >= 2:
            raise ValueError(f"OneCycle: total_steps must be at least 2, but is {total_steps}.")
        if not 0 < warmup_fraction < 1:
            raise ValueError(
                f"OneCycle: warmup_fraction must lie in (0, 1), but is {warmup_fraction}."
            )
        if anneal not in ("cosine", "linear"):
            raise ValueError(f'OneCycle: anneal must be "cosine" or "linear", but is {anneal!r}.')
        self.max_learning_rate = float(max_learning_rate)
        self.total_steps = total_steps
        self.warmup_fraction = float(warmup_fraction)
        self.initial_divisor = checked_steps("OneCycle", "initial_divisor", initial_divisor)
        self.final_divisor = checked_steps("OneCycle", "final_divisor", final_divisor)
        self.anneal = anneal
        self.name = name

    def kernel_numbers(self) -> tuple[float, ...]:
        """Return the schedule as kernels know it."""
        divisors = self.initial_divisor, self.final_divisor
        length = self.total_steps, self.warmup_fraction
        return 0, ONE_CYCLE, self.max_learning_rate, *length, *divisors, self.anneal == "cosine"
