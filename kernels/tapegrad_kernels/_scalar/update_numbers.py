"""The numbers of an optimizer update that are the same for all parameters.

Each function turns what a user sets (learning rate, decay rates, number of the step) into the
tuple `c` of an update in `tapegrad_kernels._scalar.updates`, once a call and in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Numbers = tuple[float, ...]


def _checked_step(operation: str, step: Any) -> float:
    count = float(step)
    if not count >= 1.0:
        raise ValueError(f"{operation}: step is {count:g}; the first update is step 1")
    return count


def _keep(rate: float, weight_decay: Any) -> float:
    return 1.0 - rate * float(weight_decay)


def sgd(learning_rate: Any, weight_decay: Any) -> Numbers:
    """``rate, keep``."""
    rate = float(learning_rate)
    return rate, _keep(rate, weight_decay)


def momentum(learning_rate: Any, momentum: Any, weight_decay: Any) -> Numbers:
    """``rate, keep, momentum``."""
    rate = float(learning_rate)
    return rate, _keep(rate, weight_decay), float(momentum)


def lion(learning_rate: Any, beta_1: Any, beta_2: Any, weight_decay: Any) -> Numbers:
    """``rate, keep, beta_1, 1 - beta_1, beta_2, 1 - beta_2``."""
    rate, first, second = float(learning_rate), float(beta_1), float(beta_2)
    return rate, _keep(rate, weight_decay), first, 1.0 - first, second, 1.0 - second


def ema(momentum: Any, step: Any) -> Numbers:
    """Weights of the old mean and of the parameters; at step 1 there is no old mean."""
    old = 0.0 if _checked_step("ema_update", step) == 1.0 else float(momentum)
    return old, 1.0 - old


def adagrad(learning_rate: Any, epsilon: Any, weight_decay: Any) -> Numbers:
    """``rate, keep, epsilon``."""
    rate = float(learning_rate)
    return rate, _keep(rate, weight_decay), float(epsilon)


def adadelta(learning_rate: Any, rho: Any, epsilon: Any, weight_decay: Any) -> Numbers:
    """``rate, keep, rho, 1 - rho, epsilon``."""
    rate, decay = float(learning_rate), float(rho)
    return rate, _keep(rate, weight_decay), decay, 1.0 - decay, float(epsilon)


def rmsprop(
    learning_rate: Any, rho: Any, epsilon: Any, momentum: Any, weight_decay: Any
) -> Numbers:
    """``rate, keep, rho, 1 - rho, epsilon, momentum``."""
    return *adadelta(learning_rate, rho, epsilon, weight_decay), float(momentum)


def ftrl(
    learning_rate: Any,
    learning_rate_power: Any,
    l1: Any,
    l2: Any,
    l2_shrinkage: Any,
    beta: Any,
    weight_decay: Any,
) -> Numbers:
    """``1 / rate, keep, l1, 2 * l2, 2 * shrinkage, power of the accumulator``."""
    rate = float(learning_rate)
    if not rate > 0.0:
        raise ValueError(f"ftrl_update: learning_rate is {rate:g}; it must be above 0")
    power = float(learning_rate_power)
    if power > 0.0:
        raise ValueError(f"ftrl_update: learning_rate_power is {power:g}; it must not be above 0")
    smoothed = float(l2) + float(beta) / (2.0 * rate)
    shrinkage = 2.0 * float(l2_shrinkage)
    return 1.0 / rate, _keep(rate, weight_decay), float(l1), 2.0 * smoothed, shrinkage, -power


def adam(
    learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, step: Any, weight_decay: Any
) -> Numbers:
    """``rate with the correction of the bias, keep, 1 - beta_1, 1 - beta_2, epsilon``."""
    first, second, count = float(beta_1), float(beta_2), float(step)
    if not count >= 1.0:
        raise ValueError(f"adam_update: step is {count:g}; the first update is step 1")
    rate = float(learning_rate)
    corrected = rate * math.sqrt(1.0 - second**count) / (1.0 - first**count)
    return (
        corrected,
        1.0 - rate * float(weight_decay),
        1.0 - first,
        1.0 - second,
        float(epsilon),
    )


_FADING = 0.96
# Products of 1 - 0.5 * 0.96**i over i = 1 … n; those after the last differ by less than float64.
_FADED = np.cumprod(1.0 - 0.5 * _FADING ** np.arange(1.0, 1025.0)).tolist()


def nadam(
    learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, step: Any, weight_decay: Any
) -> Numbers:
    """Weights of moment and gradient, ``keep, 1 - beta_1, 1 - beta_2``, correction, ``epsilon``.

    The momentum of step i is ``u(i) = beta_1 * (1 - 0.5 * 0.96**i)``, and the bias is corrected
    by the product of all up to now.
    """
    first, second = float(beta_1), float(beta_2)
    count = _checked_step("nadam_update", step)
    rate = float(learning_rate)
    now = first * (1.0 - 0.5 * _FADING**count)
    following = first * (1.0 - 0.5 * _FADING ** (count + 1.0))
    product = first**count * _FADED[min(int(count), len(_FADED)) - 1]
    return (
        rate * following / (1.0 - product * following),
        rate * (1.0 - now) / (1.0 - product),
        _keep(rate, weight_decay),
        1.0 - first,
        1.0 - second,
        1.0 / (1.0 - second**count),
        float(epsilon),
    )


def adamax(
    learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, step: Any, weight_decay: Any
) -> Numbers:
    """``corrected rate, keep, 1 - beta_1, beta_2, epsilon``."""
    first, count = float(beta_1), _checked_step("adamax_update", step)
    rate = float(learning_rate)
    corrected = rate / (1.0 - first**count)
    return corrected, _keep(rate, weight_decay), 1.0 - first, float(beta_2), float(epsilon)


def lamb(
    learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, step: Any, weight_decay: Any
) -> Numbers:
    """``rate, keep, 1 - beta_1, 1 - beta_2, correction of each moment, epsilon``."""
    first, second = float(beta_1), float(beta_2)
    count = _checked_step("lamb_update", step)
    rate = float(learning_rate)
    return (
        rate,
        _keep(rate, weight_decay),
        1.0 - first,
        1.0 - second,
        1.0 / (1.0 - first**count),
        1.0 / (1.0 - second**count),
        float(epsilon),
    )


def adafactor(
    learning_rate: Any,
    beta_2_decay: Any,
    epsilon_1: Any,
    epsilon_2: Any,
    clip_threshold: Any,
    step: Any,
    weight_decay: Any,
) -> Numbers:
    """``rate, keep, beta_2, 1 - beta_2, epsilon_1, epsilon_2, threshold`` of this step."""
    count = _checked_step("adafactor_update", step)
    rate, less = float(learning_rate), count ** float(beta_2_decay)
    return (
        min(rate, 1.0 / math.sqrt(count)),
        _keep(rate, weight_decay),
        1.0 - less,
        less,
        float(epsilon_1),
        float(epsilon_2),
        float(clip_threshold),
    )
