"""Adam and its kin: running means of gradients and of their squares."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels._scalar import update_numbers
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.optimizers._elementwise import Array, Number, check, update

_NAMES = ("parameters", "gradients", "momentum", "velocity")


def adam_update(
    parameters: Array,
    gradients: Array,
    momentum: Array,
    velocity: Array,
    learning_rate: Number,
    beta_1: Number,
    beta_2: Number,
    epsilon: Number,
    step: Number,
    largest_velocity: Array | None = None,
    weight_decay: Number = 0.0,
) -> None:
    """Adam, AdamW and AMSGrad, in place.

    Parameters
    ----------
    parameters, momentum, velocity : ndarray, shape (n,)
        Updated; the first and second moments begin as zeros.
    gradients : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    learning_rate, beta_1, beta_2, epsilon : float or 0-d array
        ``p -= rate * m / (sqrt(v) + epsilon)``, with ``m`` and ``v`` moving averages of ``g``
        and ``g**2`` and ``rate = learning_rate * sqrt(1 - beta_2**step) / (1 - beta_1**step)``.
    step : int or 0-d array
        Number of this update, from 1.
    largest_velocity : ndarray, shape (n,), optional
        Updated, begins as zeros: the largest ``v`` up to now, which AMSGrad divides by.
    weight_decay : float or 0-d array, default 0
        Decoupled (AdamW): ``p -= learning_rate * weight_decay * p`` before the step.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape, or are not contiguous vectors.

    References
    ----------
    D. P. Kingma and J. Ba, *Adam: a method for stochastic optimization*, arXiv:1412.6980.
    I. Loshchilov and F. Hutter, *Decoupled weight decay regularization*, arXiv:1711.05101.
    S. J. Reddi, S. Kale and S. Kumar, *On the convergence of Adam and beyond*, ICLR 2018.

    Examples
    --------
    >>> p, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    >>> adam_update(p, np.array([3.0, -3.0]), m, v, 0.1, 0.9, 0.999, 1e-7, 1)
    >>> p.round(3)
    array([0.9, 1.1])
    """
    arrays = (parameters, gradients, momentum, velocity)
    check("adam_update", _NAMES, arrays)
    settings = learning_rate, beta_1, beta_2, epsilon, step, weight_decay
    if largest_velocity is None:
        update("adam", arrays, update_numbers.adam, settings)
        return
    check(
        "adam_update",
        ("parameters", "largest_velocity"),
        (parameters, largest_velocity),
    )
    update("amsgrad", (*arrays, largest_velocity), update_numbers.adam, settings)


def nadam_update(
    parameters: Array,
    gradients: Array,
    momentum: Array,
    velocity: Array,
    learning_rate: Number,
    beta_1: Number,
    beta_2: Number,
    epsilon: Number,
    step: Number,
    weight_decay: Number = 0.0,
) -> None:
    """Adam with Nesterov's momentum, in place; parameters as in `adam_update`.

    The momentum of step i is ``u(i) = beta_1 * (1 - 0.5 * 0.96**i)``. With ``P(t)`` for the
    product of all up to this step t,
    ``p -= learning_rate * n / (sqrt(v / (1 - beta_2**t)) + epsilon)`` for
    ``n = u(t + 1) * m / (1 - P(t + 1)) + (1 - u(t)) * g / (1 - P(t))``.

    References
    ----------
    T. Dozat, *Incorporating Nesterov momentum into Adam*, ICLR workshop 2016.

    Examples
    --------
    >>> p, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    >>> nadam_update(p, np.array([3.0, -3.0]), m, v, 0.1, 0.9, 0.999, 1e-7, 1)
    >>> p.round(3)
    array([0.894, 1.106])
    """
    arrays = (parameters, gradients, momentum, velocity)
    check("nadam_update", _NAMES, arrays)
    settings = learning_rate, beta_1, beta_2, epsilon, step, weight_decay
    update("nadam", arrays, update_numbers.nadam, settings)


def adamax_update(
    parameters: Array,
    gradients: Array,
    momentum: Array,
    norm: Array,
    learning_rate: Number,
    beta_1: Number,
    beta_2: Number,
    epsilon: Number,
    step: Number,
    weight_decay: Number = 0.0,
) -> None:
    """Adam with the infinity norm, in place; parameters as in `adam_update`.

    ``p -= learning_rate / (1 - beta_1**step) * m / (u + epsilon)`` with the faded maximum
    ``u = max(beta_2 * u, abs(g))`` in `norm`, which begins as zeros.

    References
    ----------
    D. P. Kingma and J. Ba, *Adam: a method for stochastic optimization*, arXiv:1412.6980,
    section 7.1.

    Examples
    --------
    >>> p, m, u = np.ones(2), np.zeros(2), np.zeros(2)
    >>> adamax_update(p, np.array([3.0, -3.0]), m, u, 0.1, 0.9, 0.999, 1e-7, 1)
    >>> p.round(3)
    array([0.9, 1.1])
    """
    arrays = (parameters, gradients, momentum, norm)
    check("adamax_update", ("parameters", "gradients", "momentum", "norm"), arrays)
    settings = learning_rate, beta_1, beta_2, epsilon, step, weight_decay
    update("adamax", arrays, update_numbers.adamax, settings)


def _warm(real: str) -> None:
    p, g, m, v, w = (np.zeros(1, real) for _ in range(5))
    adam_update(p, g, m, v, 0.0, 0.9, 0.999, 1e-7, 1)
    adam_update(p, g, m, v, 0.0, 0.9, 0.999, 1e-7, 1, w)
    nadam_update(p, g, m, v, 0.0, 0.9, 0.999, 1e-7, 1)
    adamax_update(p, g, m, v, 0.0, 0.9, 0.999, 1e-7, 1)


for _real in REAL_NAMES:
    on_warmup(f"adam_update nadam_update adamax_update {_real}")(lambda real=_real: _warm(real))

__all__ = ["adam_update", "adamax_update", "nadam_update"]
