"""Adam."""

from __future__ import annotations

from typing import ClassVar

from tapegrad._core.variable import Variable
from tapegrad.ops import adam_update
from tapegrad.optimizers.base import Optimizer, legacy_learning_rate

__all__ = ["Adam"]


class Adam(Optimizer):
    """Steps scaled by running means of gradients and of their squares (Kingma and Ba, 2015).

    With gradients g, learning rate η and step t = 1, 2, …::

        m ← β₁ m + (1 - β₁) g
        v ← β₂ v + (1 - β₂) g²
        w ← w - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)

    ε stands outside the bias correction, as in Keras (the "epsilon hat" of the paper).

    Parameters
    ----------
    learning_rate
        η.
    beta_1, beta_2
        The decay of the two running means, in [0, 1).
    epsilon
        ε, which bounds the steps where gradients have been tiny.
    name
        By default ``"adam"``.
    lr
        The old name of `learning_rate`, with a deprecation note.

    Raises
    ------
    ValueError
        If a decay lies outside [0, 1), or epsilon is negative.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(1.0)
    >>> Adam(learning_rate=0.1).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    0.9
    """

    slot_names: ClassVar[tuple[str, ...]] = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str | None = "adam",
        *,
        lr: float | None = None,
    ) -> None:
        super().__init__(legacy_learning_rate(learning_rate, lr), name)
        for label, decay in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not 0 <= decay < 1:
                raise ValueError(f"Adam: {label} must lie in [0, 1), but is {decay}.")
        if epsilon < 0:
            raise ValueError(f"Adam: epsilon must not be negative, but is {epsilon}.")
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)

    def update(self, parameters: Variable, gradients: Variable, slots: dict[str, Variable]) -> None:
        """Update one buffer of parameters in place."""
        adam_update(
            parameters,
            gradients,
            slots["momentum"],
            slots["velocity"],
            self._learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            self.iterations,
        )
