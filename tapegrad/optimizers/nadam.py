"""Nadam."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import ScaleByNadam

__all__ = ["Nadam"]


class Nadam(Optimizer):
    """`Adam` with Nesterov's momentum (T. Dozat, ICLR workshop 2016).

    With m and v as in `Adam`, ``μ(t) = β₁ (1 - 0.96ᵗ / 2)`` and the product P(t) of all of these up
    to step t::

        n = μ(t + 1) m / (1 - P(t + 1)) + (1 - μ(t)) g / (1 - P(t))
        w ← w - η n / (√(v / (1 - β₂ᵗ)) + ε)

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
    >>> Nadam(learning_rate=0.1).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    0.8937
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
        self.rule = ScaleByNadam(beta_1, beta_2, epsilon)
