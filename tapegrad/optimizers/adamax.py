"""Adamax."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import ScaleByAdamax

__all__ = ["Adamax"]


class Adamax(Optimizer):
    """`Adam` with the largest gradient, fading, in place of the mean of squares.

    ``m ← β₁ m + (1 - β₁) g;  u ← max(β₂ u, |g|);  w ← w - η / (1 - β₁ᵗ) · m / (u + ε)``
    (section 7.1 of D. P. Kingma and J. Ba, arXiv:1412.6980).

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function.
    beta_1, beta_2
        The decay of the moments, in [0, 1).
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
    >>> Adamax(learning_rate=0.1).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    0.9
    """

    beta_1 = FromRule()
    beta_2 = FromRule()
    epsilon = FromRule()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
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
        self.rule = ScaleByAdamax(beta_1, beta_2, epsilon)
