"""How long the operations of a program take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tapegrad._jit.names import counted, shape_text, title_of

if TYPE_CHECKING:
    from tapegrad._jit.program import Plan, Step

_PRINTED = 30
"""Operations that are printed, the longest ones."""
_WIDTH = 120


class Timing(NamedTuple):
    """How long an operation of a program takes.

    Attributes
    ----------
    number : int
        Its number, as in the description of the program.
    title : str
        The operation.
    gives : str
        Types and shapes of its results.
    native : bool
        Whether it runs as rows; otherwise it is called from Python.
    microseconds : float
        The shortest of all runs.
    share : float
        Of the sum over all operations.
    """

    number: int
    title: str
    gives: str
    native: bool
    microseconds: float
    share: float

    def __str__(self) -> str:
        what = self.title if self.native else f"{self.title} (Python)"
        line = _line(self.microseconds, self.share, f"{self.number:>4}  {what}  {self.gives}")
        return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _line(microseconds: float, share: float, text: str) -> str:
    return f"{microseconds:10.1f} µs  {100 * share:5.1f} %  {text}".rstrip()


class Profile(list[Timing]):
    """Timings in the order of the operations; printed, the longest come first."""

    def __str__(self) -> str:
        total = sum(timing.microseconds for timing in self)
        ordered = sorted(self, key=lambda t: -t.microseconds)
        shown, rest = ordered[:_PRINTED], ordered[_PRINTED:]
        lines = [_line(total, 1.0, f"all {counted(len(self), 'operation')}"), *map(str, shown)]
        if rest:
            left, share = sum(t.microseconds for t in rest), sum(t.share for t in rest)
            lines.append(_line(left, share, f"   …  {counted(len(rest), 'shorter one')}"))
        return "\n".join(lines)

    __repr__ = __str__


def profile(plan: Plan, inputs: list[Any], repeats: int) -> Profile:
    """Run a plan operation by operation, and time each."""
    best = [float("inf")] * len(plan.steps)
    empty = float("inf")
    for _ in range(repeats):
        run = plan.begin()
        plan.bind(run, inputs)
        for number, step in enumerate(plan.steps):
            started = time.perf_counter()
            plan.execute_step(run, step)
            best[number] = min(best[number], time.perf_counter() - started)
        started = time.perf_counter()
        run.frame.run(0, 0)
        empty = min(empty, time.perf_counter() - started)
        plan.end(run)
    spent = [max(0.0, (seconds - empty) * 1e6) for seconds in best]
    total = sum(spent) or 1.0
    return Profile(
        _timing(number, step, each, each / total)
        for number, (step, each) in enumerate(zip(plan.steps, spent, strict=True))
    )


def _timing(number: int, step: Step, microseconds: float, share: float) -> Timing:
    operation = step.operation
    gives = ", ".join(map(shape_text, operation.results))
    return Timing(number, title_of(operation), gives, step.native, microseconds, share)
