"""Numbers of whole segments: their norms, and what their elements are multiplied by."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from tapegrad_kernels._compile import Block, block, native_entry
from tapegrad_kernels._compile.pointers import (
    POINTER_TO,
    address_of,
    call_block,
    float64_at,
    int64_at,
    pack,
)
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu.optimizers._elementwise import Array
from tapegrad_kernels.cpu.optimizers._settings import read_settings

NORM = 0
"""Norm of the segment, from the squares of its pieces."""
CLIP = 1
"""Factor that brings the norm down to the first setting."""
CLIP_ALL = 2
"""The same, and NaN for a norm that is not finite."""
SCALE = 3
"""The first setting."""
DECAY = 4
"""``1 - rate * decay`` where a segment decays, and else 1."""
RATIO = 5
"""Norm of the parameters over that of the step, from two sums for each piece; 1 for zeros."""
UNIT = 6
"""Factor that brings the norm near 1; zeros stay."""

TINY = 1e-7
"""What keeps `UNIT` finite."""
HEAD = 9
"""Words of the record before the settings."""


def _make_block(real: str) -> Block:
    at: Any = POINTER_TO[real]
    number: Any = np.dtype(real).type
    one, tiny = number(1.0), number(TINY)

    @block(f"segment_factors.{real}")
    def segment_factors(record, start, stop):  # type: ignore[no-untyped-def]
        # The record holds what to compute, the kinds of the settings, the address of the status
        # word or 0, the numbers of segments and of pieces, the addresses of sums of the pieces,
        # first pieces, results and which segments decay, and the settings.
        packed = int64_at(record)
        kind, count, pieces = packed[0], packed[3], packed[4]
        sums, firsts, results = float64_at(packed[5]), int64_at(packed[6]), at(packed[7])
        decayed = int64_at(packed[8])
        values = pack((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
        read_settings(packed[1], record + 72, values)
        limit, other = float64_at(values)[0], float64_at(values)[1]
        if kind in (CLIP, CLIP_ALL) and not limit > 0.0:
            if packed[2] != 0:
                int64_at(packed[2])[0] = 1
            return
        for i in range(count):
            if kind == SCALE:
                results[i] = number(limit)
                continue
            if kind == DECAY:
                results[i] = number(1.0 - limit * other) if decayed[i] != 0 else one
                continue
            last = firsts[i + 1] if i + 1 < count else pieces
            total, steps = 0.0, 0.0
            for piece in range(firsts[i], last):
                if kind == RATIO:
                    total += sums[2 * piece]
                    steps += sums[2 * piece + 1]
                else:
                    total += sums[piece]
            norm, step = np.sqrt(total), np.sqrt(steps)
            if kind == NORM:
                results[i] = number(norm)
            elif kind == RATIO:
                results[i] = number(norm / step) if norm > 0.0 and step > 0.0 else one
            elif kind == UNIT:
                results[i] = one / (number(norm) + tiny)
            elif kind == CLIP_ALL and not np.isfinite(norm):
                results[i] = number(np.nan)
            else:
                results[i] = number(limit / (limit if norm < limit else norm))

    return segment_factors


FACTOR_BLOCKS = {np.dtype(real): _make_block(real) for real in REAL_NAMES}


def _run(  # type: ignore[no-untyped-def]
    address, kind, pieces, sums, firsts, results, decayed, first, second
):
    addresses = address_of(sums), address_of(firsts), address_of(results), address_of(decayed)
    settings = (first, second, 0.0, 0.0, 0.0, 0.0, 0.0)
    record = pack((kind, 0, 0, results.size, pieces, *addresses, *settings))
    call_block(address, record, 0, 1)


@functools.cache
def _entry(dtype: np.dtype[Any]) -> tuple[Callable[..., None], int]:
    real = numba.types.Array(numba.from_dtype(dtype), 1, "C")
    wide = numba.types.Array(numba.float64, 1, "C")
    integers = numba.types.Array(numba.int64, 1, "C")
    arguments = (numba.int64,) * 3 + (wide, integers, real, integers, numba.float64, numba.float64)
    run = native_entry(_run, f"run_factors.{dtype.name}", *arguments)
    return run, FACTOR_BLOCKS[dtype].address


def segment_factors(
    kind: int,
    dtype: np.dtype[Any],
    firsts: Array,
    sums: Array,
    settings: tuple[float, ...] = (),
    decayed: Array | None = None,
) -> Array:
    """A number for each segment.

    Parameters
    ----------
    kind : int
        Which, a constant of this module.
    dtype : dtype
        Of the result.
    firsts : ndarray of int64
        First piece of each segment.
    sums : ndarray of float64, flat
        Sums over the pieces.
    settings : tuple of float
        What the numbers are computed with.
    decayed : ndarray of int64, optional
        Which segments decay.
    """
    run, address = _entry(dtype)
    results = np.empty(firsts.size, dtype)
    first, second = (*settings, 0.0, 0.0)[:2]
    pieces = sums.size // 2 if kind == RATIO else sums.size
    run(address, kind, pieces, sums, firsts, results, firsts if decayed is None else decayed,
        first, second)  # fmt: skip
    return results
