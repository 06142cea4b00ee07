"""The blocks behind `tapegrad_kernels.cpu.indexing.scans`.

Sums have blocks for rows, cut into pieces, and for columns; the others work on whole rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block, kernel
from tapegrad_kernels._compile.pointers import POINTER_TO, float64_at, int64_at
from tapegrad_kernels.cpu._map import REAL_NAMES, scalar_functions

PIECE = 8192
"""Elements of a row that one task adds."""
COLUMNS = 256
"""Columns that one task adds, where the axis is not the last."""


def _make_sum_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    number: Any = np.dtype(real).type

    @kernel(inline=True, reassociate=True)
    def total_of(x, start, stop):  # type: ignore[no-untyped-def]
        total = 0.0
        for i in range(start, stop):
            total += x[i]
        return total

    @block(f"cumsum_totals.{real}")
    def totals(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, carries, length, pieces = at(packed[0]), float64_at(packed[2]), packed[3], packed[4]
        for task in range(start, stop):
            row = task // pieces
            left = row * length + (task - row * pieces) * PIECE
            carries[task] = total_of(x, left, min(left + PIECE, (row + 1) * length))

    @block(f"cumsum_pieces.{real}")
    def rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, carries = at(packed[0]), at(packed[1]), float64_at(packed[2])
        length, pieces, reverse = packed[3], packed[4], packed[5]
        for task in range(start, stop):
            row = task // pieces
            left = row * length + (task - row * pieces) * PIECE
            right = min(left + PIECE, (row + 1) * length)
            quarter = (right - left) // 4
            step = -1 if reverse else 1
            first = right - 1 if reverse else left
            a = carries[task]
            if quarter >= 8:
                # Four chains, each from where the one before will end.
                i, j = first, first + step * quarter
                k, m = j + step * quarter, j + 2 * step * quarter
                if reverse:
                    b = a + total_of(x, j + 1, i + 1)
                    c = b + total_of(x, k + 1, j + 1)
                    d = c + total_of(x, m + 1, k + 1)
                else:
                    b = a + total_of(x, i, j)
                    c = b + total_of(x, j, k)
                    d = c + total_of(x, k, m)
                for _ in range(quarter):
                    a += x[i]
                    b += x[j]
                    c += x[k]
                    d += x[m]
                    y[i], y[j], y[k], y[m] = number(a), number(b), number(c), number(d)
                    i, j, k, m = i + step, j + step, k + step, m + step
                first, a = m, d
            last = left - 1 if reverse else right
            while first != last:
                a += x[first]
                y[first] = number(a)
                first += step

    @block(f"cumsum_columns.{real}")
    def columns(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, carries = at(packed[0]), at(packed[1]), float64_at(packed[2])
        length, width, reverse = packed[3], packed[4], packed[5]
        across = (width + COLUMNS - 1) // COLUMNS
        for task in range(start, stop):
            outer = task // across
            left = (task - outer * across) * COLUMNS
            wide = min(COLUMNS, width - left)
            at_carry = outer * width + left
            for j in range(wide):
                carries[at_carry + j] = 0.0
            for i in range(length):
                line = length - 1 - i if reverse else i
                here = (outer * length + line) * width + left
                for j in range(wide):
                    total = carries[at_carry + j] + x[here + j]
                    carries[at_carry + j] = total
                    y[here + j] = number(total)

    return {"totals": totals, "rows": rows, "columns": columns}


def _make_row_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    number: Any = np.dtype(real).type
    one, lowest = number(1.0), number(-np.inf)
    scalar = scalar_functions(real)
    exp, log = scalar["exp"], scalar["log"]

    @block(f"cumprod.{real}")
    def products(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, length, reverse = at(packed[0]), at(packed[1]), packed[2], packed[3]
        step = -1 if reverse else 1
        for row in range(start, stop):
            i = (row + 1) * length - 1 if reverse else row * length
            product = one
            for _ in range(length):
                product *= x[i]
                y[i] = product
                i += step

    @block(f"cummax.{real}")
    def extremes(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, places = at(packed[0]), at(packed[1]), int64_at(packed[2])
        length, reverse, smallest = packed[3], packed[4], packed[5]
        step = -1 if reverse else 1
        sign = -one if smallest else one
        for row in range(start, stop):
            first = row * length
            i = first + length - 1 if reverse else first
            best, place = x[i], i - first
            for _ in range(length):
                if sign * x[i] > sign * best or (x[i] != x[i] and best == best):
                    best, place = x[i], i - first
                y[i], places[i] = best, place
                i += step

    @block(f"logcumsumexp.{real}")
    def exponentials(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, y, length, reverse = at(packed[0]), at(packed[1]), packed[2], packed[3]
        step = -1 if reverse else 1
        for row in range(start, stop):
            i = (row + 1) * length - 1 if reverse else row * length
            largest, total = lowest, number(0.0)
            for _ in range(length):
                value = x[i]
                if value > largest:
                    total = total * exp(largest - value) + one
                    largest = value
                elif value == largest:
                    total += one if value > lowest else number(0.0)
                else:
                    total += exp(value - largest)
                y[i] = largest + log(total)
                i += step

    @block(f"linear_scan.{real}")
    def recurrence(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        a, b, y = at(packed[0]), at(packed[1]), at(packed[2])
        length, reverse = packed[3], packed[4]
        step = -1 if reverse else 1
        for row in range(start, stop):
            i = (row + 1) * length - 1 if reverse else row * length
            state = b[i]
            y[i] = state
            for _ in range(length - 1):
                i += step
                state = a[i] * state + b[i]
                y[i] = state

    return {
        "cumprod": products,
        "cummax": extremes,
        "logcumsumexp": exponentials,
        "linear_scan": recurrence,
    }


BLOCKS = {
    (name, np.dtype(real)): made
    for real in REAL_NAMES
    for name, made in (_make_sum_blocks(real) | _make_row_blocks(real)).items()
}
