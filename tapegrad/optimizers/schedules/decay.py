"""Learning rates that fall: by steps, exponentially, as a polynomial, inversely with time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tapegrad.optimizers.schedules.base import LearningRateSchedule, checked_steps
from tapegrad_kernels._scalar.schedules import EXPONENTIAL, INVERSE_TIME, PIECEWISE, POLYNOMIAL

__all__ = [
    "ExponentialDecay",
    "InverseTimeDecay",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
]


class ExponentialDecay(LearningRateSchedule):
    """``η(t) = η₀ rᵗ/ᵀ``: after T steps the rate is r times what it was.

    Parameters
    ----------
    initial_learning_rate
        η₀.
    decay_steps
        T, above 0.
    decay_rate
        r.
    staircase
        Whether ``t / T`` is rounded down, so that the rate falls every T steps only.
    name
        A name.

    Raises
    ------
    ValueError
        If `decay_steps` is not above 0.

    Examples
    --------
    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)([0, 10, 20]).numpy()
    array([0.1  , 0.05 , 0.025])
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = float(initial_learning_rate)
        self.decay_steps = checked_steps("ExponentialDecay", "decay_steps", decay_steps)
        self.decay_rate = float(decay_rate)
        self.staircase = bool(staircase)
        self.name = name

    def kernel_numbers(self) -> tuple[float, ...]:
        """Return the schedule as kernels know it."""
        length, rate = self.decay_steps, self.decay_rate
        return 0, EXPONENTIAL, self.initial_learning_rate, length, rate, self.staircase


class InverseTimeDecay(LearningRateSchedule):
    """``η(t) = η₀ / (1 + r t / T)``.

    Parameters
    ----------
    initial_learning_rate
        η₀.
    decay_steps
        T, above 0.
    decay_rate
        r.
    staircase
        Whether ``t / T`` is rounded down.
    name
        A name.

    Raises
    ------
    ValueError
        If `decay_steps` is not above 0.

    Examples
    --------
    >>> InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)([0, 10, 30]).numpy()
    array([0.1  , 0.05 , 0.025])
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = float(initial_learning_rate)
        self.decay_steps = checked_steps("InverseTimeDecay", "decay_steps", decay_steps)
        self.decay_rate = float(decay_rate)
        self.staircase = bool(staircase)
        self.name = name

    def kernel_numbers(self) -> tuple[float, ...]:
        """Return the schedule as kernels know it."""
        length, rate = self.decay_steps, self.decay_rate
        return 0, INVERSE_TIME, self.initial_learning_rate, length, rate, self.staircase


class PolynomialDecay(LearningRateSchedule):
    """``η(t) = (η₀ - η₁) (1 - t / T)ᵖ + η₁`` up to step T, and η₁ after it.

    Parameters
    ----------
    initial_learning_rate
        η₀.
    decay_steps
        T, above 0.
    end_learning_rate
        η₁.
    power
        p; 1 is a straight line.
    cycle
        Whether, after T steps, T grows to the next multiple of it, so that the rate rises again and
        falls more slowly.
    name
        A name.

    Raises
    ------
    ValueError
        If `decay_steps` is not above 0.

    Examples
    --------
    >>> PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)([0, 5, 20]).numpy()
    array([0.1 , 0.05, 0.  ])
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str | None = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = float(initial_learning_rate)
        self.decay_steps = checked_steps("PolynomialDecay", "decay_steps", decay_steps)
        self.end_learning_rate = float(end_learning_rate)
        self.power = float(power)
        self.cycle = bool(cycle)
        self.name = name

    def kernel_numbers(self) -> tuple[float, ...]:
        """Return the schedule as kernels know it."""
        rates = self.initial_learning_rate, self.end_learning_rate
        return 0, POLYNOMIAL, *rates, self.decay_steps, self.power, self.cycle


class PiecewiseConstantDecay(LearningRateSchedule):
    """One rate up to each boundary, and another beyond the last.

    ``values[0]`` up to and with step ``boundaries[0]``, then ``values[1]``, and so on.

    Parameters
    ----------
    boundaries
        Steps, rising.
    values
        Rates, one more than boundaries.
    name
        A name.

    Raises
    ------
    ValueError
        If there is not one rate more than boundaries, or these do not rise.

    Examples
    --------
    >>> PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001])([10, 11, 21]).numpy()
    array([0.1  , 0.01 , 0.001])
    """

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str | None = "PiecewiseConstant",
    ) -> None:
        self.boundaries = list(boundaries)
        self.values = [float(value) for value in values]
        self.name = name
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"PiecewiseConstantDecay: got {len(self.boundaries)} boundaries and "
                f"{len(self.values)} values; expected one value more than boundaries."
            )
        if any(a >= b for a, b in pairwise(self.boundaries)):
            raise ValueError(
                f"PiecewiseConstantDecay: boundaries must rise, but are {self.boundaries}."
            )

    def kernel_numbers(self) -> tuple[float, ...]:
        """Return the schedule as kernels know it."""
        return 0, PIECEWISE, len(self.boundaries), *self.boundaries, *self.values
