"""Adam and its kin: running means of gradients and of their squares."""

from __future__ import annotations

from tapegrad import ops
from tapegrad._core.variable import Variable
from tapegrad.optimizers.transformations.base import Rule, Settings, Slots, zeros
from tapegrad.optimizers.transformations.checks import checked_epsilon, in_interval

__all__ = [
    "ScaleByAdam",
    "ScaleByAdamax",
    "ScaleByNadam",
    "scale_by_adam",
    "scale_by_adamax",
    "scale_by_nadam",
]


class _Moments(Rule):
    """What the rules of this file share: two decays and ε."""

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7) -> None:
        owner = type(self).__name__.removeprefix("ScaleBy")
        self.beta_1 = in_interval(owner, "beta_1", beta_1)
        self.beta_2 = in_interval(owner, "beta_2", beta_2)
        self.epsilon = checked_epsilon(owner, epsilon)


class ScaleByAdam(_Moments):
    """Gradients averaged, and divided by the root of their averaged squares.

    With the number t of the update, from 1::

        m ← β₁ m + (1 - β₁) g
        v ← β₂ v + (1 - β₂) g²
        u = √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)

    (D. P. Kingma and J. Ba, *Adam: a method for stochastic optimization*, arXiv:1412.6980). ε
    stands outside the bias correction, as in Keras. With `amsgrad`, the largest v up to now takes
    its place in u (S. J. Reddi, S. Kale and S. Kumar, ICLR 2018).

    Parameters
    ----------
    beta_1, beta_2
        The decay of the two running means, in [0, 1).
    epsilon
        ε.
    amsgrad
        Whether to divide by the largest mean of squares up to now.

    Raises
    ------
    ValueError
        If a decay lies outside [0, 1), or epsilon is negative.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable(0.0)
    >>> tg.optimizers.chain(scale_by_adam(), scale(-0.1)).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    -0.1
    """

    def __init__(
        self,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(beta_1, beta_2, epsilon)
        self.amsgrad = bool(amsgrad)
        moments = {"momentum": 0.0, "velocity": 0.0}
        self.slots = moments | ({"velocity_hat": 0.0} if amsgrad else {})

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.adam_update(
            parameters,
            gradients,
            slots["momentum"],
            slots["velocity"],
            by.learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            by.count,
            slots.get("velocity_hat"),
            by.weight_decay,
        )


class ScaleByNadam(_Moments):
    """Adam with Nesterov's momentum.

    With m and v as in `ScaleByAdam`, the momentum ``μ(t) = β₁ (1 - 0.96ᵗ / 2)`` of step t and the
    product P(t) of all up to it::

        n = μ(t + 1) m / (1 - P(t + 1)) + (1 - μ(t)) g / (1 - P(t))
        u = n / (√(v / (1 - β₂ᵗ)) + ε)

    (T. Dozat, *Incorporating Nesterov momentum into Adam*, ICLR workshop 2016).

    Parameters
    ----------
    beta_1, beta_2, epsilon
        As in `ScaleByAdam`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable(0.0)
    >>> tg.optimizers.chain(scale_by_nadam(), scale(-0.1)).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 3)
    -0.106
    """

    slots = zeros("momentum", "velocity")

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.nadam_update(
            parameters,
            gradients,
            slots["momentum"],
            slots["velocity"],
            by.learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            by.count,
            by.weight_decay,
        )


class ScaleByAdamax(_Moments):
    """Adam with the largest gradient, fading, in place of the mean of squares.

    ``u = m / ((1 - β₁ᵗ) (n + ε))`` with ``n ← max(β₂ n, |g|)`` (section 7.1 of Kingma and Ba,
    arXiv:1412.6980).

    Parameters
    ----------
    beta_1, beta_2, epsilon
        As in `ScaleByAdam`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable(0.0)
    >>> tg.optimizers.chain(scale_by_adamax(), scale(-0.1)).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    -0.1
    """

    slots = zeros("momentum", "norm")

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.adamax_update(
            parameters,
            gradients,
            slots["momentum"],
            slots["norm"],
            by.learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            by.count,
            by.weight_decay,
        )


scale_by_adam = ScaleByAdam
scale_by_nadam = ScaleByNadam
scale_by_adamax = ScaleByAdamax
