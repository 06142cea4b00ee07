"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import Trace
from tapegrad.optimizers.transformations.checks import in_interval

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted.

    With gradients g, learning rate η and momentum μ::

        w ← w - η g                            without momentum
        v ← μ v - η g;  w ← w + v              with momentum (Polyak, 1964)
        v ← μ v - η g;  w ← w + μ v - η g      with Nesterov momentum (Sutskever et al., 2013)

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function.
    momentum
        μ, in [0, 1].
    nesterov
        Whether to use Nesterov's form.
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
    >>> optimizer = SGD(learning_rate=0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.apply([tg.tensor(1.0)], [x])
    >>> round(float(x), 4)
    0.71
    """

    momentum = FromRule()
    nesterov = FromRule()

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        self.rule = Trace(in_interval("SGD", "momentum", momentum, closed=True), nesterov)
