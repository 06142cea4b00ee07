"""Lamb: Adam with a rate of its own for every variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad_kernels._compile import block, kernel, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels._scalar import update_numbers
from tapegrad_kernels.cpu._basis import cpu_basis
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.optimizers._elementwise import Array, Number, check
from tapegrad_kernels.cpu.optimizers._factors import RATIO, segment_factors
from tapegrad_kernels.cpu.optimizers._pieces import (
    ADDRESSES,
    BLOCKS,
    PART,
    make_squares,
    run_pieces,
    segments,
)
from tapegrad_kernels.cpu.optimizers._settings import numbers_at


def _make_blocks(real: str) -> dict[str, Any]:
    at, numbers = POINTER_TO[real], numbers_at(ADDRESSES, 7, real)
    square_root: Any = cpu_basis(real).square_root
    squares = make_squares(real)
    zero: Any = np.dtype(real).type(0.0)

    @kernel(inline=True)
    def direction(m, v, c):  # type: ignore[no-untyped-def]
        return m * c[4] / (square_root(v * c[5]) + c[6])

    @kernel(inline=True, reassociate=True)
    def direction_squares(m, v, start, stop, c):  # type: ignore[no-untyped-def]
        total = zero
        for i in range(start, stop):
            step = direction(m[i], v[i], c)
            total += step * step
        return total

    @block(f"lamb_moments.{real}")
    def moments(record, start, stop):  # type: ignore[no-untyped-def]
        # New moments, and the two sums of squares of every piece.
        packed, c = int64_at(record), numbers(record)
        p, g, m, v = at(packed[0]), at(packed[1]), at(packed[2]), at(packed[3])
        table, results = int64_at(packed[4]), float64_at(packed[5])
        keep, less_1, less_2 = c[1], c[2], c[3]
        for piece in range(start, stop):
            weights, steps = 0.0, 0.0
            last = table[3 * piece + 1]
            for left in range(table[3 * piece], last, PART):
                right = min(left + PART, last)
                for i in range(left, right):
                    p[i] *= keep
                    m[i] += (g[i] - m[i]) * less_1
                    v[i] += (g[i] * g[i] - v[i]) * less_2
                weights += squares(p, left, right)
                steps += direction_squares(m, v, left, right, c)
            results[2 * piece] = weights
            results[2 * piece + 1] = steps

    @block(f"lamb_step.{real}")
    def step(record, start, stop):  # type: ignore[no-untyped-def]
        packed, c = int64_at(record), numbers(record)
        p, m, v = at(packed[0]), at(packed[2]), at(packed[3])
        table, ratios = int64_at(packed[4]), at(packed[1])
        for piece in range(start, stop):
            rate = ratios[table[3 * piece + 2]] * c[0]
            for i in range(table[3 * piece], table[3 * piece + 1]):
                p[i] -= rate * direction(m[i], v[i], c)

    return {"lamb_moments": moments, "lamb_step": step}


for _real in REAL_NAMES:
    for _name, _made in _make_blocks(_real).items():
        BLOCKS[_name, np.dtype(_real)] = _made


def lamb_update(
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
    *,
    offsets: Sequence[int],
) -> None:
    """Lamb, in place.

    Parameters
    ----------
    parameters, momentum, velocity : ndarray, shape (n,)
        Updated; the moments begin as zeros.
    gradients : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    learning_rate, beta_1, beta_2, epsilon : float or 0-d array
        ``p -= learning_rate * ratio * u`` for Adam's step
        ``u = m / (1 - beta_1**step) / (sqrt(v / (1 - beta_2**step)) + epsilon)``, where
        ``ratio`` is ``norm(p) / norm(u)`` of the variable, or 1 if one of them is 0.
    step : int or 0-d array
        Number of this update, from 1.
    weight_decay : float or 0-d array, default 0
        Decoupled: ``p -= learning_rate * weight_decay * p`` before the step.
    offsets : sequence of int
        Where each variable begins; it reaches to the next, the last to the end. Padding
        between them must be zero.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape, are not contiguous vectors, or the offsets do
        not rise from 0.

    References
    ----------
    Y. You et al., *Large batch optimization for deep learning: training BERT in 76 minutes*,
    arXiv:1904.00962.

    Examples
    --------
    >>> p, m, v = np.array([1.0, 3.0]), np.zeros(2), np.zeros(2)
    >>> lamb_update(p, np.array([2.0, 2.0]), m, v, 0.1, 0.9, 0.999, 0.0, 1, offsets=(0, 1))
    >>> p.round(3)
    array([0.9, 2.7])
    """
    arrays = (parameters, gradients, momentum, velocity)
    check("lamb_update", ("parameters", "gradients", "momentum", "velocity"), arrays)
    settings = learning_rate, beta_1, beta_2, epsilon, step, weight_decay
    table, firsts, _ = segments("lamb_update", tuple(offsets), parameters.size)
    sums = np.empty(table.size // 3 * 2)
    run_pieces("lamb_moments", arrays, table, sums, update_numbers.lamb, settings)
    ratios = segment_factors(RATIO, parameters.dtype, firsts, sums)
    scaled = (parameters, ratios, momentum, velocity)
    run_pieces("lamb_step", scaled, table, sums, update_numbers.lamb, settings)


def _warm(real: str) -> None:
    p, g, m, v = (np.zeros(1, real) for _ in range(4))
    lamb_update(p, g, m, v, 0.0, 0.9, 0.999, 1e-7, 1, offsets=(0,))


for _real in REAL_NAMES:
    on_warmup(f"lamb_update {_real}")(lambda real=_real: _warm(real))

__all__ = ["lamb_update"]
