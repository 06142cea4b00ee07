"""Adadelta."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import ScaleByAdadelta

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Steps on the scale of earlier steps, from running means of squares.

    ``a ← ρ a + (1 - ρ) g²;  d = √(b + ε) / √(a + ε) · g;  b ← ρ b + (1 - ρ) d²;  w ← w - η d``
    (M. D. Zeiler, *ADADELTA: an adaptive learning rate method*, arXiv:1212.5701). The paper has no
    η; a learning rate of 1 is its form.

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function.
    rho
        ρ, in [0, 1).
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
    >>> Adadelta(learning_rate=1.0, rho=0.0, epsilon=1.0).apply([tg.tensor(1.0)], [x])
    >>> round(float(x), 4)
    0.2929
    """

    rho = FromRule()
    epsilon = FromRule()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
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
        self.rule = ScaleByAdadelta(rho, epsilon)
