"""Follow the regularized leader."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import FollowRegularizedLeader

__all__ = ["Ftrl"]


class Ftrl(Optimizer):
    """Parameters that would have been best for all gradients up to now, with penalties.

    With ``r(a) = a^(-power) / η``::

        b = a + g²
        z ← z + g + 2 λₛ w - (r(b) - r(a)) w
        w ← (clip(z, -λ₁, λ₁) - z) / (r(b) + 2 λ₂ + β / η);  a ← b

    An L1 penalty keeps weights at exactly zero (H. B. McMahan et al., *Ad click prediction: a view
    from the trenches*, KDD 2013).

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function.
    learning_rate_power
        The power, not above 0.
    initial_accumulator_value
        The first a.
    l1_regularization_strength, l2_regularization_strength
        λ₁ and λ₂.
    l2_shrinkage_regularization_strength
        λₛ.
    beta
        β.
    weight_decay … name
        What every `tapegrad.optimizers.Optimizer` takes.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(0.0)
    >>> Ftrl(learning_rate=0.1).apply([tg.tensor(1.0)], [x])
    >>> round(float(x), 4)
    -0.0953
    """

    learning_rate_power = FromRule()
    initial_accumulator_value = FromRule()
    l1_regularization_strength = FromRule("l1")
    l2_regularization_strength = FromRule("l2")
    l2_shrinkage_regularization_strength = FromRule("l2_shrinkage")
    beta = FromRule()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
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
        self.rule = FollowRegularizedLeader(
            learning_rate_power,
            initial_accumulator_value,
            l1_regularization_strength,
            l2_regularization_strength,
            l2_shrinkage_regularization_strength,
            beta,
        )
