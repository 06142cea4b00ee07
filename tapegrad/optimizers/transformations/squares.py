"""Gradients divided by the root of their accumulated squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tapegrad import ops
from tapegrad._core.variable import Variable
from tapegrad.optimizers.transformations.base import Rule, Settings, Slots, zeros
from tapegrad.optimizers.transformations.checks import checked_epsilon, in_interval, not_negative

if TYPE_CHECKING:
    from tapegrad.optimizers.groups import Group

__all__ = [
    "FollowRegularizedLeader",
    "ScaleByAdadelta",
    "ScaleByAdagrad",
    "ScaleByRms",
    "follow_regularized_leader",
    "scale_by_adadelta",
    "scale_by_adagrad",
    "scale_by_rms",
]


class ScaleByAdagrad(Rule):
    """Gradients divided by the root of the sum of all their squares.

    ``a ← a + g²;  u = g / √(a + ε)`` (J. Duchi, E. Hazan and Y. Singer, *Adaptive subgradient
    methods for online learning and stochastic optimization*, JMLR 12, 2011).

    Parameters
    ----------
    initial_accumulator_value
        The first a.
    epsilon
        ε.

    Raises
    ------
    ValueError
        If an argument is negative.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable(0.0)
    >>> tg.optimizers.chain(scale_by_adagrad(0.0), scale(-0.1)).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    -0.1
    """

    def __init__(self, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7) -> None:
        initial = not_negative("Adagrad", "initial_accumulator_value", initial_accumulator_value)
        self.initial_accumulator_value = initial
        self.epsilon = checked_epsilon("Adagrad", epsilon)
        self.slots = {"accumulator": initial}

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.adagrad_update(
            parameters,
            gradients,
            slots["accumulator"],
            by.learning_rate,
            self.epsilon,
            by.weight_decay,
        )


class ScaleByAdadelta(Rule):
    """Gradients brought to the scale of earlier steps.

    ``a ← ρ a + (1 - ρ) g²;  u = √(b + ε) / √(a + ε) · g;  b ← ρ b + (1 - ρ) u²``
    (M. D. Zeiler, *ADADELTA: an adaptive learning rate method*, arXiv:1212.5701).

    Parameters
    ----------
    rho
        ρ, in [0, 1).
    epsilon
        ε.

    Raises
    ------
    ValueError
        If rho lies outside [0, 1), or epsilon is negative.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable(0.0)
    >>> rule = scale_by_adadelta(rho=0.0, epsilon=1.0)
    >>> tg.optimizers.chain(rule, scale(-1.0)).apply([tg.tensor(1.0)], [x])
    >>> round(float(x), 4)
    -0.7071
    """

    slots = zeros("accumulated_grad", "accumulated_delta_var")

    def __init__(self, rho: float = 0.95, epsilon: float = 1e-7) -> None:
        self.rho = in_interval("Adadelta", "rho", rho)
        self.epsilon = checked_epsilon("Adadelta", epsilon)

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.adadelta_update(
            parameters,
            gradients,
            slots["accumulated_grad"],
            slots["accumulated_delta_var"],
            by.learning_rate,
            self.rho,
            self.epsilon,
            by.weight_decay,
        )


class ScaleByRms(Rule):
    """Gradients divided by the root of the running mean of their squares.

    ``v ← ρ v + (1 - ρ) g²;  u = g / √(v + ε)`` (T. Tieleman and G. Hinton, lecture 6.5 of *Neural
    Networks for Machine Learning*, 2012). The centered form takes the square of the mean gradient
    off v in the divisor (A. Graves, arXiv:1308.0850). With momentum μ, steps are summed up,
    learning rate included: ``s ← μ s + η u;  p ← p - s``.

    Parameters
    ----------
    rho
        ρ, in [0, 1).
    epsilon
        ε.
    centered
        Whether to divide by an estimate of the deviation.
    momentum
        μ, in [0, 1].

    Raises
    ------
    ValueError
        If rho or the momentum lie outside their intervals, or epsilon is negative.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable(0.0)
    >>> tg.optimizers.chain(scale_by_rms(rho=0.0), scale(-0.1)).apply([tg.tensor(5.0)], [x])
    >>> round(float(x), 4)
    -0.1
    """

    def __init__(
        self,
        rho: float = 0.9,
        epsilon: float = 1e-7,
        centered: bool = False,
        momentum: float = 0.0,
    ) -> None:
        self.rho = in_interval("RMSprop", "rho", rho)
        self.epsilon = checked_epsilon("RMSprop", epsilon)
        self.momentum = in_interval("RMSprop", "momentum", momentum, closed=True)
        self.centered = bool(centered)
        self.takes_rate = not momentum
        sums = {"momentum": 0.0} if momentum else {}
        means = {"average_gradient": 0.0} if centered else {}
        self.slots = {"velocity": 0.0} | sums | means

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.rmsprop_update(
            parameters,
            gradients,
            slots["velocity"],
            slots.get("momentum"),
            slots.get("average_gradient"),
            by.learning_rate,
            self.rho,
            self.epsilon,
            self.momentum,
            by.weight_decay,
        )


class FollowRegularizedLeader(Rule):
    """The rule of `Ftrl`: parameters that would have been best for all gradients up to now.

    With ``r(a) = a^(-power) / η``::

        b = a + g²
        z ← z + g + 2 λₛ p - (r(b) - r(a)) p
        p ← (clip(z, -λ₁, λ₁) - z) / (r(b) + 2 λ₂ + β / η);  a ← b

    (H. B. McMahan et al., *Ad click prediction: a view from the trenches*, KDD 2013). It sets
    parameters rather than scaling gradients, so it stands last in a chain.

    Parameters
    ----------
    learning_rate_power
        Not above 0.
    initial_accumulator_value
        The first a.
    l1, l2, l2_shrinkage
        λ₁, λ₂, λₛ.
    beta
        β.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable(0.0)
    >>> tg.optimizers.chain(follow_regularized_leader(), scale(-0.1)).apply([tg.tensor(1.0)], [x])
    >>> round(float(x), 4)
    -0.0953
    """

    reads_parameters = True

    def __init__(
        self,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1: float = 0.0,
        l2: float = 0.0,
        l2_shrinkage: float = 0.0,
        beta: float = 0.0,
    ) -> None:
        if learning_rate_power > 0:
            raise ValueError(
                f"Ftrl: learning_rate_power must not be above 0, but is {learning_rate_power}."
            )
        self.learning_rate_power = float(learning_rate_power)
        initial = not_negative("Ftrl", "initial_accumulator_value", initial_accumulator_value)
        self.initial_accumulator_value = initial
        self.l1 = not_negative("Ftrl", "l1_regularization_strength", l1)
        self.l2 = not_negative("Ftrl", "l2_regularization_strength", l2)
        self.l2_shrinkage = not_negative(
            "Ftrl", "l2_shrinkage_regularization_strength", l2_shrinkage
        )
        self.beta = float(beta)
        self.slots = {"accumulator": initial, "linear": 0.0}

    def transform(self, groups: Sequence[Group], count: Any) -> None:
        """Raise: what the rule does is no change of gradients."""
        raise ValueError(
            "follow_regularized_leader sets the parameters: nothing but scale may follow it in a "
            "chain."
        )

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.ftrl_update(
            parameters,
            gradients,
            slots["accumulator"],
            slots["linear"],
            by.learning_rate,
            self.learning_rate_power,
            self.l1,
            self.l2,
            self.l2_shrinkage,
            self.beta,
            by.weight_decay,
        )


scale_by_adagrad = ScaleByAdagrad
scale_by_adadelta = ScaleByAdadelta
scale_by_rms = ScaleByRms
follow_regularized_leader = FollowRegularizedLeader
