"""Steps along the gradient, its running mean, or the sign of that."""

from __future__ import annotations

from tapegrad import ops
from tapegrad._core.variable import Variable
from tapegrad.optimizers.transformations.base import Rule, Settings, Slots, zeros
from tapegrad.optimizers.transformations.checks import in_interval

__all__ = ["Identity", "ScaleByLion", "Trace", "identity", "scale_by_lion", "trace"]


class Identity(Rule):
    """The gradient itself: ``u = g``. As an update, ``p ← p - η g``.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable(0.0)
    >>> tg.optimizers.chain(identity(), scale(-0.5)).apply([tg.tensor(2.0)], [x])
    >>> float(x)
    -1.0
    """

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.sgd_update(parameters, gradients, None, by.learning_rate, 0.0, False, by.weight_decay)


class Trace(Rule):
    """Momentum: a sum of the updates in which older ones fade.

    ``v ← μ v + u``, and the update becomes v, or with Nesterov's form ``μ v + u``
    (B. T. Polyak, 1964; I. Sutskever et al., *On the importance of initialization and momentum in
    deep learning*, ICML 2013).

    As the rule of `SGD`, the learning rate is inside the sum: ``v ← μ v - η g; p ← p + v``.

    Parameters
    ----------
    momentum
        μ, in [0, 1].
    nesterov
        Whether to use Nesterov's form.

    Raises
    ------
    ValueError
        If the momentum lies outside [0, 1].

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable(0.0)
    >>> optimizer = tg.optimizers.chain(trace(0.5), scale(-1.0))
    >>> for _ in range(2):
    ...     optimizer.apply([tg.tensor(1.0)], [x])
    >>> float(x)
    -2.5
    """

    takes_rate = False

    def __init__(self, momentum: float, nesterov: bool = False) -> None:
        self.momentum = in_interval("trace", "momentum", momentum, closed=True)
        self.nesterov = bool(nesterov)
        self.slots = {"momentum": 0.0} if momentum else {}

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.sgd_update(
            parameters,
            gradients,
            slots.get("momentum"),
            by.learning_rate,
            self.momentum,
            self.nesterov,
            by.weight_decay,
        )


class ScaleByLion(Rule):
    """The sign of a mean of the gradient and its momentum: all elements move equally far.

    ``u = sign(β₁ m + (1 - β₁) g)``, then ``m ← β₂ m + (1 - β₂) g`` (X. Chen et al., *Symbolic
    discovery of optimization algorithms*, arXiv:2302.06675).

    Parameters
    ----------
    beta_1
        Share of the momentum in the direction, in (0, 1].
    beta_2
        Decay of the momentum.

    Raises
    ------
    ValueError
        If a share lies outside its interval.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable([0.0, 0.0])
    >>> tg.optimizers.chain(scale_by_lion(), scale(-0.5)).apply([tg.tensor([3.0, -0.1])], [x])
    >>> x.numpy()
    array([-0.5,  0.5], dtype=float32)
    """

    slots = zeros("momentum")

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.99) -> None:
        if not 0 < beta_1 <= 1:
            raise ValueError(
                f"Lion: beta_1 must lie in (0, 1], but is {beta_1}: without momentum the update is "
                "the sign of the gradient."
            )
        self.beta_1 = float(beta_1)
        self.beta_2 = in_interval("Lion", "beta_2", beta_2, closed=True)

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.lion_update(
            parameters,
            gradients,
            slots["momentum"],
            by.learning_rate,
            self.beta_1,
            self.beta_2,
            by.weight_decay,
        )


identity = Identity
trace = Trace
scale_by_lion = ScaleByLion
