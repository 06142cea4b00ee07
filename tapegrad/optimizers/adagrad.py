"""Adagrad."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import ScaleByAdagrad

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Gradients divided by the root of the sum of all their squares.

    ``a ← a + g²;  w ← w - η g / √(a + ε)`` (J. Duchi, E. Hazan and Y. Singer, *Adaptive subgradient
    methods for online learning and stochastic optimization*, JMLR 12, 2011).

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function.
    initial_accumulator_value
        The first a.
    epsilon
        ε.
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
    >>> Adagrad(learning_rate=0.1, initial_accumulator_value=0.0).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    0.9
    """

    initial_accumulator_value = FromRule()
    epsilon = FromRule()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
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
        self.rule = ScaleByAdagrad(initial_accumulator_value, epsilon)
