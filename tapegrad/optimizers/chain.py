"""Optimizers made of transformations that the user puts in a row."""

from __future__ import annotations

from typing import Any

from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.transformations import (
    AddDecayedWeights,
    Identity,
    Rule,
    Scale,
    ScaleByLearningRate,
    Transformation,
)

__all__ = ["Chain", "chain"]


class Chain(Optimizer):
    """An optimizer that adds to the parameters what a row of transformations makes of gradients.

    ``u = tₙ(… t₂(t₁(g)));  p ← p + η u``. If the last transformation is `scale_by_learning_rate`,
    η is that rate; otherwise it is 1 and stands beside whatever factors the row contains.

    The end of the row is fused: a rule such as `scale_by_adam`, after it perhaps
    `add_decayed_weights`, then constant factors or the learning rate, are one kernel that also
    updates the parameters.

    Parameters
    ----------
    *transformations
        At least one, from `tapegrad.optimizers.transformations`.
    name
        By default ``"chain"``.
    **options
        What every `tapegrad.optimizers.Optimizer` takes: ``use_ema`` …

    Raises
    ------
    ValueError
        If there is no transformation, or one is given twice.
    TypeError
        If something else than a transformation is given.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import (
    ...     clip_by_global_norm,
    ...     scale_by_adam,
    ...     scale_by_learning_rate,
    ... )
    >>> x = tg.Variable(1.0)
    >>> optimizer = chain(clip_by_global_norm(1.0), scale_by_adam(), scale_by_learning_rate(0.1))
    >>> optimizer.apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    0.9
    """

    def __init__(
        self, *transformations: Transformation, name: str | None = None, **options: Any
    ) -> None:
        row = list(_checked(transformations))
        learning_rate: Any = 1.0
        # Parameters move against a rule's direction, at the rate η times this.
        factor = -1.0
        if isinstance(row[-1], ScaleByLearningRate):
            learning_rate, factor = row.pop().learning_rate, 1.0  # type: ignore[attr-defined]
        super().__init__(learning_rate, name=name, **options)
        while row and isinstance(row[-1], Scale):
            factor *= row.pop().step_size  # type: ignore[attr-defined]
        decay = 0.0
        if len(row) > 1 and isinstance(row[-1], AddDecayedWeights):
            before = row[-2]
            if isinstance(before, Rule) and before.takes_rate and not before.reads_parameters:
                decay = row.pop().weight_decay  # type: ignore[attr-defined]
        last = row[-1] if row else None
        self.rule = Identity()
        if isinstance(last, Rule) and last.takes_rate:
            row.pop()
            self.rule = last
        self._factor, self._added_decay = factor, decay
        self._before += row

    def _rate_and_decay(self, rule: Rule) -> tuple[Any, float]:
        rate = self._learning_rate
        decay = self._added_decay + (self.weight_decay or 0.0)
        return (rate if self._factor == 1.0 else rate * self._factor), decay


def _checked(transformations: tuple[Any, ...]) -> tuple[Transformation, ...]:
    if not transformations:
        raise ValueError("chain: give at least one transformation.")
    for number, each in enumerate(transformations):
        if not isinstance(each, Transformation):
            kind = each.__name__ if isinstance(each, type) else type(each).__name__
            hint = f"; call it: {kind}()" if isinstance(each, type) else ""
            raise TypeError(
                f"chain: argument {number} is {kind}, which is no transformation "
                f"(tapegrad.optimizers.transformations){hint}."
            )
        if any(each is other for other in transformations[:number]):
            raise ValueError(
                f"chain: argument {number} was given before; make another {type(each).__name__}."
            )
    return transformations


chain = Chain
