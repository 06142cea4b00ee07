"""Programs in words and numbers: what was fused, where it lies, how long it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tapegrad._jit.passes.fusion import CHAIN
from tapegrad._jit.trace import CONSTANT, INPUT, VARIABLE, Operation, Value

if TYPE_CHECKING:
    from tapegrad._jit.program import Plan, Step

_LETTERS = {INPUT: "input", VARIABLE: "variable", CONSTANT: "constant"}


def title_of(operation: Operation) -> str:
    """Name of an operation, with what was folded into it."""
    if operation.primitive is CHAIN:
        names = list(operation.params["chain"].names)
        shown = " ".join(names) if len(names) <= 6 else f"{' '.join(names[:5])} … {names[-1]}"
        return f"chain[{len(names)}]: {shown}"
    activation = operation.params.get("activation")
    return f"{operation.name} + {activation}" if activation else operation.name


class Names:
    """Short names of the values of a program, as descriptions and drawings show them."""

    def __init__(self, plan: Plan) -> None:
        self._names: dict[Value, str] = {}
        self._counts: dict[str, int] = {}
        for value in plan.trace.inputs:
            self.of(value)

    def of(self, value: Value) -> str:
        """The name of a value: its Variable's name, or a letter and a number."""
        found = self._names.get(value)
        if found is None:
            found = self._names[value] = self._new(value)
        return found

    def _new(self, value: Value) -> str:
        if value.kind == VARIABLE:
            return str(value.source.name)
        if value.kind == CONSTANT and value.shape == ():
            return str(np.asarray(value.source))
        letter = _LETTERS.get(value.kind, "%")
        number = self._counts[letter] = self._counts.get(letter, -1) + 1
        return f"{letter}{number}" if letter == "%" else f"{letter} {number}"


def shape_text(value: Value) -> str:
    """Type and shape, as in ``float32[32, 64]``."""
    return f"{value.dtype}{list(value.shape)}"


def bytes_text(count: int) -> str:
    """A number of bytes in a unit that keeps it short."""
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def describe(plan: Plan) -> str:
    """A table of the operations of a plan, after a line on the whole."""
    names = Names(plan)
    rows: list[tuple[str, ...]] = [("", "operation", "reads", "gives", "lies at", "rows")]
    for number, step in enumerate(plan.steps):
        rows.append(_described(plan, names, number, step))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_summary(plan), ""]
    for row in rows:
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return "\n".join(lines)


def _summary(plan: Plan) -> str:
    native = sum(step.native for step in plan.steps)
    rows = sum(step.stop - step.first for step in plan.steps if step.native)
    variables = {id(variable): variable for _, variable in plan.variables}
    held = sum(v.size * v.dtype.itemsize for v in variables.values())
    text = (
        f"{len(plan.steps)} operations, {native} of them as {rows} native rows; "
        f"temporaries {bytes_text(plan.arena_bytes)}, {len(variables)} Variables "
        f"{bytes_text(held)}, {len(plan.inputs)} inputs, {len(plan.outputs)} outputs"
    )
    if plan.pending:
        text += f"; {len(plan.pending)} loops are being compiled"
    return text


def _described(plan: Plan, names: Names, number: int, step: Step) -> tuple[str, ...]:
    operation = step.operation
    reads = ", ".join(
        names.of(a) if isinstance(a, Value) else str(a)
        for a in operation.arguments
        if a is not None
    )
    gives = ", ".join(f"{names.of(v)} {shape_text(v)}" for v in operation.results)
    places = ", ".join(_place(plan, value) for value in operation.results)
    if operation.is_effect:
        gives = "writes " + ", ".join(names.of(value) for value in operation.written)
    how = str(step.stop - step.first) if step.native else f"Python: {step.reason}"
    return str(number), title_of(operation), _shortened(reads), _shortened(gives), places, how


def _shortened(text: str, length: int = 72) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _place(plan: Plan, value: Value) -> str:
    operand = plan.operands[value]
    offset = plan.placements.get(operand.buffer)
    if offset is not None:
        return str(offset + operand.offset)
    if any(operand.buffer == place.buffer for place in plan.outputs):
        return "output"
    return "Variable"


class Timing(NamedTuple):
    """How long an operation of a program takes.

    Attributes
    ----------
    title : str
        The operation.
    microseconds : float
        The shortest of all runs.
    share : float
        Of the sum over all operations.
    """

    title: str
    microseconds: float
    share: float


class Profile(list[Timing]):
    """Timings in the order of the operations; printed, the longest come first."""

    def __str__(self) -> str:
        total = sum(timing.microseconds for timing in self)
        lines = [f"{total:10.1f} µs  100.0 %  all operations"]
        for timing in sorted(self, key=lambda t: -t.microseconds):
            lines.append(
                f"{timing.microseconds:10.1f} µs  {100 * timing.share:5.1f} %  {timing.title}"
            )
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
        Timing(title_of(step.operation), each, each / total)
        for step, each in zip(plan.steps, spent, strict=True)
    )
