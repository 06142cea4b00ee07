"""Optimizer updates of a single parameter, by Keras 3's formulas.

Every update has the form ``step(p, g, *slots, c)`` and returns the new parameter and the new
slots. `c` is a tuple of numbers that are the same for all parameters of a call; which they
are says `tapegrad_kernels._scalar.update_numbers`, which makes them. One of them,
``keep``, is what decoupled weight decay leaves of a parameter, ``1 - learning_rate * decay``
(I. Loshchilov and F. Hutter, *Decoupled weight decay regularization*, arXiv:1711.05101).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tapegrad_kernels._scalar.basis import Basis


def build(basis: Basis, functions: SimpleNamespace) -> SimpleNamespace:
    """Define the updates over a device's operations.

    Parameters
    ----------
    basis : Basis
        The device's operations for one real type.
    functions : SimpleNamespace
        What `tapegrad_kernels._scalar.functions.build` made of it.

    Returns
    -------
    SimpleNamespace
        ``sgd``, ``momentum``, ``nesterov``, ``lion``, ``adagrad``, ``adadelta``, ``rmsprop``,
        ``rmsprop_momentum``, ``rmsprop_centered``, ``rmsprop_centered_momentum``, ``ftrl``,
        ``ftrl_power``, ``adam``, ``amsgrad``, ``nadam``, ``adamax`` and, of the
        mean of parameters, ``ema``; ``limit`` keeps numbers inside bounds.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels._scalar import functions
    >>> from tapegrad_kernels._scalar.basis import python_basis
    >>> basis = python_basis(np.float64)
    >>> f = build(basis, functions.build(basis))
    >>> [float(value) for value in f.momentum(1.0, 2.0, 0.0, (0.5, 1.0, 0.9))]
    [0.0, -1.0]
    """
    return SimpleNamespace(
        **_build_gradient_steps(basis),
        **_build_accumulating(basis),
        **_build_rmsprop(basis),
        **_build_ftrl(basis, functions),
        **_build_adam(basis),
    )


def _build_gradient_steps(basis: Basis) -> dict[str, Any]:
    """Steps along the gradient, its running mean, or the sign of that."""
    define = basis.define
    zero, one = basis.real(0.0), basis.real(1.0)

    @define
    def sgd(p: Any, g: Any, c: Any) -> Any:
        rate, keep = c
        return (p * keep - rate * g,)

    # Y. Nesterov, 1983; the form of I. Sutskever et al., On the importance of initialization
    # and momentum, ICML 2013.
    @define
    def momentum(p: Any, g: Any, v: Any, c: Any) -> Any:
        rate, keep, decay = c
        velocity = decay * v - rate * g
        return p * keep + velocity, velocity

    @define
    def nesterov(p: Any, g: Any, v: Any, c: Any) -> Any:
        rate, keep, decay = c
        velocity = decay * v - rate * g
        return p * keep + (decay * velocity - rate * g), velocity

    # X. Chen et al., Symbolic discovery of optimization algorithms, arXiv:2302.06675.
    @define
    def lion(p: Any, g: Any, m: Any, c: Any) -> Any:
        rate, keep, beta_1, less_1, beta_2, less_2 = c
        direction = m * beta_1 + g * less_1
        # Zero and NaN are their own signs.
        sign = one if direction > zero else (-one if direction < zero else direction)
        return p * keep - rate * sign, m * beta_2 + g * less_2

    @define
    def ema(average: Any, p: Any, c: Any) -> Any:
        old, new = c
        return (old * average + new * p,)

    @define
    def limit(x: Any, g: Any, c: Any) -> Any:
        # `g` is `x` once more; NaN stays.
        low, high = c
        return (low if g < low else (high if g > high else g),)

    return {
        "sgd": sgd,
        "momentum": momentum,
        "nesterov": nesterov,
        "lion": lion,
        "ema": ema,
        "limit": limit,
    }


def _build_accumulating(basis: Basis) -> dict[str, Any]:
    """Steps divided by accumulated squares of the gradients."""
    define, square_root = basis.define, basis.square_root

    # J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods, JMLR 12, 2011.
    @define
    def adagrad(p: Any, g: Any, accumulator: Any, c: Any) -> Any:
        rate, keep, epsilon = c
        total = accumulator + g * g
        return p * keep - rate * g / square_root(total + epsilon), total

    # M. D. Zeiler, ADADELTA: an adaptive learning rate method, arXiv:1212.5701.
    @define
    def adadelta(p: Any, g: Any, squares: Any, steps: Any, c: Any) -> Any:
        rate, keep, rho, less, epsilon = c
        total = rho * squares + less * (g * g)
        step = square_root(steps + epsilon) * g / square_root(total + epsilon)
        return p * keep - rate * step, total, rho * steps + less * (step * step)

    return {"adagrad": adagrad, "adadelta": adadelta}


def _build_rmsprop(basis: Basis) -> dict[str, Any]:
    """T. Tieleman and G. Hinton, lecture 6.5 of Neural Networks for Machine Learning, 2012."""
    define, square_root = basis.define, basis.square_root

    @define
    def rmsprop(p: Any, g: Any, v: Any, c: Any) -> Any:
        rate, keep, rho, less, epsilon, _ = c
        velocity = rho * v + less * (g * g)
        return p * keep - rate * g / square_root(velocity + epsilon), velocity

    @define
    def rmsprop_momentum(p: Any, g: Any, v: Any, m: Any, c: Any) -> Any:
        rate, keep, rho, less, epsilon, decay = c
        velocity = rho * v + less * (g * g)
        step = decay * m + rate * g / square_root(velocity + epsilon)
        return p * keep - step, velocity, step

    # A. Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850: the
    # square of the mean gradient is taken off, so that the divisor estimates a deviation.
    @define
    def rmsprop_centered(p: Any, g: Any, v: Any, a: Any, c: Any) -> Any:
        rate, keep, rho, less, epsilon, _ = c
        velocity = rho * v + less * (g * g)
        average = rho * a + less * g
        divisor = square_root(velocity - average * average + epsilon)
        return p * keep - rate * g / divisor, velocity, average

    @define
    def rmsprop_centered_momentum(p: Any, g: Any, v: Any, m: Any, a: Any, c: Any) -> Any:
        rate, keep, rho, less, epsilon, decay = c
        velocity = rho * v + less * (g * g)
        average = rho * a + less * g
        divisor = square_root(velocity - average * average + epsilon)
        step = decay * m + rate * g / divisor
        return p * keep - step, velocity, step, average

    return {
        "rmsprop": rmsprop,
        "rmsprop_momentum": rmsprop_momentum,
        "rmsprop_centered": rmsprop_centered,
        "rmsprop_centered_momentum": rmsprop_centered_momentum,
    }


def _build_ftrl(basis: Basis, functions: SimpleNamespace) -> dict[str, Any]:
    """H. B. McMahan et al., Ad click prediction: a view from the trenches, KDD 2013."""
    define, square_root = basis.define, basis.square_root
    exp, log = functions.exp, functions.log
    zero = basis.real(0.0)

    @define
    def finish(p: Any, g: Any, linear: Any, old: Any, new: Any, c: Any) -> Any:
        # `old` and `new` are powers of the accumulator before and after.
        reciprocal_rate, keep, l1, two_l2, two_shrinkage, _ = c
        decayed = p * keep
        shrunk = g + two_shrinkage * decayed
        moved = linear + (shrunk - (new - old) * reciprocal_rate * decayed)
        clipped = -l1 if moved < -l1 else (l1 if moved > l1 else moved)
        divisor = new * reciprocal_rate + two_l2
        # What no gradient has reached stays at zero, where the quotient would be 0 / 0.
        return (zero if divisor == zero else (clipped - moved) / divisor), moved

    @define
    def ftrl(p: Any, g: Any, accumulator: Any, linear: Any, c: Any) -> Any:
        total = accumulator + g * g
        parameter, moved = finish(p, g, linear, square_root(accumulator), square_root(total), c)
        return parameter, total, moved

    @define
    def ftrl_power(p: Any, g: Any, accumulator: Any, linear: Any, c: Any) -> Any:
        power = c[5]
        total = accumulator + g * g
        old, new = exp(power * log(accumulator)), exp(power * log(total))
        parameter, moved = finish(p, g, linear, old, new, c)
        return parameter, total, moved

    return {"ftrl": ftrl, "ftrl_power": ftrl_power}


def _build_adam(basis: Basis) -> dict[str, Any]:
    """Adam and its kin; the corrections of the bias are in the coefficients."""
    define, square_root = basis.define, basis.square_root

    # D. P. Kingma and J. Ba, Adam, arXiv:1412.6980, the form before section 2.1.
    @define
    def adam(p: Any, g: Any, m: Any, v: Any, c: Any) -> Any:
        rate, keep, less_1, less_2, epsilon = c
        first = m + (g - m) * less_1
        second = v + (g * g - v) * less_2
        return p * keep - rate * first / (square_root(second) + epsilon), first, second

    # S. J. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, ICLR 2018.
    @define
    def amsgrad(p: Any, g: Any, m: Any, v: Any, largest: Any, c: Any) -> Any:
        rate, keep, less_1, less_2, epsilon = c
        first = m + (g - m) * less_1
        second = v + (g * g - v) * less_2
        top = largest if largest > second else second
        return p * keep - rate * first / (square_root(top) + epsilon), first, second, top

    # T. Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.
    @define
    def nadam(p: Any, g: Any, m: Any, v: Any, c: Any) -> Any:
        by_moment, by_gradient, keep, less_1, less_2, correction, epsilon = c
        first = m + (g - m) * less_1
        second = v + (g * g - v) * less_2
        step = (by_moment * first + by_gradient * g) / (square_root(second * correction) + epsilon)
        return p * keep - step, first, second

    # Section 7.1 of the paper on Adam.
    @define
    def adamax(p: Any, g: Any, m: Any, u: Any, c: Any) -> Any:
        rate, keep, less_1, beta_2, epsilon = c
        first = m + (g - m) * less_1
        faded, size = beta_2 * u, abs(g)
        norm = faded if faded > size else size
        return p * keep - rate * first / (norm + epsilon), first, norm

    return {"adam": adam, "amsgrad": amsgrad, "nadam": nadam, "adamax": adamax}
