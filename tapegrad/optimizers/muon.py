"""Muon."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tapegrad._core.variable import Variable
from tapegrad.optimizers.arguments import FromRule
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import Orthogonalize, Rule, ScaleByAdam

__all__ = ["Muon"]


class Muon(Optimizer):
    """Steps of matrices along the nearest orthogonal matrix; `Adam` for all other variables.

    For a matrix ``m ← μ m + g``, and ``w ← w - η · r √(longer side) · O``, where O is ``g + μ m``
    (without `nesterov`, m) after some iterations of ``x ← a x + (b A + c A²) x``, ``A = x xᵀ``,
    which bring its singular values near 1 (K. Jordan et al., *Muon: an optimizer for hidden layers
    in neural networks*, 2024; J. Liu et al., arXiv:2502.16982, for the length).

    Parameters
    ----------
    learning_rate
        η: a number, a schedule, or a function.
    adam_beta_1, adam_beta_2, epsilon
        Of `Adam`.
    adam_weight_decay, weight_decay
        λ, decoupled, for variables that follow Adam, and for the matrices; None for none.
    clipnorm … name
        What every `tapegrad.optimizers.Optimizer` takes.
    exclude_layers
        Patterns: variables in whose names one is found follow Adam.
    exclude_embeddings
        Whether variables called embeddings follow Adam.
    muon_a, muon_b, muon_c
        a, b and c.
    adam_lr_ratio
        How many times larger Adam's learning rate is.
    momentum
        μ.
    ns_steps
        The number of iterations.
    nesterov
        Whether to use Nesterov's form.
    rms_rate
        r; None for a length of 1 in place of ``r √(longer side)``.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable([[0.0, 0.0], [0.0, 0.0]])
    >>> optimizer = Muon(learning_rate=1.0, rms_rate=None)
    >>> optimizer.apply([tg.tensor([[5.0, 0.0], [0.0, 5.0]])], [x])
    >>> abs(x.numpy() + [[1, 0], [0, 1]]).max() < 0.35
    np.True_
    """

    adam_beta_1 = FromRule("beta_1", "_adam")
    adam_beta_2 = FromRule("beta_2", "_adam")
    epsilon = FromRule("epsilon", "_adam")
    muon_a = FromRule("a")
    muon_b = FromRule("b")
    muon_c = FromRule("c")
    ns_steps = FromRule("steps")
    momentum = FromRule()
    nesterov = FromRule()
    rms_rate = FromRule()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
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
        if not adam_lr_ratio > 0:
            raise ValueError(f"Muon: adam_lr_ratio must be above 0, but is {adam_lr_ratio}.")
        self.adam_weight_decay = adam_weight_decay
        self.adam_lr_ratio = float(adam_lr_ratio)
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = bool(exclude_embeddings)
        coefficients = muon_a, muon_b, muon_c
        self.rule = Orthogonalize(momentum, nesterov, ns_steps, coefficients, rms_rate)
        self._adam = ScaleByAdam(adam_beta_1, adam_beta_2, epsilon)

    def _rules(self) -> tuple[Rule, ...]:
        return self.rule, self._adam

    def _rule_for(self, variable: Variable) -> Rule:
        if variable.ndim != 2:
            return self._adam
        if self.exclude_embeddings and "embedding" in variable.name.lower():
            return self._adam
        if any(re.search(pattern, variable.name) for pattern in self.exclude_layers):
            return self._adam
        return self.rule

    def _rate_and_decay(self, rule: Rule) -> tuple[Any, float]:
        if rule is self.rule:
            return self._learning_rate, self.weight_decay or 0.0
        decay = self.adam_weight_decay or 0.0
        if self.adam_lr_ratio == 1.0:
            return self._learning_rate, decay
        # Weights decay by the learning rate itself: what the rate is multiplied by is taken back.
        return self._learning_rate * self.adam_lr_ratio, decay / self.adam_lr_ratio
