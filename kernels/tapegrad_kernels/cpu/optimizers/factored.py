"""Adafactor: second moments of a matrix by its rows and columns."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad_kernels._compile import block, kernel, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels._scalar import update_numbers
from tapegrad_kernels.cpu._basis import cpu_basis
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.optimizers._elementwise import CHUNK, Array, Number, check
from tapegrad_kernels.cpu.optimizers._pieces import (
    ADDRESSES,
    BLOCKS,
    PART,
    make_squares,
    run_block,
)
from tapegrad_kernels.cpu.optimizers._settings import numbers_at
from tapegrad_kernels.cpu.optimizers.orthogonal import Shapes, checked_shapes

_COLUMNS = 5
"""Of the table: offset, matrices, rows, columns, offset of the statistics."""


def _make_helpers(real: str) -> tuple[Any, Any, Any]:
    number: Any = np.dtype(real).type
    zero, one = number(0.0), number(1.0)
    square_root: Any = cpu_basis(real).square_root
    squares = make_squares(real)

    @kernel(inline=True, reassociate=True)
    def scaled_part(g, factors, start, stop, shift):  # type: ignore[no-untyped-def]
        total = zero
        for i in range(start, stop):
            step = g[i] * factors[i + shift]
            total += step * step
        return total

    @kernel(inline=True)
    def scaled_squares(g, factors, start, stop, shift):  # type: ignore[no-untyped-def]
        # Sum of (g[i] * factors[i + shift])**2.
        total = 0.0
        for left in range(start, stop, PART):
            total += scaled_part(g, factors, left, min(left + PART, stop), shift)
        return total

    @kernel(inline=True)
    def whole(g, s, factors, first, size, at_s, c):  # type: ignore[no-untyped-def]
        # A variable that is no matrix keeps a mean for each element.
        for i in range(size):
            square = g[first + i] * g[first + i] + c[4]
            s[at_s + i] = c[2] * s[at_s + i] + c[3] * square
            factors[at_s + i] = one / square_root(s[at_s + i])
        return scaled_squares(g, factors, first, first + size, at_s - first)

    @kernel(inline=True)
    def matrix(g, s, factors, sums, first, rows, columns, at_s, c):  # type: ignore[no-untyped-def]
        # Running means of the squares over rows and columns; their inverse roots, those of the
        # rows relative to their mean, become factors.
        beta, less, tiny = c[2], c[3], c[4]
        at_c = at_s + rows
        for j in range(columns):
            sums[at_c + j] = 0.0
        mean = 0.0
        for i in range(rows):
            left = first + i * columns
            row = number(squares(g, left, left + columns) / columns) + tiny
            for j in range(columns):
                sums[at_c + j] += g[left + j] * g[left + j]
            s[at_s + i] = beta * s[at_s + i] + less * row
            mean += s[at_s + i]
        share = number(mean / rows)
        for i in range(at_s, at_c):
            factors[i] = one / square_root(s[i] / share)
        for j in range(at_c, at_c + columns):
            s[j] = beta * s[j] + less * (number(sums[j] / rows) + tiny)
            factors[j] = one / square_root(s[j])
        total = 0.0
        for i in range(rows):
            left = first + i * columns
            factor = factors[at_s + i]
            part = scaled_squares(g, factors, left, left + columns, at_c - left)
            total += part * (factor * factor)
        return total

    return whole, matrix, squares


def _make_block(real: str) -> Any:
    at, numbers = POINTER_TO[real], numbers_at(ADDRESSES, 7, real)
    number: Any = np.dtype(real).type
    whole, matrix, squares = _make_helpers(real)

    @block(f"adafactor.{real}")
    def adafactor(record, start, stop):  # type: ignore[no-untyped-def]
        packed, c = int64_at(record), numbers(record)
        p, g, s, factors = at(packed[0]), at(packed[1]), at(packed[2]), at(packed[3])
        table, sums = int64_at(packed[4]), float64_at(packed[5])
        rate, keep, smallest, threshold = c[0], c[1], c[5], c[6]
        for variable in range(start, stop):
            row = variable * _COLUMNS
            offset, matrices = table[row], table[row + 1]
            rows, columns, at_s = table[row + 2], table[row + 3], table[row + 4]
            each = rows * columns if rows > 0 else columns
            size = matrices * each
            for i in range(offset, offset + size):
                p[i] *= keep
            total = 0.0
            for k in range(matrices):
                first = offset + k * each
                if rows > 0:
                    here = at_s + k * (rows + columns)
                    total += matrix(g, s, factors, sums, first, rows, columns, here, c)
                else:
                    total += whole(g, s, factors, first, columns, at_s, c)
            count = max(size, 1)
            spread = max(number(np.sqrt(total / count)) / threshold, number(1.0))
            level = max(number(np.sqrt(squares(p, offset, offset + size) / count)), smallest)
            scale = rate * level / spread
            for k in range(matrices):
                if rows > 0:
                    here = at_s + k * (rows + columns)
                    for i in range(rows):
                        left = offset + k * each + i * columns
                        by_row = scale * factors[here + i]
                        shift = here + rows - left
                        for j in range(left, left + columns):
                            p[j] -= by_row * (g[j] * factors[j + shift])
                else:
                    for i in range(columns):
                        p[offset + i] -= scale * (g[offset + i] * factors[at_s + i])

    return adafactor


for _real in REAL_NAMES:
    BLOCKS["adafactor", np.dtype(_real)] = _make_block(_real)


def adafactor_statistics(shapes: Shapes) -> int:
    """Number of running means that `adafactor_update` keeps for variables of these shapes.

    For each variable of two axes or more the means over its rows, shape ``(..., rows)``, and
    columns, shape ``(..., columns)``, matrix by matrix; for others one for each element.

    Examples
    --------
    >>> adafactor_statistics([(100, 50), (50,)])
    200
    """
    return sum(matrices * (rows + columns) for matrices, rows, columns in map(_factored, shapes))


def variable_chunk(size: int, variables: int) -> int:
    """How many variables a task takes: all, if they are small together."""
    return 1 if size > CHUNK else max(variables, 1)


def _factored(shape: Sequence[int]) -> tuple[int, int, int]:
    """Matrices, rows and columns of a variable; no rows for one that is not factored."""
    if len(shape) < 2:
        return 1, 0, math.prod(shape)
    if 0 in shape:
        return 0, shape[-2], shape[-1]
    return math.prod(shape[:-2]), shape[-2], shape[-1]


@functools.lru_cache(maxsize=256)
def factored_table(
    offsets: tuple[int, ...], shapes: tuple[tuple[int, ...], ...]
) -> tuple[Array, int]:
    rows, place = [], 0
    for offset, shape in zip(offsets, shapes):
        matrices, height, width = _factored(shape)
        rows.append((offset, matrices, height, width, place))
        place += matrices * (height + width)
    return np.array(rows, np.int64).reshape(-1), place


def adafactor_update(
    parameters: Array,
    gradients: Array,
    statistics: Array,
    learning_rate: Number,
    beta_2_decay: Number,
    epsilon_1: Number,
    epsilon_2: Number,
    clip_threshold: Number,
    step: Number,
    weight_decay: Number = 0.0,
    *,
    offsets: Sequence[int],
    shapes: Shapes,
) -> None:
    """Adafactor, in place.

    Parameters
    ----------
    parameters : ndarray, shape (n,)
        Updated.
    gradients : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    statistics : ndarray, shape (adafactor_statistics(shapes),)
        Updated, begins as zeros: running means of ``g**2 + epsilon_1`` with the decay rate
        ``1 - step**beta_2_decay``, by rows and columns. Their product, divided by the mean of
        those by rows, stands for the second moment ``v``.
    learning_rate, beta_2_decay, epsilon_1, epsilon_2, clip_threshold : float or 0-d array
        ``p -= a * u / max(1, rms(u) / clip_threshold)`` with ``u = g / sqrt(v)`` and
        ``a = max(epsilon_2, rms(p)) * min(learning_rate, 1 / sqrt(step))``.
    step : int or 0-d array
        Number of this update, from 1.
    weight_decay : float or 0-d array, default 0
        Decoupled: ``p -= learning_rate * weight_decay * p`` before the step.
    offsets, shapes : sequence
        Where each variable begins in the buffers, and its shape. Those of two axes or more
        are factored in the last two.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape or are not contiguous vectors, a variable does
        not fit, or the statistics have another size.

    References
    ----------
    N. Shazeer and M. Stern, *Adafactor: adaptive learning rates with sublinear memory cost*,
    arXiv:1804.04235.

    Examples
    --------
    >>> p, s = np.ones(4), np.zeros(4)
    >>> adafactor_update(
    ...     p, np.ones(4), s, 0.5, -0.8, 1e-30, 1e-3, 1.0, 1, offsets=(0,), shapes=((2, 2),)
    ... )
    >>> p
    array([0.5, 0.5, 0.5, 0.5])
    """
    arrays = (parameters, gradients)
    check("adafactor_update", ("parameters", "gradients"), arrays)
    places, sizes = tuple(offsets), tuple(tuple(shape) for shape in shapes)
    checked_shapes("adafactor_update", sizes, places, parameters.size)
    table, needed = factored_table(places, sizes)
    check("adafactor_update", ("statistics",), (statistics,))
    if statistics.dtype != parameters.dtype or statistics.size != needed:
        raise ValueError(
            f"adafactor_update: statistics have shape {statistics.shape} and dtype "
            f"{statistics.dtype}; these variables need ({needed},) and {parameters.dtype}"
        )
    settings = (
        learning_rate, beta_2_decay, epsilon_1, epsilon_2, clip_threshold, step, weight_decay,
    )  # fmt: skip
    chunk = variable_chunk(parameters.size, len(sizes))
    buffers = (*arrays, statistics, np.empty_like(statistics))
    sums = np.empty(statistics.size)
    formula = update_numbers.adafactor
    run_block("adafactor", len(sizes), chunk, buffers, table, sums, formula, settings)


def _warm(real: str) -> None:
    p, s = np.zeros(1, real), np.zeros(1, real)
    numbers = (0.0, -0.8, 1e-30, 1e-3, 1.0, 1)
    adafactor_update(p, p.copy(), s, *numbers, offsets=(0,), shapes=((1,),))


for _real in REAL_NAMES:
    on_warmup(f"adafactor_update {_real}")(lambda real=_real: _warm(real))

__all__ = ["adafactor_update"]
