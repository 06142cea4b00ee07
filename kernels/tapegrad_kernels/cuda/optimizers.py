"""Optimizer updates: parameters, gradients and slots in one visit, in place.

The arithmetic of one parameter is the CPU's. Arrays are flat, contiguous and of one
dtype, as a model's parameters are when they share a buffer: one launch then
updates the whole model. Learning rates and step counters that are device arrays
are read back first, which waits for the GPU. Updates that need norms or matrices of
single variables (Lamb, Adafactor, Muon, clipping by norms) are not here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numba
from numba import types

from tapegrad_kernels._scalar import update_numbers
from tapegrad_kernels.cuda import arrays, library, shaping
from tapegrad_kernels.cuda.shim import Specimen, cuda, grid_for, kernel, specimens

# Slots and numbers of each formula.
_FORMULAS = {
    "sgd": (0, 2),
    "momentum": (1, 3),
    "nesterov": (1, 3),
    "lion": (1, 6),
    "ema": (0, 2),
    "limit": (0, 2),
    "adagrad": (1, 3),
    "adadelta": (2, 5),
    "rmsprop": (1, 6),
    "rmsprop_momentum": (2, 6),
    "rmsprop_centered": (2, 6),
    "rmsprop_centered_momentum": (3, 6),
    "ftrl": (2, 6),
    "ftrl_power": (2, 6),
    "adam": (2, 5),
    "amsgrad": (3, 5),
    "nadam": (2, 7),
    "adamax": (2, 5),
}


@functools.cache
def _kernel(name: str, dtype: str) -> Any:
    step = getattr(library.shared(dtype), name)
    slots, _ = _FORMULAS[name]

    if slots == 0:

        @kernel
        def update(p, g, c):  # type: ignore[no-untyped-def]
            for i in range(cuda.grid(1), p.size, cuda.gridsize(1)):
                (p[i],) = step(p[i], g[i], c)

    elif slots == 1:

        @kernel
        def update(p, g, s, c):  # type: ignore[no-untyped-def]
            for i in range(cuda.grid(1), p.size, cuda.gridsize(1)):
                p[i], s[i] = step(p[i], g[i], s[i], c)

    elif slots == 2:

        @kernel
        def update(p, g, s, t, c):  # type: ignore[no-untyped-def]
            for i in range(cuda.grid(1), p.size, cuda.gridsize(1)):
                p[i], s[i], t[i] = step(p[i], g[i], s[i], t[i], c)

    else:

        @kernel
        def update(p, g, s, t, u, c):  # type: ignore[no-untyped-def]
            for i in range(cuda.grid(1), p.size, cuda.gridsize(1)):
                p[i], s[i], t[i], u[i] = step(p[i], g[i], s[i], t[i], u[i], c)

    return update


def _host(*values: Any) -> tuple[Any, ...]:
    """Numbers, those on the device read back."""
    return tuple([arrays.to_host(v) if arrays.is_device_array(v) else v for v in values])


def _check(operation: str, **operands: Any) -> None:
    owner, first = next(iter(operands.items()))
    for name, array in operands.items():
        if not arrays.is_device_array(array) or array.dtype.name not in ("float32", "float64"):
            raise TypeError(
                f"{operation}: {name} is {getattr(array, 'dtype', type(array).__name__)}, "
                "expected a device array of float32 or float64"
            )
        if array.dtype != first.dtype or tuple(array.shape) != tuple(first.shape):
            raise ValueError(
                f"{operation}: {name} has shape {tuple(array.shape)} and dtype {array.dtype}, and "
                f"{owner} {tuple(first.shape)} and {first.dtype}; they must be equal"
            )
        if array.ndim != 1 or not arrays.is_contiguous(array):
            raise ValueError(
                f"{operation}: {name} must be a contiguous vector, since it is updated in place; "
                f"got shape {tuple(array.shape)} and strides {tuple(array.strides)}"
            )


def _run(name: str, buffers: tuple[Any, ...], numbers: tuple[float, ...]) -> None:
    first = buffers[0]
    if first.size:
        number = first.dtype.type
        run = _kernel(name, first.dtype.name)
        run[grid_for(first.size)](*buffers, tuple([number(x) for x in numbers]))


def sgd_update(
    parameters: Any,
    gradients: Any,
    velocity: Any,
    learning_rate: Any,
    momentum: Any = 0.0,
    nesterov: bool = False,
    weight_decay: Any = 0.0,
) -> None:
    """Stochastic gradient descent, in place; as `tapegrad_kernels.cpu.sgd_update`.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape, or are not contiguous vectors.
    """
    rate, mass, decay = _host(learning_rate, momentum, weight_decay)
    if velocity is None:
        if float(mass) != 0.0:
            raise ValueError("sgd_update: momentum needs a velocity; pass an array of zeros")
        _check("sgd_update", parameters=parameters, gradients=gradients)
        _run("sgd", (parameters, gradients), update_numbers.sgd(rate, decay))
        return
    _check("sgd_update", parameters=parameters, gradients=gradients, velocity=velocity)
    numbers = update_numbers.momentum(rate, mass, decay)
    _run("nesterov" if nesterov else "momentum", (parameters, gradients, velocity), numbers)


def lion_update(
    parameters: Any,
    gradients: Any,
    momentum: Any,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    weight_decay: Any = 0.0,
) -> None:
    """Lion, in place; as `tapegrad_kernels.cpu.lion_update`."""
    _check("lion_update", parameters=parameters, gradients=gradients, momentum=momentum)
    numbers = update_numbers.lion(*_host(learning_rate, beta_1, beta_2, weight_decay))
    _run("lion", (parameters, gradients, momentum), numbers)


def adagrad_update(
    parameters: Any,
    gradients: Any,
    accumulator: Any,
    learning_rate: Any,
    epsilon: Any,
    weight_decay: Any = 0.0,
) -> None:
    """Adagrad, in place; as `tapegrad_kernels.cpu.adagrad_update`."""
    _check("adagrad_update", parameters=parameters, gradients=gradients, accumulator=accumulator)
    numbers = update_numbers.adagrad(*_host(learning_rate, epsilon, weight_decay))
    _run("adagrad", (parameters, gradients, accumulator), numbers)


def adadelta_update(
    parameters: Any,
    gradients: Any,
    squared_gradients: Any,
    squared_steps: Any,
    learning_rate: Any,
    rho: Any,
    epsilon: Any,
    weight_decay: Any = 0.0,
) -> None:
    """Adadelta, in place; as `tapegrad_kernels.cpu.adadelta_update`."""
    _check(
        "adadelta_update",
        parameters=parameters,
        gradients=gradients,
        squared_gradients=squared_gradients,
        squared_steps=squared_steps,
    )
    numbers = update_numbers.adadelta(*_host(learning_rate, rho, epsilon, weight_decay))
    _run("adadelta", (parameters, gradients, squared_gradients, squared_steps), numbers)


def rmsprop_update(
    parameters: Any,
    gradients: Any,
    velocity: Any,
    momentum: Any,
    average_gradient: Any,
    learning_rate: Any,
    rho: Any,
    epsilon: Any,
    momentum_rate: Any = 0.0,
    weight_decay: Any = 0.0,
) -> None:
    """RMSprop, in place; as `tapegrad_kernels.cpu.rmsprop_update`."""
    buffers = {"parameters": parameters, "gradients": gradients, "velocity": velocity}
    name = "rmsprop" if average_gradient is None else "rmsprop_centered"
    settings = _host(learning_rate, rho, epsilon, momentum_rate, weight_decay)
    if momentum is not None:
        name += "_momentum"
        buffers["momentum"] = momentum
    elif float(settings[3]) != 0.0:
        raise ValueError(
            "rmsprop_update: momentum_rate needs an array for the momentum; pass one of zeros"
        )
    if average_gradient is not None:
        buffers["average_gradient"] = average_gradient
    _check("rmsprop_update", **buffers)
    _run(name, tuple(buffers.values()), update_numbers.rmsprop(*settings))


def ftrl_update(
    parameters: Any,
    gradients: Any,
    accumulator: Any,
    linear: Any,
    learning_rate: Any,
    learning_rate_power: Any = -0.5,
    l1: Any = 0.0,
    l2: Any = 0.0,
    l2_shrinkage: Any = 0.0,
    beta: Any = 0.0,
    weight_decay: Any = 0.0,
) -> None:
    """Follow the regularized leader, in place; as `tapegrad_kernels.cpu.ftrl_update`."""
    _check(
        "ftrl_update",
        parameters=parameters,
        gradients=gradients,
        accumulator=accumulator,
        linear=linear,
    )
    numbers = update_numbers.ftrl(
        *_host(learning_rate, learning_rate_power, l1, l2, l2_shrinkage, beta, weight_decay)
    )
    name = "ftrl" if numbers[-1] == 0.5 else "ftrl_power"
    _run(name, (parameters, gradients, accumulator, linear), numbers)


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
    largest_velocity: Any = None,
    weight_decay: Any = 0.0,
) -> None:
    """Adam, AdamW and AMSGrad, in place; as `tapegrad_kernels.cpu.adam_update`.

    References
    ----------
    D. P. Kingma and J. Ba, *Adam: a method for stochastic optimization*, arXiv:1412.6980.
    """
    buffers = {
        "parameters": parameters,
        "gradients": gradients,
        "momentum": momentum,
        "velocity": velocity,
    }
    if largest_velocity is not None:
        buffers["largest_velocity"] = largest_velocity
    _check("adam_update", **buffers)
    settings = _host(learning_rate, beta_1, beta_2, epsilon, step, weight_decay)
    name = "adam" if largest_velocity is None else "amsgrad"
    _run(name, tuple(buffers.values()), update_numbers.adam(*settings))


def nadam_update(
    parameters: Any,
    gradients: Any,
    momentum: Any,
    velocity: Any,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    step: Any,
    weight_decay: Any = 0.0,
) -> None:
    """Adam with Nesterov's momentum, in place; as `tapegrad_kernels.cpu.nadam_update`."""
    _check(
        "nadam_update",
        parameters=parameters,
        gradients=gradients,
        momentum=momentum,
        velocity=velocity,
    )
    settings = _host(learning_rate, beta_1, beta_2, epsilon, step, weight_decay)
    _run("nadam", (parameters, gradients, momentum, velocity), update_numbers.nadam(*settings))


def adamax_update(
    parameters: Any,
    gradients: Any,
    momentum: Any,
    norm: Any,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    step: Any,
    weight_decay: Any = 0.0,
) -> None:
    """Adam with the infinity norm, in place; as `tapegrad_kernels.cpu.adamax_update`."""
    _check(
        "adamax_update", parameters=parameters, gradients=gradients, momentum=momentum, norm=norm
    )
    settings = _host(learning_rate, beta_1, beta_2, epsilon, step, weight_decay)
    _run("adamax", (parameters, gradients, momentum, norm), update_numbers.adamax(*settings))


def clip_by_value_update(gradients: Any, low: Any, high: Any) -> None:
    """Limit every element, in place; as `tapegrad_kernels.cpu.clip_by_value_update`."""
    _check("clip_by_value_update", gradients=gradients)
    bounds = tuple([float(bound) for bound in _host(low, high)])
    if not bounds[0] <= bounds[1]:
        raise ValueError(
            f"clip_by_value_update: low is {bounds[0]:g} and high {bounds[1]:g}; "
            "low must not be above high"
        )
    _run("limit", (gradients, gradients), bounds)


def overwrite_update(parameters: Any, values: Any, count: Any, *, every: int) -> None:
    """Set parameters to others when it is time; as `tapegrad_kernels.cpu.overwrite_update`."""
    (number,) = _host(count)
    if int(number) % every == 0:
        shaping.assign(parameters, values)


def ema_update(average: Any, parameters: Any, momentum: Any, step: Any) -> None:
    """Exponential moving average, in place; as `tapegrad_kernels.cpu.ema_update`."""
    _check("ema_update", average=average, parameters=parameters)
    _run("ema", (average, parameters), update_numbers.ema(*_host(momentum, step)))


__all__ = [
    "adadelta_update",
    "adagrad_update",
    "adam_update",
    "adamax_update",
    "clip_by_value_update",
    "ema_update",
    "ftrl_update",
    "lion_update",
    "nadam_update",
    "overwrite_update",
    "rmsprop_update",
    "sgd_update",
]


@specimens
def _update_specimens() -> Iterator[Specimen]:
    for dtype in ("float32", "float64"):
        number: Any = getattr(numba, dtype)
        vector = number[::1]
        for name, (slots, count) in _FORMULAS.items():
            signature = (vector,) * (2 + slots) + (types.UniTuple(number, count),)
            yield Specimen(f"{name} {dtype}", _kernel(name, dtype), signature)
