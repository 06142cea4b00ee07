"""Lamb."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import ScaleByLamb

__all__ = ["Lamb"]


class Lamb(Optimizer):
    """`Adam` whose step for each variable is as long as a share η of the variable.

    ``w ← w - η ‖w‖ / ‖d‖ · d`` with Adam's direction ``d = m̂ / (√v̂ + ε)``, both moments corrected
    for their bias; the ratio of norms is 1 where one is 0 (Y. You et al., *Large batch optimization
    for deep learning: training BERT in 76 minutes*, arXiv:1904.00962).

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
    >>> Lamb(learning_rate=0.1).apply([tg.tensor(5.0)], [x])
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
        self.rule = ScaleByLamb(beta_1, beta_2, epsilon)
