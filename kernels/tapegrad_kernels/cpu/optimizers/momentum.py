"""Steps along the gradient, its running mean, or the sign of that."""

from __future__ import annotations

import numpy as np

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels._scalar import update_numbers
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.optimizers._elementwise import Array, Number, check, update


def sgd_update(
    parameters: Array,
    gradients: Array,
    velocity: Array | None,
    learning_rate: Number,
    momentum: Number = 0.0,
    nesterov: bool = False,
    weight_decay: Number = 0.0,
) -> None:
    """Stochastic gradient descent, in place.

    Parameters
    ----------
    parameters : ndarray, shape (n,)
        Updated.
    gradients : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    velocity : ndarray, shape (n,), or None
        Updated. Without it, ``p -= learning_rate * g``.
    learning_rate, momentum : float or 0-d array
        ``v = momentum * v - learning_rate * g; p += v``.
    nesterov : bool, default False
        ``p += momentum * v - learning_rate * g`` with the new velocity instead.
    weight_decay : float or 0-d array, default 0
        Decoupled: ``p -= learning_rate * weight_decay * p`` before the step.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape, or are not contiguous vectors.

    Examples
    --------
    >>> p = np.array([1.0, 2.0])
    >>> sgd_update(p, np.array([1.0, 1.0]), None, 0.5)
    >>> p
    array([0.5, 1.5])
    """
    if velocity is None:
        if float(momentum) != 0.0:
            raise ValueError("sgd_update: momentum needs a velocity; pass an array of zeros")
        check("sgd_update", ("parameters", "gradients"), (parameters, gradients))
        settings = learning_rate, weight_decay
        update("sgd", (parameters, gradients), update_numbers.sgd, settings)
        return
    arrays = (parameters, gradients, velocity)
    check("sgd_update", ("parameters", "gradients", "velocity"), arrays)
    name = "nesterov" if nesterov else "momentum"
    update(name, arrays, update_numbers.momentum, (learning_rate, momentum, weight_decay))


def lion_update(
    parameters: Array,
    gradients: Array,
    momentum: Array,
    learning_rate: Number,
    beta_1: Number,
    beta_2: Number,
    weight_decay: Number = 0.0,
) -> None:
    """Lion, in place: every parameter moves by the learning rate, up or down.

    Parameters
    ----------
    parameters, momentum : ndarray, shape (n,)
        Updated; the momentum begins as zeros.
    gradients : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    learning_rate, beta_1, beta_2 : float or 0-d array
        ``p -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)`` and then
        ``m = beta_2 * m + (1 - beta_2) * g``.
    weight_decay : float or 0-d array, default 0
        Decoupled, as in `sgd_update`.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape, or are not contiguous vectors.

    References
    ----------
    X. Chen et al., *Symbolic discovery of optimization algorithms*, arXiv:2302.06675.

    Examples
    --------
    >>> p, m = np.ones(2), np.zeros(2)
    >>> lion_update(p, np.array([3.0, -0.1]), m, 0.5, 0.9, 0.99)
    >>> p
    array([0.5, 1.5])
    """
    arrays = (parameters, gradients, momentum)
    check("lion_update", ("parameters", "gradients", "momentum"), arrays)
    settings = learning_rate, beta_1, beta_2, weight_decay
    update("lion", arrays, update_numbers.lion, settings)


def _warm(real: str) -> None:
    p, g, v = (np.zeros(1, real) for _ in range(3))
    sgd_update(p, g, None, 0.0)
    sgd_update(p, g, v, 0.0, 0.9)
    sgd_update(p, g, v, 0.0, 0.9, nesterov=True)
    lion_update(p, g, v, 0.0, 0.9, 0.99)


for _real in REAL_NAMES:
    on_warmup(f"sgd_update lion_update {_real}")(lambda real=_real: _warm(real))

__all__ = ["lion_update", "sgd_update"]
