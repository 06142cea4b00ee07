"""Optimizer updates: parameters, gradients and moments in one visit, in place.

All arrays of a call are flat, contiguous and of one dtype, as a model's
parameters are when they share a buffer: one call then updates the whole model.
The formulas are those of Keras 3 (see `tapegrad_kernels._scalar.updates`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels._compile import Block, block, kernel, on_warmup
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher, run_chunks
from tapegrad_kernels._compile.pointers import (
    POINTER_TO,
    address_of,
    float64_at,
    int64_at,
    pack,
)
from tapegrad_kernels._scalar import updates
from tapegrad_kernels.cpu._basis import cpu_basis
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64, REAL_NAMES

Array = NDArray[Any]
Number = float | int | NDArray[Any] | np.generic

CHUNK = 65_536
"""Elements up to which one thread is quicker, and that a thread takes at a time.

In a loop of training steps the other threads sleep when the update comes. Waking one
takes as long as updating so many."""


def _make_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    scalar = updates.build(cpu_basis(real))
    sgd, momentum, nesterov, adam = scalar.sgd, scalar.momentum, scalar.nesterov, scalar.adam
    # The record holds numbers as float64; the arithmetic is in the arrays' type.
    number: Any = np.dtype(real).type

    @block(f"sgd_update.{real}")
    def sgd_block(record, start, stop):  # type: ignore[no-untyped-def]
        packed, numbers = int64_at(record), float64_at(record)
        p, g = at(packed[0]), at(packed[1])
        rate = number(numbers[4])
        for i in range(start, stop):
            p[i] = sgd(p[i], g[i], rate)

    def moving(name: str, step: Any) -> Block:
        @block(f"{name}.{real}")
        def moving_block(record, start, stop):  # type: ignore[no-untyped-def]
            packed, numbers = int64_at(record), float64_at(record)
            p, g, v = at(packed[0]), at(packed[1]), at(packed[2])
            rate, decay = number(numbers[4]), number(numbers[5])
            for i in range(start, stop):
                p[i], v[i] = step(p[i], g[i], v[i], rate, decay)

        return moving_block

    @block(f"adam_update.{real}")
    def adam_block(record, start, stop):  # type: ignore[no-untyped-def]
        packed, numbers = int64_at(record), float64_at(record)
        p, g, m, v = at(packed[0]), at(packed[1]), at(packed[2]), at(packed[3])
        rate, less_1 = number(numbers[4]), number(numbers[5])
        less_2, epsilon = number(numbers[6]), number(numbers[7])
        for i in range(start, stop):
            p[i], m[i], v[i] = adam(p[i], g[i], m[i], v[i], rate, less_1, less_2, epsilon)

    return {
        "sgd": sgd_block,
        "momentum": moving("momentum_update", momentum),
        "nesterov": moving("nesterov_update", nesterov),
        "adam": adam_block,
    }


_BLOCKS = {
    (name, np.dtype(real)): made for real in REAL_NAMES for name, made in _make_blocks(real).items()
}


@kernel
def _run(  # type: ignore[no-untyped-def]
    address, chunker, launcher, p, g, m, v, first, second, third, fourth
):
    record = pack(
        (address_of(p), address_of(g), address_of(m), address_of(v), first, second, third, fourth)
    )
    run_chunks(address, record, p.size, CHUNK, chunker, launcher)


_entries: dict[Any, tuple[int, int, int]] = {}


def _update(name: str, arrays: tuple[Array, ...], numbers: tuple[float, ...]) -> None:
    key = (name, arrays[0].dtype)
    entry = _entries.get(key)
    if entry is None:
        entry = _BLOCKS[key].address, chunk_block.address, parallel_launcher.address
        _entries[key] = entry
    # Unused places of the record repeat the first array and zero.
    padding = (arrays[0],) * (4 - len(arrays))
    _run(*entry, *arrays, *padding, *numbers, *(0.0,) * (4 - len(numbers)))


def _check(operation: str, names: tuple[str, ...], arrays: tuple[Array, ...]) -> None:
    first = arrays[0]
    for name, array in zip(names, arrays):
        if type(array) is not np.ndarray or array.dtype not in (FLOAT32, FLOAT64):
            raise TypeError(
                f"{operation}: {name} is {getattr(array, 'dtype', type(array).__name__)}, "
                "expected an ndarray of float32 or float64"
            )
        if array.dtype != first.dtype or array.shape != first.shape:
            raise ValueError(
                f"{operation}: {name} has shape {array.shape} and dtype {array.dtype}, and "
                f"parameters {first.shape} and {first.dtype}; they must be equal"
            )
        writable = array.flags.writeable or name == "gradients"
        if array.ndim != 1 or not array.flags.c_contiguous or not writable:
            raise ValueError(
                f"{operation}: {name} must be a contiguous, writable vector, since it is updated "
                f"in place; got shape {array.shape} and strides {array.strides}"
            )


def sgd_update(
    parameters: Array,
    gradients: Array,
    velocity: Array | None,
    learning_rate: Number,
    momentum: Number = 0.0,
    nesterov: bool = False,
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
    rate = float(learning_rate)
    if velocity is None:
        if float(momentum) != 0.0:
            raise ValueError("sgd_update: momentum needs a velocity; pass an array of zeros")
        _check("sgd_update", ("parameters", "gradients"), (parameters, gradients))
        _update("sgd", (parameters, gradients), (rate,))
        return
    arrays = (parameters, gradients, velocity)
    _check("sgd_update", ("parameters", "gradients", "velocity"), arrays)
    _update("nesterov" if nesterov else "momentum", arrays, (rate, float(momentum)))


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
) -> None:
    """Adam, in place.

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

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape, or are not contiguous vectors.

    References
    ----------
    D. P. Kingma and J. Ba, *Adam: a method for stochastic optimization*, arXiv:1412.6980.

    Examples
    --------
    >>> p, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    >>> adam_update(p, np.array([3.0, -3.0]), m, v, 0.1, 0.9, 0.999, 1e-7, 1)
    >>> p.round(3)
    array([0.9, 1.1])
    """
    arrays = (parameters, gradients, momentum, velocity)
    _check("adam_update", ("parameters", "gradients", "momentum", "velocity"), arrays)
    first, second, count = float(beta_1), float(beta_2), float(step)
    if count < 1.0:
        raise ValueError(f"adam_update: step is {count:g}; the first update is step 1")
    rate = float(learning_rate) * math.sqrt(1.0 - second**count) / (1.0 - first**count)
    _update("adam", arrays, (rate, 1.0 - first, 1.0 - second, float(epsilon)))


def _warm_sgd(real: str) -> None:
    p, g, v = (np.zeros(1, real) for _ in range(3))
    sgd_update(p, g, None, 0.0)
    sgd_update(p, g, v, 0.0, 0.9)
    sgd_update(p, g, v, 0.0, 0.9, nesterov=True)


def _warm_adam(real: str) -> None:
    p, g, m, v = (np.zeros(1, real) for _ in range(4))
    adam_update(p, g, m, v, 0.0, 0.9, 0.999, 1e-7, 1)


for _real in REAL_NAMES:
    on_warmup(f"sgd_update {_real}")(lambda real=_real: _warm_sgd(real))
    on_warmup(f"adam_update {_real}")(lambda real=_real: _warm_adam(real))

__all__ = ["adam_update", "sgd_update"]
