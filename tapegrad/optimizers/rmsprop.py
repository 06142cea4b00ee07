"""RMSprop."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import ScaleByRms

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Gradients divided by the root of the running mean of their squares.

    With gradients g, learning rate η and momentum μ::

        v ← ρ v + (1 - ρ) g²
        m ← μ m + η g / √(v + ε);  w ← w - m

    (T. Tieleman and G. Hinton, lecture 6.5 of *Neural Networks for Machine Learning*, 2012). The
    centered form takes the square of the mean gradient off v in the divisor (A. Graves,
    arXiv:1308.0850).

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function.
    rho
        ρ, in [0, 1).
    momentum
        μ, in [0, 1].
    epsilon
        ε.
    centered
        Whether to divide by an estimate of the deviation.
    weight_decay … name
        What every `tapegrad.optimizers.Optimizer` takes.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(1.0)
    >>> RMSprop(learning_rate=0.1, rho=0.0).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    0.9
    """

    rho = FromRule()
    momentum = FromRule()
    epsilon = FromRule()
    centered = FromRule()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **kwargs,
        )
        self.rule = ScaleByRms(rho, epsilon, centered, momentum)
