"""Programs as tables: what was fused, what is read and given, and where it lies."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING

from tapegrad._jit.names import Names, bytes_text, counted, place_of, shape_text, title_of

if TYPE_CHECKING:
    from tapegrad._jit.program import Plan, Step

_WIDTH = 120
_OPERATION = 30
_LEAST_READS = 28
_MOST_LINES = 4
"""Lines that what an operation reads may take."""
_FOR_COUNT = len(" … 100 more")

_HEADER = ("", "operation", "reads", "gives", "bytes", "lies at", "rows")
_READS = 2


def describe(plan: Plan) -> str:
    """A table of the operations of a plan, after what is to be said of the whole."""
    names = Names(plan)
    operations = [_columns(plan, names, number, step) for number, step in enumerate(plan.steps)]
    widths = [
        max(len(cell) for columns in ([[h] for h in _HEADER], *operations) for cell in columns[i])
        for i in range(len(_HEADER))
        if i != _READS
    ]
    left = _WIDTH - sum(widths) - 2 * len(widths)
    for columns in operations:
        columns[_READS] = _wrapped(columns[_READS], max(left, _LEAST_READS), ", ")
    reads = max([len("reads"), *(len(cell) for columns in operations for cell in columns[_READS])])
    widths.insert(_READS, reads)
    lines = [*_summary(plan), "", _line(_HEADER, widths)]
    for columns, step in zip(operations, plan.steps, strict=True):
        lines += [_line(cells, widths) for cells in zip_longest(*columns, fillvalue="")]
        if not step.native:
            known = step.reason != step.operation.name
            reason = step.reason if known else "it has no lowering"
            lines.append(f"{'':{widths[0]}}  in Python: {reason}"[:_WIDTH])
    return "\n".join(lines)


def _line(cells: Iterable[str], widths: list[int]) -> str:
    aligned = []
    for title, cell, width in zip(_HEADER, cells, widths, strict=True):
        aligned.append(cell.rjust(width) if title in ("", "bytes", "rows") else cell.ljust(width))
    return "  ".join(aligned).rstrip()


def _summary(plan: Plan) -> list[str]:
    native = sum(step.native for step in plan.steps)
    rows = sum(step.stop - step.first for step in plan.steps if step.native)
    variables = {id(variable): variable for _, variable in plan.variables}
    flats = {id(v._flat): v._flat.parameters for v in variables.values() if v._flat is not None}
    buffers = {id(v): v for v in flats.values()}
    apart = {key: v for key, v in variables.items() if v._flat is None}
    held = sum(v.size * v.dtype.itemsize for v in {**apart, **buffers}.values())
    python = len(plan.steps) - native
    how = f", {python} called from Python" if python else ""
    lines = [
        f"{counted(len(plan.steps), 'operation')}, {native} of them native in "
        f"{counted(rows, 'row')}{how}; "
        f"{counted(len(plan.inputs), 'input')}, {counted(len(plan.outputs), 'output')}, "
        f"{counted(len(variables), 'Variable')} in {bytes_text(held)}",
        f"arena of temporaries {bytes_text(plan.arena_bytes)} ({_without_sharing(plan)})",
    ]
    if plan.pending:
        lines.append(f"{counted(len(plan.pending), 'fused loop')} not compiled yet: run in blocks")
    return lines


def _without_sharing(plan: Plan) -> str:
    results = {operand.buffer for operand in plan.operands.values()}
    apart = sum(piece.nbytes for piece in plan.pieces if piece.key in results)
    scratch = [piece.nbytes for piece in plan.pieces if piece.key not in results]
    text = f"without sharing {bytes_text(apart)}"
    if scratch:
        text += f" and scratch, up to {bytes_text(max(scratch))} for an operation"
    return text


def _columns(plan: Plan, names: Names, number: int, step: Step) -> list[list[str]]:
    """The lines of each column of an operation."""
    operation = step.operation
    results = operation.results
    reads = [name for name, _ in names.reads(operation)]
    if operation.is_effect:
        gives = [f"→ {names.of(value)}" for value in operation.written]
    else:
        gives = [shape_text(value) for value in results]
    return [
        [str(number)],
        _wrapped(title_of(operation).split(" "), _OPERATION, " "),
        reads,
        gives,
        [bytes_text(value.nbytes) for value in results],
        [place_of(plan, names, value) for value in results],
        [str(step.stop - step.first) if step.native else "–"],
    ]


def _wrapped(parts: list[str], width: int, between: str) -> list[str]:
    """Parts in lines of at most so many characters; what is too much is counted."""
    lines = [""]
    for number, part in enumerate(parts):
        joined = lines[-1] + between + part if lines[-1] else part
        full = width - len(between.rstrip()) - (_FOR_COUNT if len(lines) == _MOST_LINES else 0)
        if len(joined) <= full or not lines[-1]:
            lines[-1] = joined
        elif len(lines) == _MOST_LINES:
            lines[-1] += f"{between.rstrip()} … {len(parts) - number} more"
            break
        else:
            lines[-1] += between.rstrip()
            lines.append(part)
    return lines
