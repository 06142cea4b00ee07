"""Small numbers that change from step to step: counters and learning rates."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from tapegrad_kernels._compile import block, kernel, native_entry, on_warmup
from tapegrad_kernels._compile.pointers import (
    address_of,
    call_block,
    float64_at,
    int64_at,
    pack,
)
from tapegrad_kernels._scalar import schedules
from tapegrad_kernels.cpu.optimizers._elementwise import Array
from tapegrad_kernels.cpu.optimizers._settings import read_settings

_evaluate = schedules.build(kernel(inline=True))


def increment(counter: Array) -> None:
    """Add 1 to a counter, in place; beyond the largest number of its type comes the smallest.

    Examples
    --------
    >>> counter = np.array(4)
    >>> increment(counter)
    >>> counter
    array(5)
    """
    following = counter.item() + 1  # a tenth of the time of `np.add` on an array of one number
    if following < 1 << 31:
        counter[()] = following
    else:
        np.add(counter, counter.dtype.type(1), out=counter)


def number_update(count: Array, iterations: Array, *, every: int = 1) -> None:
    """Set `count` to the number of the update that comes, where only some steps update.

    Parameters
    ----------
    count : ndarray, shape ()
        Written: ``iterations // every + 1``.
    iterations : ndarray, shape ()
        Steps taken before.
    every : int, default 1
        Steps from one update to the next.

    Examples
    --------
    >>> count = np.array(0)
    >>> number_update(count, np.array(7), every=4)
    >>> count
    array(2)
    """
    count[()] = iterations.item() // every + 1


def overwrite_update(parameters: Array, values: Array, count: Array, *, every: int) -> None:
    """Set parameters to other values, in place, at each update whose number is a multiple.

    Parameters
    ----------
    parameters : ndarray
        Written when it is time.
    values : ndarray
        Of the same shape.
    count : ndarray of int64, shape ()
        Number of this update, from 1.
    every : int
        Updates from one time to the next.

    Examples
    --------
    >>> p = np.zeros(2)
    >>> overwrite_update(p, np.ones(2), np.array(3), every=2)
    >>> overwrite_update(p, np.full(2, 5.0), np.array(4), every=2)
    >>> p
    array([5., 5.])
    """
    if count.item() % every == 0:
        np.copyto(parameters, values)


@block("schedule")
def schedule_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Set a rate to a schedule's value.

    The record holds the addresses of the rate, of the status word and of the schedule, the kinds
    of two settings, and these: the step, and what is added to it.
    """
    packed = int64_at(record)
    values = pack((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    read_settings(packed[3], record + 32, values)
    step = float64_at(values)[0] + float64_at(values)[1]
    rate = _evaluate(step, float64_at(packed[2]))
    if np.isfinite(rate):
        float64_at(packed[0])[0] = rate
    else:
        int64_at(packed[1])[0] = 1


def _run(block, rate, schedule, step, offset):  # type: ignore[no-untyped-def]
    failed = pack((0,))
    addresses = address_of(rate), failed, address_of(schedule)
    settings = (step, offset, 0.0, 0.0, 0.0, 0.0, 0.0)
    call_block(block, pack((*addresses, 0, *settings)), 0, 1)
    return int64_at(failed)[0]


@functools.cache
def _entry() -> Callable[..., int]:
    number = numba.types.Array(numba.float64, 0, "C")
    vector = numba.types.Array(numba.float64, 1, "C")
    arguments = numba.int64, number, vector, numba.float64, numba.float64
    return native_entry(_run, "run_schedule", *arguments)


def schedule_update(
    rate: Array, step: Any, *, schedule: tuple[float, ...], offset: float = 0
) -> None:
    """Set a rate to the value of a schedule.

    Parameters
    ----------
    rate : ndarray of float64, shape ()
        Written.
    step : int or 0-d array
        The number of steps taken before.
    schedule : tuple of float
        As `tapegrad_kernels._scalar.schedules` describes it.
    offset : float, default 0
        What is added to the step.

    Raises
    ------
    TypeError
        If the rate is no float64.
    ValueError
        If the schedule's value is not finite.

    Examples
    --------
    >>> rate = np.array(0.0)
    >>> schedule_update(rate, 10, schedule=(0, schedules.EXPONENTIAL, 0.1, 10, 0.5, 0))
    >>> rate
    array(0.05)
    """
    if type(rate) is not np.ndarray or rate.dtype != np.float64 or rate.ndim != 0:
        raise TypeError("schedule_update: rate must be an array of float64 of shape ()")
    numbers = np.array(schedule, np.float64)
    if _entry()(schedule_block.address, rate, numbers, float(step), float(offset)):
        raise ValueError(
            f"schedule_update: the learning rate after {float(step) + offset:g} steps is not finite"
        )


@on_warmup("schedule_update")
def _warm() -> None:
    schedule_update(np.array(0.0), 0, schedule=(0, schedules.CONSTANT, 0.1))


__all__ = ["increment", "number_update", "overwrite_update", "schedule_update"]
