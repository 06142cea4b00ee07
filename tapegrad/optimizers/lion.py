"""Lion."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import ScaleByLion

__all__ = ["Lion"]


class Lion(Optimizer):
    """Steps of one size, in the direction of the sign of a mean gradient.

    ``w ← w - η sign(β₁ m + (1 - β₁) g)``, then ``m ← β₂ m + (1 - β₂) g`` (X. Chen et al., *Symbolic
    discovery of optimization algorithms*, arXiv:2302.06675). Its learning rate is usually some 3 to
    10 times smaller than Adam's, its weight decay so many times larger.

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function.
    beta_1
        Share of the momentum in the direction, in (0, 1].
    beta_2
        Decay of the momentum, in [0, 1].
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
    >>> Lion(learning_rate=0.1).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    0.9
    """

    beta_1 = FromRule()
    beta_2 = FromRule()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
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
        self.rule = ScaleByLion(beta_1, beta_2)
