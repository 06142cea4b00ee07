"""A recorded program as a drawing: its operations, and what flows between them."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import Any

from matplotlib.figure import Figure

from tapegrad._jit.names import Names, fused_steps, place_of, shape_text, title_of
from tapegrad._jit.program import Plan, Program
from tapegrad._jit.trace import INPUT, VARIABLE, Value
from tapegrad.plot._boxes import Box, draw_boxes
from tapegrad.plot._layered import ranks_of
from tapegrad.plot.style import BLUE, GREEN, GREY, ORANGE, PURPLE, styled

__all__ = ["program"]

_VARIABLE = "#a84a00"
_WIDTH = 34
"""Letters in a line of a box."""
_LINES = 3
"""Lines of a list in a box."""
_MANY = 35
"""Boxes from which on arrows through many layers are not drawn, but named."""
_LONG = 4
"""Layers that an arrow spans at most, then."""

# Text, fill and edge of each kind of box.
_KINDS = {
    "input": ("input", "#e8e8e8", GREY),
    "operation": ("operation", "#e3f0f8", BLUE),
    "fused": ("fused operations", "#f4e6f4", PURPLE),
    "several": ("several operations", "#ffffff", BLUE),
    "effect": ("writes Variables", "#fdeee3", ORANGE),
    "python": ("called from Python", "#fff7c2", "#b58900"),
    "output": ("output", "#dff3ec", GREEN),
}


@styled
def program(
    program: Program, *, operations: slice | None = None, most: int = 40, rankdir: str = "TB"
) -> Figure:
    """Draw the operations of a recorded program and what flows between them.

    Each box names an operation, by its number in ``program.describe()``, the Variables that it
    reads (orange), and what it gives. Orange arrows lead from what writes a Variable to what reads
    it afterwards, and from what reads it to what writes it then.

    Parameters
    ----------
    program : Program
        As ``f.program(*args)`` returns it for a function under `tapegrad.jit`.
    operations : slice, optional
        The operations to draw, by number; all by default. What they read of others is named.
    most : int, default 40
        Boxes of operations. Of a longer program, several operations that follow one another share
        a box, and arrows through many layers are replaced by the names of where they come from.
    rankdir : {"TB", "LR"}
        From top to bottom, or from left to right.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If `program` is something else.
    ValueError
        If there are no operations to draw, `most` is not positive, or `rankdir` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> step = tg.jit(lambda x: tg.ops.exp(tg.ops.tanh(x)).sum())
    >>> figure = tg.plot.program(step.program(np.ones(4)))
    >>> figure.axes[0].texts[0].get_text()
    'input 0'
    """
    check_program(program, "plot.program")
    if rankdir not in ("TB", "LR"):
        raise ValueError(f'plot.program: rankdir is "TB" or "LR", not {rankdir!r}.')
    if most < 1:
        raise ValueError(f"plot.program: most is at least 1, got {most}.")
    plan = program.plan
    chosen = range(len(plan.steps))[operations or slice(None)]
    if not chosen or chosen.step != 1:
        raise ValueError(
            f"plot.program: operations {operations} of a program of {len(plan.steps)} operations "
            "are none, or do not follow one another; there is nothing to draw."
        )
    drawing = _Drawing(plan, chosen, most)
    used = {box.fill for box in drawing.boxes}
    legend = [kind for kind in _KINDS.values() if kind[1] in used]
    return draw_boxes(
        drawing.boxes,
        upright=rankdir == "TB",
        rank=drawing.rank,
        colours=drawing.colours,
        legend=legend,
    )


def check_program(program: Any, caller: str) -> None:
    """Raise a TypeError for what is no program."""
    if not isinstance(program, Program):
        raise TypeError(
            f"{caller}: expected a Program, as f.program(*args) returns it for a function f under "
            f"tapegrad.jit, got {type(program).__name__}"
        )


class _Drawing:
    """The boxes of a program: inputs, operations, outputs."""

    def __init__(self, plan: Plan, chosen: range, most: int) -> None:
        self.boxes: list[Box] = []
        self.colours: dict[tuple[int, int], str] = {}
        self._plan = plan
        self._names = Names(plan)
        self._made: dict[Value, int] = {}
        """The box that each value comes from."""
        self._writer: dict[int, int] = {}
        """The box that has written each Variable last."""
        self._readers: dict[int, list[int]] = {}
        """The boxes that have read each Variable since."""
        size = -(-len(chosen) // most)
        for first in range(chosen.start, chosen.stop, size):
            self._add(range(first, min(first + size, chosen.stop)))
        for number, value in enumerate(plan.trace.outputs):
            box = self._made.get(value)
            if box is not None:
                lines = [f"output {number}" if len(plan.outputs) > 1 else "output"]
                self._append(Box([*lines, shape_text(value)], "", sources=[box]), "output")
        edges = [
            (source, target) for target, box in enumerate(self.boxes) for source in box.sources
        ]
        self.rank = ranks_of(len(self.boxes), edges, sources_first=False)
        if len(self.boxes) >= _MANY:
            self._name_long_arrows()

    def _name_long_arrows(self) -> None:
        """Name the boxes from which long arrows would come in place of drawing these."""
        for target, box in enumerate(self.boxes):
            long = [s for s in box.sources if self.rank[target] - self.rank[s] > _LONG]
            box.sources = [source for source in box.sources if source not in long]
            if long:
                titles = [self.boxes[source].lines[0].split("  ")[0] for source in long]
                box.lines += _wrapped(titles, "from ")

    def _append(self, box: Box, kind: str) -> int:
        _, box.fill, box.edge = _KINDS[kind]
        self.boxes.append(box)
        return len(self.boxes) - 1

    def _add(self, numbers: range) -> None:
        """Add a box for operations that follow one another."""
        steps = [self._plan.steps[number] for number in numbers]
        sources, variables, absent = self._read(numbers)
        if len(steps) == 1:
            lines, kind = self._lines(numbers[0])
        else:
            titles = Counter(step.operation.name for step in steps)
            shown = [f"{n} × {title}" if n > 1 else title for title, n in titles.items()]
            lines = [f"%{numbers[0]} – %{numbers[-1]}", *_wrapped(shown)]
            kind = "effect" if any(step.operation.is_effect for step in steps) else "several"
            last = steps[-1].operation.results
            lines += [shape_text(value) for value in last]
        colours = {}
        if absent:
            lines += _wrapped(absent)
        written = [value for step in steps for value in step.operation.written]
        for value in written:
            for reader in self._readers.pop(id(value.source), ()):
                sources.setdefault(reader, True)
        for mark, names in (("", self._named(variables)), ("→ ", self._named(written))):
            if names:
                wrapped = _wrapped(names, mark)
                colours |= {len(lines) + i: _VARIABLE for i in range(len(wrapped))}
                lines += wrapped
        box = self._append(Box(lines, "", sources=sorted(sources), colours=colours), kind)
        for value in variables:
            self._readers.setdefault(id(value.source), []).append(box)
        for source, coloured in sources.items():
            if coloured:
                self.colours[source, box] = ORANGE
        for number in numbers:
            operation = self._plan.steps[number].operation
            self._made |= dict.fromkeys(operation.results, box)
            self._writer |= {id(value.source): box for value in operation.written}

    def _lines(self, number: int) -> tuple[list[str], str]:
        """What is said of one operation, and the kind of its box."""
        step = self._plan.steps[number]
        operation = step.operation
        steps = fused_steps(operation)
        if steps is not None:
            lines = [f"%{number}  {len(steps)} fused", *_wrapped(steps)]
        else:
            lines = [f"%{number}  {title_of(operation)}"]
        for value in operation.results:
            place = place_of(self._plan, self._names, value)
            outside = not (place.isdigit() or place == "output")
            lines.append(f"{shape_text(value)} → {place}" if outside else shape_text(value))
        if not step.native:
            return lines, "python"
        if operation.is_effect:
            return lines, "effect"
        return lines, "fused" if steps is not None else "operation"

    def _read(self, numbers: range) -> tuple[dict[int, bool], list[Value], list[str]]:
        """The boxes that operations read from, and whether through Variables; names besides."""
        sources: dict[int, bool] = {}
        variables: list[Value] = []
        absent: list[str] = []
        for number in numbers:
            for name, value in self._names.reads(self._plan.steps[number].operation):
                root = None if value is None else self._names.root(value)
                if root is None:
                    continue
                if root.kind == VARIABLE:
                    variables.append(root)
                    writer = self._writer.get(id(root.source))
                    if writer is not None:
                        sources.setdefault(writer, True)
                    continue
                if root.kind == INPUT and root not in self._made:
                    lines = [self._names.of(root), shape_text(root)]
                    self._made[root] = self._append(Box(lines, ""), "input")
                box = self._made.get(root)
                if box is not None:
                    sources[box] = False
                elif self._names.maker.get(root) not in numbers and name not in absent:
                    absent.append(name)
        return sources, variables, absent

    def _named(self, values: list[Value]) -> list[str]:
        return list(dict.fromkeys(self._names.of(value) for value in values))


def _wrapped(parts: list[str], mark: str = "") -> list[str]:
    """A list in a few lines; what is too much is left out."""
    lines = textwrap.wrap(
        mark + ", ".join(part.replace(" ", "\xa0") for part in parts),
        width=_WIDTH,
        max_lines=_LINES,
        placeholder=" …",
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace("\xa0", " ") for line in lines]
