"""Learning rates as functions of the step, for the host and for compiled code.

A schedule is a tuple of numbers: how many warm-ups come first, the first rate and the length of
each, one of the constants below, and the numbers of that formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

CONSTANT = 0
"""The rate."""
EXPONENTIAL = 1
"""First rate, length, factor, and 1 for whole lengths only."""
INVERSE_TIME = 2
"""The same."""
POLYNOMIAL = 3
"""First rate, last rate, length, power, and 1 if the length grows."""
PIECEWISE = 4
"""How many boundaries, these, and a rate more than them."""
COSINE = 5
"""First rate, length, share that remains."""
COSINE_RESTARTS = 6
"""First rate, length, by how much lengths grow, by how much rates do, share that remains."""
ONE_CYCLE = 7
"""Peak, length, part that rises, first divisor, last divisor, and 1 for a cosine."""


def build(define: Callable[[Any], Any]) -> Callable[..., float]:
    """Define the evaluation of schedules.

    Parameters
    ----------
    define : callable
        What compiles a function, or leaves it as it is.

    Returns
    -------
    callable
        ``evaluate(step, numbers)``, from the steps taken before and a schedule, which is a tuple
        or a pointer, to the rate. No exponent is an int: compilers take such powers by
        multiplication, and Python by C's `pow`.
    """

    @define
    def whole(elapsed: float) -> float:
        return float(math.floor(elapsed))

    @define
    def exponential(step: float, c: Any, at: int) -> float:
        elapsed = step / c[at + 1]
        if c[at + 3] != 0.0:
            elapsed = whole(elapsed)
        return c[at] * c[at + 2] ** elapsed

    @define
    def inverse_time(step: float, c: Any, at: int) -> float:
        elapsed = step / c[at + 1]
        if c[at + 3] != 0.0:
            elapsed = whole(elapsed)
        return c[at] / (1.0 + c[at + 2] * elapsed)

    @define
    def polynomial(step: float, c: Any, at: int) -> float:
        first, last, length, power = c[at], c[at + 1], c[at + 2], c[at + 3]
        if c[at + 4] != 0.0:
            length *= max(1.0, float(math.ceil(step / length)))
        remaining = 1.0 - min(step, length) / length
        return (first - last) * remaining**power + last

    @define
    def piecewise(step: float, c: Any, at: int) -> float:
        count = int(c[at])
        passed = 0
        for i in range(count):
            if step > c[at + 1 + i]:
                passed += 1
        return c[at + 1 + count + passed]

    @define
    def cosine(step: float, c: Any, at: int) -> float:
        top, length, alpha = c[at], c[at + 1], c[at + 2]
        wave = 0.5 * (1.0 + math.cos(math.pi * (min(step, length) / length)))
        return top * ((1.0 - alpha) * wave + alpha)

    @define
    def beginning(restart: float, growth: float) -> float:
        return (growth**restart - 1.0) / (growth - 1.0)

    @define
    def cosine_restarts(step: float, c: Any, at: int) -> float:
        top, growth, height, alpha = c[at], c[at + 2], c[at + 3], c[at + 4]
        elapsed = step / c[at + 1]
        if growth == 1.0:
            restart = whole(elapsed)
            fraction = elapsed - restart
        else:
            restart = whole(math.log(1.0 + elapsed * (growth - 1.0)) / math.log(growth))
            # The quotient of logarithms and the sum of periods may fall just beside a whole step.
            nearly = elapsed * (1.0 + 1e-9)
            if beginning(restart + 1.0, growth) <= nearly:
                restart += 1.0
            elif beginning(restart, growth) > nearly:
                restart -= 1.0
            fraction = max(elapsed - beginning(restart, growth), 0.0) / growth**restart
        wave = 0.5 * height**restart * (1.0 + math.cos(math.pi * fraction))
        return top * ((1.0 - alpha) * wave + alpha)

    @define
    def between(start: float, end: float, fraction: float, cosine: float) -> float:
        if cosine != 0.0:
            fraction = 0.5 * (1.0 - math.cos(math.pi * fraction))
        return start + (end - start) * fraction

    @define
    def one_cycle(step: float, c: Any, at: int) -> float:
        peak, length, curved = c[at], c[at + 1], c[at + 5]
        first = peak / c[at + 3]
        turn, last = c[at + 2] * length - 1.0, length - 1.0
        if step <= turn:
            return between(first, peak, step / turn if turn > 0.0 else 1.0, curved)
        return between(peak, first / c[at + 4], min((step - turn) / (last - turn), 1.0), curved)

    @define
    def formula(step: float, c: Any, at: int) -> float:
        kind = int(c[at])
        if kind == EXPONENTIAL:
            return exponential(step, c, at + 1)
        if kind == INVERSE_TIME:
            return inverse_time(step, c, at + 1)
        if kind == POLYNOMIAL:
            return polynomial(step, c, at + 1)
        if kind == PIECEWISE:
            return piecewise(step, c, at + 1)
        if kind == COSINE:
            return cosine(step, c, at + 1)
        if kind == COSINE_RESTARTS:
            return cosine_restarts(step, c, at + 1)
        if kind == ONE_CYCLE:
            return one_cycle(step, c, at + 1)
        return c[at + 1]

    @define
    def evaluate(step: float, c: Any) -> float:
        warmups = int(c[0])
        level = 0
        while level < warmups and step >= c[2 + 2 * level]:
            step -= c[2 + 2 * level]
            level += 1
        # A warm-up rises to the beginning of what follows it.
        rate = formula(step if level == warmups else 0.0, c, 1 + 2 * warmups)
        for warmup in range(warmups - 1, level - 1, -1):
            first, length = c[1 + 2 * warmup], c[2 + 2 * warmup]
            rate = first + (rate - first) * (step if warmup == level else 0.0) / length
        return rate

    return evaluate


def _as_it_is(function: Any) -> Any:
    return function


evaluate = build(_as_it_is)
"""The rate of a step, on the host."""
