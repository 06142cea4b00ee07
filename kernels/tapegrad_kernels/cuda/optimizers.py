"""Optimizer updates: parameters, gradients and moments in one visit, in place.

The arithmetic of one parameter is the CPU's. Arrays are flat, contiguous and of one
dtype, as a model's parameters are when they share a buffer: one launch then
updates the whole model. Learning rates and step counters that are device arrays
are read back first, which waits for the GPU.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numba

from tapegrad_kernels.cuda import arrays, library
from tapegrad_kernels.cuda.shim import Specimen, cuda, grid_for, kernel, specimens


@functools.cache
def _sgd_kernel(dtype: str) -> Any:
    sgd = library.shared(dtype).sgd

    @kernel
    def update(p, g, rate):  # type: ignore[no-untyped-def]
        for i in range(cuda.grid(1), p.size, cuda.gridsize(1)):
            p[i] = sgd(p[i], g[i], rate)

    return update


@functools.cache
def _momentum_kernel(dtype: str, nesterov: bool) -> Any:
    functions = library.shared(dtype)
    step = functions.nesterov if nesterov else functions.momentum

    @kernel
    def update(p, g, v, rate, decay):  # type: ignore[no-untyped-def]
        for i in range(cuda.grid(1), p.size, cuda.gridsize(1)):
            p[i], v[i] = step(p[i], g[i], v[i], rate, decay)

    return update


@functools.cache
def _adam_kernel(dtype: str) -> Any:
    adam = library.shared(dtype).adam

    @kernel
    def update(p, g, m, v, rate, less_1, less_2, epsilon):  # type: ignore[no-untyped-def]
        for i in range(cuda.grid(1), p.size, cuda.gridsize(1)):
            p[i], m[i], v[i] = adam(p[i], g[i], m[i], v[i], rate, less_1, less_2, epsilon)

    return update


def _number(value: Any) -> float:
    return float(arrays.to_host(value) if arrays.is_device_array(value) else value)


def _check(operation: str, **operands: Any) -> None:
    first = operands["parameters"]
    for name, array in operands.items():
        if not arrays.is_device_array(array) or array.dtype.name not in ("float32", "float64"):
            raise TypeError(
                f"{operation}: {name} is {getattr(array, 'dtype', type(array).__name__)}, "
                "expected a device array of float32 or float64"
            )
        if array.dtype != first.dtype or tuple(array.shape) != tuple(first.shape):
            raise ValueError(
                f"{operation}: {name} has shape {tuple(array.shape)} and dtype {array.dtype}, and "
                f"parameters {tuple(first.shape)} and {first.dtype}; they must be equal"
            )
        if array.ndim != 1 or not arrays.is_contiguous(array):
            raise ValueError(
                f"{operation}: {name} must be a contiguous vector, since it is updated in place; "
                f"got shape {tuple(array.shape)} and strides {tuple(array.strides)}"
            )


def sgd_update(
    parameters: Any,
    gradients: Any,
    velocity: Any,
    learning_rate: Any,
    momentum: Any = 0.0,
    nesterov: bool = False,
) -> None:
    """Stochastic gradient descent, in place.

    Parameters
    ----------
    parameters, gradients : device array, shape (n,)
    velocity : device array, shape (n,), or None
        Without it, ``p -= learning_rate * g``.
    learning_rate, momentum : float or 0-d array
        ``v = momentum * v - learning_rate * g; p += v``.
    nesterov : bool, default False
        ``p += momentum * v - learning_rate * g`` with the new velocity instead.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape, or are not contiguous vectors.
    """
    number = parameters.dtype.type
    rate, decay = _number(learning_rate), _number(momentum)
    if velocity is None:
        if decay != 0.0:
            raise ValueError("sgd_update: momentum needs a velocity; pass an array of zeros")
        _check("sgd_update", parameters=parameters, gradients=gradients)
        if parameters.size:
            run = _sgd_kernel(parameters.dtype.name)
            run[grid_for(parameters.size)](parameters, gradients, number(rate))
        return
    _check("sgd_update", parameters=parameters, gradients=gradients, velocity=velocity)
    if parameters.size:
        run = _momentum_kernel(parameters.dtype.name, bool(nesterov))
        run[grid_for(parameters.size)](parameters, gradients, velocity, number(rate), number(decay))


def adam_update(
    parameters: Any,
    gradients: Any,
    momentum: Any,
    velocity: Any,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    step: Any,
) -> None:
    """Adam, in place.

    Parameters
    ----------
    parameters, gradients, momentum, velocity : device array, shape (n,)
        All but the gradients are updated; the moments begin as zeros.
    learning_rate, beta_1, beta_2, epsilon : float or 0-d array
        ``p -= rate * m / (sqrt(v) + epsilon)``, with ``m`` and ``v`` moving averages of ``g``
        and ``g**2`` and ``rate = learning_rate * sqrt(1 - beta_2**step) / (1 - beta_1**step)``.
    step : int or 0-d array
        Number of this update, from 1.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape, or are not contiguous vectors.

    References
    ----------
    D. P. Kingma and J. Ba, *Adam: a method for stochastic optimization*, arXiv:1412.6980.
    """
    _check(
        "adam_update",
        parameters=parameters,
        gradients=gradients,
        momentum=momentum,
        velocity=velocity,
    )
    first, second, count = _number(beta_1), _number(beta_2), _number(step)
    if count < 1.0:
        raise ValueError(f"adam_update: step is {count:g}; the first update is step 1")
    rate = _number(learning_rate) * math.sqrt(1.0 - second**count) / (1.0 - first**count)
    if parameters.size:
        number = parameters.dtype.type
        numbers = [number(x) for x in (rate, 1.0 - first, 1.0 - second, _number(epsilon))]
        run = _adam_kernel(parameters.dtype.name)
        run[grid_for(parameters.size)](parameters, gradients, momentum, velocity, *numbers)


__all__ = ["adam_update", "sgd_update"]


@specimens
def _update_specimens() -> Iterator[Specimen]:
    for dtype in ("float32", "float64"):
        number: Any = getattr(numba, dtype)
        vector = number[::1]
        yield Specimen(f"sgd {dtype}", _sgd_kernel(dtype), (vector,) * 2 + (number,))
        for nesterov in (False, True):
            yield Specimen(
                f"{'nesterov' if nesterov else 'momentum'} {dtype}",
                _momentum_kernel(dtype, nesterov),
                (vector,) * 3 + (number,) * 2,
            )
        yield Specimen(f"adam {dtype}", _adam_kernel(dtype), (vector,) * 4 + (number,) * 4)
