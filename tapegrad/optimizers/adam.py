"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import ScaleByAdam

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Steps scaled by running means of gradients and of their squares (Kingma and Ba, 2015).

    With gradients g, learning rate η and step t = 1, 2, …::

        m ← β₁ m + (1 - β₁) g
        v ← β₂ v + (1 - β₂) g²
        w ← w - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)

    ε stands outside the bias correction, as in Keras (the "epsilon hat" of the paper). With
    `amsgrad`, the largest v up to now takes its place in the last line (S. J. Reddi, S. Kale and
    S. Kumar, *On the convergence of Adam and beyond*, ICLR 2018).

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function.
    beta_1, beta_2
        The decay of the two running means, in [0, 1).
    epsilon
        ε, which bounds the steps where gradients have been tiny.
    amsgrad
        Whether to divide by the largest mean of squares up to now.
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
    >>> Adam(learning_rate=0.1).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    0.9
    """

    beta_1 = FromRule()
    beta_2 = FromRule()
    epsilon = FromRule()
    amsgrad = FromRule()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        self.rule = ScaleByAdam(beta_1, beta_2, epsilon, amsgrad)


class AdamW(Adam):
    """`Adam` with decoupled weight decay: ``w ← w - η λ w`` before each of its steps.

    The decay does not go through the running means, as the gradient of an L2 penalty would
    (I. Loshchilov and F. Hutter, *Decoupled weight decay regularization*, arXiv:1711.05101). As in
    Keras, it is Adam with another default of `weight_decay`.

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon, amsgrad
        As for `Adam`.
    weight_decay
        λ.
    clipnorm … name
        What every `tapegrad.optimizers.Optimizer` takes.

    Raises
    ------
    ValueError
        If an argument is out of its range, or `weight_decay` is None.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(1.0)
    >>> AdamW(learning_rate=0.1, weight_decay=0.5).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    0.85
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        if weight_decay is None:
            raise ValueError("AdamW: weight_decay must be a number; use Adam for none.")
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
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
