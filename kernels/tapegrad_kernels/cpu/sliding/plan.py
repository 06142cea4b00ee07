"""Which elements of the source each window covers, along one axis.

A plan is a table of integers, a row for each phase. Windows that slide by 1 have
one phase. Transposed, a stride of s makes s phases: outputs that are s apart are
reached by the same taps of the windows, and others by others.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

FIELDS = 10
"""Integers in a row; their places follow."""
COUNT, STEP, OFFSET, TAP_STEP, TAPS, FIRST_TAP, TAP_INCREMENT, LOW, HIGH, SOURCE = range(FIELDS)

# The source element under tap k of the phase's output u is at u * STEP + OFFSET + k * TAP_STEP,
# if that is inside the SOURCE's length. Within the window it is number
# FIRST_TAP + k * TAP_INCREMENT. The outputs from LOW up to HIGH have all their taps inside.


class Plan(NamedTuple):
    """A plan and what the driver asks of it."""

    table: np.ndarray[Any, Any]
    """Of int64, shape (phases, FIELDS)."""
    address: int
    """Of the table."""
    phases: int
    """Length of the table."""
    dense: tuple[int, int]
    """Step of windows and number of their taps if these are adjacent, else (0, 0)."""


def _plan(rows: list[list[int]]) -> Plan:
    table = np.array(rows, np.int64)
    first = rows[0]
    dense = (first[STEP], first[TAPS]) if len(rows) == 1 and first[TAP_STEP] == 1 else (0, 0)
    return Plan(table, table.ctypes.data, len(rows), dense)


def _row(
    count: int,
    step: int,
    offset: int,
    tap_step: int,
    taps: int,
    first: int,
    increment: int,
    source: int,
) -> list[int]:
    low = min(max(0, -(offset // step)), count)
    high = (source - 1 - offset - (taps - 1) * tap_step) // step + 1
    if taps == 0:
        low, high = 0, count
    return [
        count,
        step,
        offset,
        tap_step,
        taps,
        first,
        increment,
        low,
        min(max(high, low), count),
        source,
    ]


@functools.lru_cache(maxsize=1024)
def forward_plan(
    size: int, outputs: int, kernel: int, stride: int, dilation: int, before: int
) -> Plan:
    """The plan of windows that read `size` elements, padded by `before`, into `outputs`.

    Examples
    --------
    >>> forward_plan(5, 5, 3, 1, 1, 1).table[0, [OFFSET, LOW, HIGH]].tolist()
    [-1, 1, 4]
    """
    return _plan([_row(outputs, stride, -before, dilation, kernel, 0, 1, size)])


@functools.lru_cache(maxsize=1024)
def transposed_plan(
    size: int, outputs: int, kernel: int, stride: int, dilation: int, before: int
) -> Plan:
    """The plan that goes back from the `outputs` of `forward_plan` to its `size` elements.

    It has as many phases as the stride: element ``u * stride + phase`` is output u of a phase.
    Phases beyond the last element have none.

    Examples
    --------
    Of windows of 3 that move by 2, even elements lie under taps 0 and 2, odd ones under tap 1:

    >>> transposed_plan(7, 3, 3, 2, 1, 0).table[:, TAPS].tolist()
    [2, 1]
    """
    period = stride // math.gcd(stride, dilation)
    step = period * dilation // stride
    rows = []
    for phase in range(stride):
        count = max(0, -(-(size - phase) // stride))
        padded = phase + before
        first = next(
            (i for i in range(min(period, kernel)) if (padded - i * dilation) % stride == 0), None
        )
        if first is None:
            rows.append(_row(count, 1, 0, 1, 0, 0, 1, outputs))
            continue
        # In the window's order the sources run backwards; the last tap comes first.
        taps = -(-(kernel - first) // period)
        last = first + (taps - 1) * period
        offset = (padded - first * dilation) // stride - (taps - 1) * step
        rows.append(_row(count, 1, offset, step, taps, last, -period, outputs))
    return _plan(rows)
