"""What training notes between steps: how many there were, and what was counted in each epoch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TAKEN, LENGTH, CLOSED, NOT_A_NUMBER = 0, 1, 2, 3
"""Places of the numbers in `place`: see `note_step`."""
PLACES = 4


def note_step(place: Array, log: Array, *counted: Array) -> None:
    """Take note of a step; at the end of an epoch, log what was counted and count anew.

    Parameters
    ----------
    place : ndarray of int64, shape (4,)
        Steps taken, steps an epoch has (0 if none shall end here), epochs that ended, and the
        number of the first step after which the mean of the first of `counted` was NaN, or -1.
    log : ndarray of float64, shape (epochs, numbers)
        Gets a row for each epoch that ends: all numbers of `counted`.
    *counted : ndarray of float64
        Vectors that metrics count in; the first is a total and a count.

    Raises
    ------
    IndexError
        If the log is full.

    Examples
    --------
    >>> place, log = np.array([0, 2, 0, -1]), np.zeros((3, 2))
    >>> for step in range(3):
    ...     counted = np.array([0.5 * step, 1.0]) if step % 2 == 0 else counted + 1
    ...     note_step(place, log, counted)
    >>> place, log[0]
    (array([ 3,  2,  1, -1]), array([1., 2.]))
    """
    if not 0 <= place[CLOSED] < len(log):
        raise IndexError(f"note_step: a log of {len(log)} epochs is full")
    step = place[TAKEN]
    place[TAKEN] += 1
    total, count = counted[0].tolist()
    if place[NOT_A_NUMBER] < 0 and count != 0 and math.isnan(total / count):
        place[NOT_A_NUMBER] = step
    if place[LENGTH] > 0 and place[TAKEN] % place[LENGTH] == 0:
        log[place[CLOSED]] = np.concatenate(counted)
        place[CLOSED] += 1
        for numbers in counted:
            numbers.fill(0)


__all__ = ["note_step"]
