"""Steps divided by accumulated squares of the gradients."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels._scalar import update_numbers
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.optimizers._elementwise import Array, Number, check, update


def adagrad_update(
    parameters: Array,
    gradients: Array,
    accumulator: Array,
    learning_rate: Number,
    epsilon: Number,
    weight_decay: Number = 0.0,
) -> None:
    """Adagrad, in place.

    Parameters
    ----------
    parameters, accumulator : ndarray, shape (n,)
        Updated; Keras lets the accumulator begin at 0.1.
    gradients : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    learning_rate, epsilon : float or 0-d array
        ``a += g**2; p -= learning_rate * g / sqrt(a + epsilon)``.
    weight_decay : float or 0-d array, default 0
        Decoupled: ``p -= learning_rate * weight_decay * p`` before the step.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape, or are not contiguous vectors.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, *Adaptive subgradient methods for online learning and
    stochastic optimization*, JMLR 12, 2011.

    Examples
    --------
    >>> p, a = np.ones(2), np.zeros(2)
    >>> adagrad_update(p, np.array([3.0, -3.0]), a, 0.1, 0.0)
    >>> p
    array([0.9, 1.1])
    """
    arrays = (parameters, gradients, accumulator)
    check("adagrad_update", ("parameters", "gradients", "accumulator"), arrays)
    update("adagrad", arrays, update_numbers.adagrad, (learning_rate, epsilon, weight_decay))


def adadelta_update(
    parameters: Array,
    gradients: Array,
    squared_gradients: Array,
    squared_steps: Array,
    learning_rate: Number,
    rho: Number,
    epsilon: Number,
    weight_decay: Number = 0.0,
) -> None:
    """Adadelta, in place; arrays and errors as in `adagrad_update`.

    Parameters
    ----------
    parameters, squared_gradients, squared_steps : ndarray, shape (n,)
        Updated; the running means of squares begin as zeros.
    gradients : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    learning_rate, rho, epsilon : float or 0-d array
        With ``a`` for the mean of ``g**2`` and ``b`` for that of the squared steps,
        ``step = sqrt(b + epsilon) / sqrt(a + epsilon) * g; p -= learning_rate * step``.
    weight_decay : float or 0-d array, default 0
        Decoupled.

    References
    ----------
    M. D. Zeiler, *ADADELTA: an adaptive learning rate method*, arXiv:1212.5701.

    Examples
    --------
    >>> p, a, b = np.ones(1), np.zeros(1), np.zeros(1)
    >>> adadelta_update(p, np.array([1.0]), a, b, 1.0, 0.0, 1.0)
    >>> p.round(3), a, b.round(3)
    (array([0.293]), array([1.]), array([0.5]))
    """
    arrays = (parameters, gradients, squared_gradients, squared_steps)
    check(
        "adadelta_update",
        ("parameters", "gradients", "squared_gradients", "squared_steps"),
        arrays,
    )
    settings = learning_rate, rho, epsilon, weight_decay
    update("adadelta", arrays, update_numbers.adadelta, settings)


def rmsprop_update(
    parameters: Array,
    gradients: Array,
    velocity: Array,
    momentum: Array | None,
    average_gradient: Array | None,
    learning_rate: Number,
    rho: Number,
    epsilon: Number,
    momentum_rate: Number = 0.0,
    weight_decay: Number = 0.0,
) -> None:
    """RMSprop, in place; arrays and errors as in `adagrad_update`.

    Parameters
    ----------
    parameters, velocity : ndarray, shape (n,)
        Updated; ``v = rho * v + (1 - rho) * g**2`` begins as zeros.
    gradients : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    momentum : ndarray, shape (n,), or None
        Updated, if steps gather momentum: ``m = momentum_rate * m + step; p -= m``.
    average_gradient : ndarray, shape (n,), or None
        Updated, for the centered form: ``a = rho * a + (1 - rho) * g``, whose square is taken
        off ``v`` in the divisor.
    learning_rate, rho, epsilon : float or 0-d array
        ``step = learning_rate * g / sqrt(v + epsilon)``.
    momentum_rate : float or 0-d array, default 0
        Needs `momentum`.
    weight_decay : float or 0-d array, default 0
        Decoupled.

    References
    ----------
    T. Tieleman and G. Hinton, lecture 6.5 of *Neural Networks for Machine Learning*, 2012.
    A. Graves, *Generating sequences with recurrent neural networks*, arXiv:1308.0850.

    Examples
    --------
    >>> p, v = np.ones(2), np.zeros(2)
    >>> rmsprop_update(p, np.array([3.0, -3.0]), v, None, None, 0.1, 0.0, 0.0)
    >>> p
    array([0.9, 1.1])
    """
    name, names, arrays = "rmsprop", ("parameters", "gradients", "velocity"), [velocity]
    if average_gradient is not None:
        name += "_centered"
    if momentum is not None:
        name += "_momentum"
        names += ("momentum",)
        arrays.append(momentum)
    elif float(momentum_rate) != 0.0:
        raise ValueError(
            "rmsprop_update: momentum_rate needs an array for the momentum; pass one of zeros"
        )
    if average_gradient is not None:
        names += ("average_gradient",)
        arrays.append(average_gradient)
    buffers = (parameters, gradients, *arrays)
    check("rmsprop_update", names, buffers)
    settings = learning_rate, rho, epsilon, momentum_rate, weight_decay
    update(name, buffers, update_numbers.rmsprop, settings)


def ftrl_update(
    parameters: Array,
    gradients: Array,
    accumulator: Array,
    linear: Array,
    learning_rate: Number,
    learning_rate_power: Number = -0.5,
    l1: Number = 0.0,
    l2: Number = 0.0,
    l2_shrinkage: Number = 0.0,
    beta: Number = 0.0,
    weight_decay: Number = 0.0,
) -> None:
    """Follow the regularized leader, in place; arrays and errors as in `adagrad_update`.

    Parameters
    ----------
    parameters, accumulator, linear : ndarray, shape (n,)
        Updated; Keras lets the accumulator begin at 0.1 and the linear term at 0.
    gradients : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    learning_rate : float or 0-d array
        Above 0.
    learning_rate_power : float or 0-d array, default -0.5
        With ``r(a) = a**-learning_rate_power / learning_rate`` and ``b = a + g**2`` the linear
        term becomes ``z += g + 2 * l2_shrinkage * p - (r(b) - r(a)) * p`` and the parameter
        ``(clip(z, -l1, l1) - z) / (r(b) + 2 * l2 + beta / learning_rate)``, or 0 if that
        divisor is 0.
    l1, l2, l2_shrinkage, beta : float or 0-d array, default 0
        Penalties and smoothing.
    weight_decay : float or 0-d array, default 0
        Decoupled.

    References
    ----------
    H. B. McMahan et al., *Ad click prediction: a view from the trenches*, KDD 2013.

    Examples
    --------
    >>> p, a, z = np.zeros(1), np.ones(1), np.zeros(1)
    >>> ftrl_update(p, np.array([1.0]), a, z, 1.0, l1=0.5)
    >>> p.round(3)
    array([-0.354])
    """
    arrays = (parameters, gradients, accumulator, linear)
    check("ftrl_update", ("parameters", "gradients", "accumulator", "linear"), arrays)
    name = "ftrl" if float(learning_rate_power) == -0.5 else "ftrl_power"
    settings = learning_rate, learning_rate_power, l1, l2, l2_shrinkage, beta, weight_decay
    update(name, arrays, update_numbers.ftrl, settings)


def _warm(real: str) -> None:
    p, g, a, b, c = (np.zeros(1, real) for _ in range(5))
    adagrad_update(p, g, a, 0.0, 1e-7)
    adadelta_update(p, g, a, b, 0.0, 0.95, 1e-7)
    for momentum in (None, b):
        for average in (None, c):
            rmsprop_update(p, g, a, momentum, average, 0.0, 0.9, 1e-7)
    for power in (-0.5, -0.6):
        ftrl_update(p, g, a, b, 1.0, power)


for _real in REAL_NAMES:
    on_warmup(f"adagrad_update adadelta_update rmsprop_update ftrl_update {_real}")(
        lambda real=_real: _warm(real)
    )

__all__ = ["adadelta_update", "adagrad_update", "ftrl_update", "rmsprop_update"]
