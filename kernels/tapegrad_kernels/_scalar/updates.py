"""Optimizer updates of a single parameter, by Keras 3's formulas."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tapegrad_kernels._scalar.basis import Basis


def build(basis: Basis) -> SimpleNamespace:
    """Define the updates over a device's operations.

    Parameters
    ----------
    basis : Basis
        The device's operations for one real type.

    Returns
    -------
    SimpleNamespace
        - ``sgd(p, g, rate)``: the new parameter.
        - ``momentum(p, g, v, rate, momentum)``: new parameter and velocity,
          ``v = momentum * v - rate * g; p = p + v``.
        - ``nesterov(p, g, v, rate, momentum)``: the same velocity, and
          ``p = p + momentum * v - rate * g`` (Y. Nesterov, 1983; the form of I. Sutskever
          et al., *On the importance of initialization and momentum*, ICML 2013).
        - ``adam(p, g, m, v, rate, one_less_beta_1, one_less_beta_2, epsilon)``: new parameter
          and moments, where ``rate`` includes the correction of the bias (D. P. Kingma and
          J. Ba, *Adam*, arXiv:1412.6980, the form before section 2.1).

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels._scalar.basis import python_basis
    >>> f = build(python_basis(np.float64))
    >>> [float(value) for value in f.momentum(1.0, 2.0, 0.0, 0.5, 0.9)]
    [0.0, -1.0]
    """
    define, square_root = basis.define, basis.square_root

    @define
    def sgd(p: Any, g: Any, rate: Any) -> Any:
        return p - rate * g

    @define
    def momentum(p: Any, g: Any, v: Any, rate: Any, momentum: Any) -> Any:
        velocity = momentum * v - rate * g
        return p + velocity, velocity

    @define
    def nesterov(p: Any, g: Any, v: Any, rate: Any, momentum: Any) -> Any:
        velocity = momentum * v - rate * g
        return p + (momentum * velocity - rate * g), velocity

    @define
    def adam(
        p: Any, g: Any, m: Any, v: Any, rate: Any, less_1: Any, less_2: Any, epsilon: Any
    ) -> Any:
        first = m + (g - m) * less_1
        second = v + (g * g - v) * less_2
        return p - rate * first / (square_root(second) + epsilon), first, second

    return SimpleNamespace(sgd=sgd, momentum=momentum, nesterov=nesterov, adam=adam)
