"""Learning rates along a cosine, once or with restarts."""

from __future__ import annotations

from tapegrad.optimizers.schedules.base import LearningRateSchedule, checked_steps
from tapegrad_kernels._scalar.schedules import COSINE, COSINE_RESTARTS

__all__ = ["CosineDecay", "CosineDecayRestarts"]


class CosineDecay(LearningRateSchedule):
    """Half a wave of a cosine down to a share α, after a linear warm-up if wanted.

    ``η(t) = η₀ ((1 - α) (1 + cos(π t / T)) / 2 + α)`` up to step T, and ``α η₀`` after it
    (I. Loshchilov and F. Hutter, *SGDR: stochastic gradient descent with warm restarts*,
    arXiv:1608.03983). With a `warmup_target`, the rate first rises from η₀ to it in a straight
    line, and the cosine begins there (P. Goyal et al., arXiv:1706.02677).

    Parameters
    ----------
    initial_learning_rate
        η₀.
    decay_steps
        T, above 0; the steps of the warm-up come in addition.
    alpha
        α.
    name
        A name.
    warmup_target
        Where the warm-up ends; None for no warm-up.
    warmup_steps
        How long it lasts.

    Raises
    ------
    ValueError
        If `decay_steps` is not above 0, or `warmup_steps` is negative.

    Examples
    --------
    >>> CosineDecay(0.1, decay_steps=10)([0, 5, 10]).numpy().round(3)
    array([0.1 , 0.05, 0.  ])
    >>> warmed = CosineDecay(0.0, decay_steps=10, warmup_target=0.1, warmup_steps=4)
    >>> warmed([0, 2, 4, 9]).numpy().round(3)
    array([0.  , 0.05, 0.1 , 0.05])
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str | None = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate = float(initial_learning_rate)
        self.decay_steps = checked_steps("CosineDecay", "decay_steps", decay_steps)
        self.alpha = float(alpha)
        self.name = name
        self.warmup_target = None if warmup_target is None else float(warmup_target)
        if warmup_steps < 0:
            raise ValueError(f"CosineDecay: warmup_steps is {warmup_steps}; it must be at least 0.")
        self.warmup_steps = warmup_steps

    def kernel_numbers(self) -> tuple[float, ...]:
        """Return the schedule as kernels know it."""
        if self.warmup_target is None:
            return 0, COSINE, self.initial_learning_rate, self.decay_steps, self.alpha
        rise = self.initial_learning_rate, self.warmup_steps
        return 1, *rise, COSINE, self.warmup_target, self.decay_steps, self.alpha


class CosineDecayRestarts(LearningRateSchedule):
    """`CosineDecay` that starts again and again, over longer periods and from other heights.

    Period i, from 0, takes ``T · t_mulⁱ`` steps and begins at ``m_mulⁱ`` times the rate:
    ``η = η₀ ((1 - α) m_mulⁱ (1 + cos(π f)) / 2 + α)`` at the fraction f of the period
    (Loshchilov and Hutter, arXiv:1608.03983).

    Parameters
    ----------
    initial_learning_rate
        η₀.
    first_decay_steps
        T, above 0.
    t_mul
        How many times longer each period is than the one before, at least 1.
    m_mul
        How many times higher it begins.
    alpha
        α.
    name
        A name.

    Raises
    ------
    ValueError
        If `first_decay_steps` is not above 0, or `t_mul` is below 1.

    Examples
    --------
    >>> CosineDecayRestarts(0.1, first_decay_steps=10)([0, 5, 10, 20, 30]).numpy().round(3)
    array([0.1 , 0.05, 0.1 , 0.05, 0.1 ])
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str | None = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = float(initial_learning_rate)
        self.first_decay_steps = checked_steps(
            "CosineDecayRestarts", "first_decay_steps", first_decay_steps
        )
        if not t_mul >= 1:
            raise ValueError(f"CosineDecayRestarts: t_mul must be at least 1, but is {t_mul}.")
        self.t_mul = float(t_mul)
        self.m_mul = float(m_mul)
        self.alpha = float(alpha)
        self.name = name

    def kernel_numbers(self) -> tuple[float, ...]:
        """Return the schedule as kernels know it."""
        growth = self.t_mul, self.m_mul
        first = self.initial_learning_rate, self.first_decay_steps
        return 0, COSINE_RESTARTS, *first, *growth, self.alpha
