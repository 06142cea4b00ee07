"""Muon: steps along the gradient's nearest orthogonal matrix."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from tapegrad_kernels._scalar import update_numbers
from tapegrad_kernels.cpu.gemm import gemm
from tapegrad_kernels.cpu.optimizers._elementwise import Array, Number, check, update
from tapegrad_kernels.cpu.optimizers._factors import UNIT, segment_factors
from tapegrad_kernels.cpu.optimizers._pieces import piece_squares, run_pieces, segments
from tapegrad_kernels.cpu.optimizers.buffers import weight_decay_update

Shapes = Sequence[Sequence[int]]


@functools.lru_cache(maxsize=256)
def checked_shapes(
    operation: str, shapes: tuple[tuple[int, ...], ...], offsets: tuple[int, ...], size: int
) -> None:
    """Raise unless variables of these shapes lie apart in a buffer, in order.

    Raises
    ------
    ValueError
        If one has no room before the next.
    """
    if len(shapes) != len(offsets):
        raise ValueError(
            f"{operation}: got {len(shapes)} shapes and {len(offsets)} offsets; give one of each "
            "for every variable"
        )
    end = 0
    for shape, offset in zip(shapes, offsets):
        if offset < end or min(shape, default=0) < 0 or offset + math.prod(shape) > size:
            raise ValueError(
                f"{operation}: a variable of shape {shape} at offset {offset} does not fit; the "
                f"one before ends at {end} and the buffer at {size}"
            )
        end = offset + math.prod(shape)


def _orthogonalized(x: Array, steps: int, a: float, b: float, c: float) -> Array:
    """Newton and Schulz's iteration: the singular values of `x` move towards 1."""
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = np.ascontiguousarray(x.T)
    else:
        x = x.copy()
    flat = x.reshape(-1)
    table, firsts, _ = segments("muon_update", (0,), flat.size)
    factor = segment_factors(UNIT, x.dtype, firsts, piece_squares(flat, table))
    run_pieces("scale_pieces", (flat, factor), table, np.empty(0))
    diagonal = np.arange(x.shape[0])
    for _ in range(steps):
        gram = gemm(x, x, transpose_b=True)
        polynomial = gemm(gram, gram)
        update("ema", (polynomial.reshape(-1), gram.reshape(-1)), update_numbers.pair, (c, b))
        polynomial[diagonal, diagonal] += a
        x = gemm(polynomial, x)
    return x.T if tall else x


def muon_update(
    parameters: Array,
    gradients: Array,
    momentum: Array,
    learning_rate: Number,
    momentum_rate: Number = 0.95,
    weight_decay: Number = 0.0,
    *,
    offsets: Sequence[int],
    shapes: Shapes,
    nesterov: bool = True,
    steps: int = 5,
    coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
    rms_rate: float | None = 0.2,
) -> None:
    """Muon, in place, for variables that are matrices.

    Parameters
    ----------
    parameters, momentum : ndarray, shape (n,)
        Updated; the momentum begins as zeros.
    gradients : ndarray, shape (n,)
        Of the same dtype, float32 or float64.
    learning_rate, momentum_rate : float or 0-d array
        ``m = momentum_rate * m + g; p -= learning_rate * orthogonalized(m)``.
    weight_decay : float or 0-d array, default 0
        Decoupled: ``p -= learning_rate * weight_decay * p`` before the step.
    offsets, shapes : sequence
        Where each variable begins in the buffers, and its rows and columns. Other variables
        belong into `adam_update`.
    nesterov : bool, default True
        Orthogonalize ``g + momentum_rate * m`` instead.
    steps : int, default 5
        Iterations of Newton and Schulz.
    coefficients : tuple of 3 floats
        ``x = a * x + (b * A + c * A @ A) @ x`` with ``A = x @ x.T`` in each.
    rms_rate : float or None, default 0.2
        The step is multiplied by this and the root of the longer side; None leaves it.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in dtype or shape or are not contiguous vectors, a variable is no
        matrix, or does not fit.

    References
    ----------
    K. Jordan et al., *Muon: an optimizer for hidden layers in neural networks*, 2024.
    J. Liu et al., *Muon is scalable for LLM training*, arXiv:2502.16982, for `rms_rate`.

    Examples
    --------
    >>> p, m = np.zeros(4), np.zeros(4)
    >>> g = np.array([2.0, 0.0, 0.0, 2.0])
    >>> muon_update(p, g, m, 1.0, offsets=(0,), shapes=((2, 2),), rms_rate=None)
    >>> abs(p.reshape(2, 2) + np.eye(2)).max() < 0.35
    np.True_
    """
    arrays = (parameters, gradients, momentum)
    check("muon_update", ("parameters", "gradients", "momentum"), arrays)
    sizes = tuple(tuple(shape) for shape in shapes)
    checked_shapes("muon_update", sizes, tuple(offsets), parameters.size)
    for shape in sizes:
        if len(shape) != 2:
            raise ValueError(
                f"muon_update: a variable has shape {shape}; only matrices can be "
                "orthogonalized, give the others to adam_update"
            )
    rate, mass = float(learning_rate), float(momentum_rate)
    weight_decay_update(parameters, rate, weight_decay)
    update("ema", (momentum, gradients), update_numbers.pair, (mass, 1.0))
    a, b, c = coefficients
    for shape, offset in zip(sizes, offsets):
        part = slice(offset, offset + math.prod(shape))
        if part.start == part.stop:
            continue
        direction = momentum[part]
        if nesterov:
            direction = direction.copy()
            update("ema", (direction, gradients[part]), update_numbers.pair, (mass, 1.0))
        step = _orthogonalized(direction.reshape(shape), steps, a, b, c)
        stretch = 1.0 if rms_rate is None else math.sqrt(max(shape)) * rms_rate
        flat = np.ascontiguousarray(step).reshape(-1)
        update("sgd", (parameters[part], flat), update_numbers.stretched, (rate, stretch))


__all__ = ["muon_update"]
