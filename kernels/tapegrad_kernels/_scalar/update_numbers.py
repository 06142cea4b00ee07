"""The numbers of an optimizer update that are the same for all parameters.

Each formula turns what a user sets (learning rate, decay rates, number of the step) into the
tuple `c` of an update in `tapegrad_kernels._scalar.updates`, once a call and in float64. The CPU
compiles them, so that the updates of a recorded program read their settings when they run; for a
GPU the host computes them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Numbers = tuple[float, ...]

FORMULAS: list[Formula] = []
"""All of them; a formula's number is its place."""


class Formula:
    """A function of float64 settings that gives the numbers of an update.

    Called with numbers or 0-d arrays it checks them and returns the tuple.

    Parameters
    ----------
    function : callable
        From settings to numbers, without a check, so that compilers take it as it is.
    allowed : callable, optional
        From the same settings to whether there are such numbers.
    refusal : str
        What is wrong if there are none, with the settings in braces.

    Attributes
    ----------
    number : int
        Its place in `FORMULAS`.
    arity : int
        Number of settings.
    """

    def __init__(
        self,
        function: Callable[..., Numbers],
        allowed: Callable[..., bool] | None = None,
        refusal: str = "",
    ) -> None:
        self.function = function
        self.allowed = allowed
        self._refusal = refusal
        self._names = list(inspect.signature(function).parameters)
        self.arity = len(self._names)
        self.number = len(FORMULAS)
        FORMULAS.append(self)

    def values(self, *settings: Any) -> Numbers:
        """The settings as floats.

        Raises
        ------
        ValueError
            If they are not allowed.
        """
        values = tuple([float(setting) for setting in settings])
        if self.allowed is not None and not self.allowed(*values):
            raise ValueError(self._refusal.format(**dict(zip(self._names, values))))
        return values

    def __call__(self, *settings: Any) -> Numbers:
        return self.function(*self.values(*settings))


def _formula(
    allowed: Callable[..., bool] | None = None, refusal: str = ""
) -> Callable[[Callable[..., Numbers]], Formula]:
    return lambda function: Formula(function, allowed, refusal)


_FIRST_STEP = "_update: step is {step:g}; the first update is step 1"


@_formula()
def pair(first: float, second: float) -> Numbers:
    """The two as they are, for a sum of multiples."""
    return first, second


@_formula()
def stretched(learning_rate: float, stretch: float) -> Numbers:
    """``rate, keep`` of a step that is multiplied by a number, without decay."""
    return learning_rate * stretch, 1.0


def _rising(low: float, high: float) -> bool:
    return low <= high


@_formula(
    _rising,
    "clip_by_value_update: low is {low:g} and high {high:g}; low must not be above high",
)
def limit(low: float, high: float) -> Numbers:
    """``low, high``."""
    return low, high


@_formula()
def sgd(learning_rate: float, weight_decay: float) -> Numbers:
    """``rate, keep``."""
    return learning_rate, 1.0 - learning_rate * weight_decay


@_formula()
def momentum(learning_rate: float, momentum: float, weight_decay: float) -> Numbers:
    """``rate, keep, momentum``."""
    return learning_rate, 1.0 - learning_rate * weight_decay, momentum


@_formula()
def lion(learning_rate: float, beta_1: float, beta_2: float, weight_decay: float) -> Numbers:
    """``rate, keep, beta_1, 1 - beta_1, beta_2, 1 - beta_2``."""
    keep = 1.0 - learning_rate * weight_decay
    return learning_rate, keep, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2


def _ema_allowed(momentum: float, step: float) -> bool:
    return step >= 1.0


@_formula(_ema_allowed, "ema" + _FIRST_STEP)
def ema(momentum: float, step: float) -> Numbers:
    """Weights of the old mean and of the parameters; at step 1 there is no old mean."""
    old = 0.0 if step == 1.0 else momentum
    return old, 1.0 - old


@_formula()
def adagrad(learning_rate: float, epsilon: float, weight_decay: float) -> Numbers:
    """``rate, keep, epsilon``."""
    return learning_rate, 1.0 - learning_rate * weight_decay, epsilon


@_formula()
def adadelta(learning_rate: float, rho: float, epsilon: float, weight_decay: float) -> Numbers:
    """``rate, keep, rho, 1 - rho, epsilon``."""
    return learning_rate, 1.0 - learning_rate * weight_decay, rho, 1.0 - rho, epsilon


@_formula()
def rmsprop(
    learning_rate: float, rho: float, epsilon: float, momentum: float, weight_decay: float
) -> Numbers:
    """``rate, keep, rho, 1 - rho, epsilon, momentum``."""
    return learning_rate, 1.0 - learning_rate * weight_decay, rho, 1.0 - rho, epsilon, momentum


def _ftrl_allowed(
    learning_rate: float,
    learning_rate_power: float,
    l1: float,
    l2: float,
    l2_shrinkage: float,
    beta: float,
    weight_decay: float,
) -> bool:
    return learning_rate > 0.0 and learning_rate_power <= 0.0


@_formula(
    _ftrl_allowed,
    "ftrl_update: learning_rate is {learning_rate:g} and must be above 0; learning_rate_power is "
    "{learning_rate_power:g} and must not be above 0",
)
def ftrl(
    learning_rate: float,
    learning_rate_power: float,
    l1: float,
    l2: float,
    l2_shrinkage: float,
    beta: float,
    weight_decay: float,
) -> Numbers:
    """``1 / rate, keep, l1, 2 * l2, 2 * shrinkage, power of the accumulator``."""
    smoothed = l2 + beta / (2.0 * learning_rate)
    keep = 1.0 - learning_rate * weight_decay
    return (
        1.0 / learning_rate,
        keep,
        l1,
        2.0 * smoothed,
        2.0 * l2_shrinkage,
        -learning_rate_power,
    )


def _step_allowed(
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: float,
    weight_decay: float,
) -> bool:
    return step >= 1.0


@_formula(_step_allowed, "adam" + _FIRST_STEP)
def adam(
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: float,
    weight_decay: float,
) -> Numbers:
    """``rate with the correction of the bias, keep, 1 - beta_1, 1 - beta_2, epsilon``."""
    corrected = learning_rate * math.sqrt(1.0 - beta_2**step) / (1.0 - beta_1**step)
    keep = 1.0 - learning_rate * weight_decay
    return corrected, keep, 1.0 - beta_1, 1.0 - beta_2, epsilon


_FADING = 0.96
# Products of 1 - 0.5 * 0.96**i over i = 1 … n; those after the last differ by less than float64.
_FADED = np.cumprod(1.0 - 0.5 * _FADING ** np.arange(1.0, 1025.0))


@_formula(_step_allowed, "nadam" + _FIRST_STEP)
def nadam(
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: float,
    weight_decay: float,
) -> Numbers:
    """Weights of moment and gradient, ``keep, 1 - beta_1, 1 - beta_2``, correction, ``epsilon``.

    The momentum of step i is ``u(i) = beta_1 * (1 - 0.5 * 0.96**i)``, and the bias is corrected
    by the product of all up to now.
    """
    now = beta_1 * (1.0 - 0.5 * _FADING**step)
    following = beta_1 * (1.0 - 0.5 * _FADING ** (step + 1.0))
    product = beta_1**step * _FADED[int(min(step, 1024.0)) - 1]
    return (
        learning_rate * following / (1.0 - product * following),
        learning_rate * (1.0 - now) / (1.0 - product),
        1.0 - learning_rate * weight_decay,
        1.0 - beta_1,
        1.0 - beta_2,
        1.0 / (1.0 - beta_2**step),
        epsilon,
    )


@_formula(_step_allowed, "adamax" + _FIRST_STEP)
def adamax(
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: float,
    weight_decay: float,
) -> Numbers:
    """``corrected rate, keep, 1 - beta_1, beta_2, epsilon``."""
    corrected = learning_rate / (1.0 - beta_1**step)
    return corrected, 1.0 - learning_rate * weight_decay, 1.0 - beta_1, beta_2, epsilon


@_formula(_step_allowed, "lamb" + _FIRST_STEP)
def lamb(
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: float,
    weight_decay: float,
) -> Numbers:
    """``rate, keep, 1 - beta_1, 1 - beta_2, correction of each moment, epsilon``."""
    return (
        learning_rate,
        1.0 - learning_rate * weight_decay,
        1.0 - beta_1,
        1.0 - beta_2,
        1.0 / (1.0 - beta_1**step),
        1.0 / (1.0 - beta_2**step),
        epsilon,
    )


def _adafactor_allowed(
    learning_rate: float,
    beta_2_decay: float,
    epsilon_1: float,
    epsilon_2: float,
    clip_threshold: float,
    step: float,
    weight_decay: float,
) -> bool:
    return step >= 1.0


@_formula(_adafactor_allowed, "adafactor" + _FIRST_STEP)
def adafactor(
    learning_rate: float,
    beta_2_decay: float,
    epsilon_1: float,
    epsilon_2: float,
    clip_threshold: float,
    step: float,
    weight_decay: float,
) -> Numbers:
    """``rate, keep, beta_2, 1 - beta_2, epsilon_1, epsilon_2, threshold`` of this step."""
    less = step**beta_2_decay
    return (
        min(learning_rate, 1.0 / math.sqrt(step)),
        1.0 - learning_rate * weight_decay,
        1.0 - less,
        less,
        epsilon_1,
        epsilon_2,
        clip_threshold,
    )
