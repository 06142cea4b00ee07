"""Adafactor."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import ScaleByFactoredRms

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adaptive steps that keep second moments of a matrix by its rows and columns alone.

    With running means r of ``g² + ε₁`` by rows and c by columns, of decay ``1 - t^d``, and
    ``v = r c / mean(r)``; variables of fewer than two axes keep v itself::

        u = g / √v;  u ← u / max(1, rms(u) / threshold)
        w ← w - max(ε₂, rms(w)) · min(η, 1 / √t) · u

    (N. Shazeer and M. Stern, *Adafactor: adaptive learning rates with sublinear memory cost*,
    arXiv:1804.04235).

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function.
    beta_2_decay
        d.
    epsilon_1, epsilon_2
        ε₁ and ε₂.
    clip_threshold
        The threshold.
    relative_step
        Accepted as in Keras, where the rate is bounded by ``1 / √t`` either way.
    weight_decay … name
        What every `tapegrad.optimizers.Optimizer` takes.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable([[1.0, 1.0], [1.0, 1.0]])
    >>> Adafactor(learning_rate=0.5).apply([tg.tensor([[1.0, 1.0], [1.0, 1.0]])], [x])
    >>> x.numpy()
    array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    """

    beta_2_decay = FromRule()
    epsilon_1 = FromRule()
    epsilon_2 = FromRule()
    clip_threshold = FromRule()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
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
        self.relative_step = bool(relative_step)
        self.rule = ScaleByFactoredRms(beta_2_decay, epsilon_1, epsilon_2, clip_threshold)
