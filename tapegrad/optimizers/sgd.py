"""Stochastic gradient descent."""

from __future__ import annotations

from tapegrad._core.variable import Variable
from tapegrad.ops import sgd_update
from tapegrad.optimizers.base import Optimizer, legacy_learning_rate

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
        η.
    momentum
        μ, in [0, 1].
    nesterov
        Whether to use Nesterov's form.
    name
        By default ``"sgd"``.
    lr
        The old name of `learning_rate`, with a deprecation note.

    Raises
    ------
    ValueError
        If the momentum lies outside [0, 1].

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

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        name: str | None = "sgd",
        *,
        lr: float | None = None,
    ) -> None:
        super().__init__(legacy_learning_rate(learning_rate, lr), name)
        if not 0 <= momentum <= 1:
            raise ValueError(f"SGD: momentum must lie in [0, 1], but is {momentum}.")
        self.momentum = float(momentum)
        self.nesterov = bool(nesterov)
        if momentum:
            self.slot_names = ("velocity",)  # type: ignore[misc]

    def update(self, parameters: Variable, gradients: Variable, slots: dict[str, Variable]) -> None:
        """Update one buffer of parameters in place."""
        sgd_update(
            parameters,
            gradients,
            slots.get("velocity"),
            self._learning_rate,
            self.momentum,
            self.nesterov,
        )
