"""The memory of a recorded program: what lies where, and how long."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tapegrad._jit.memory import Piece
from tapegrad._jit.names import Names, bytes_text, shape_text, title_of
from tapegrad._jit.program import Plan, Program
from tapegrad._jit.trace import Value
from tapegrad.plot.program import check_program
from tapegrad.plot.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, new_figure, styled

__all__ = ["memory"]

_FILLS = [(BLUE, "#cfe5f3"), (GREEN, "#cdeadf"), (PURPLE, "#eed9ee"), (ORANGE, "#fbe0cd")]
_MOST_TITLES = 60
"""Operations up to which the axis names each."""
_LETTER = 0.062
_LINE = 0.14


@styled
def memory(program: Program) -> Figure:
    """Draw the arena of a recorded program: operations from left to right, bytes upwards.

    Each rectangle is a piece of memory, as wide as the time for which it is needed: a result, or
    scratch of one operation (grey). Pieces above one another are needed at the same time; those
    beside one another share memory. Inputs, outputs and Variables lie elsewhere.

    Parameters
    ----------
    program : Program
        As ``f.program(*args)`` returns it for a function under `tapegrad.jit`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If `program` is something else.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> step = tg.jit(lambda x: tg.ops.cumsum(tg.ops.sort(x)).sum())
    >>> figure = tg.plot.memory(step.program(np.ones(400)))
    >>> len(figure.axes[0].patches) >= 2
    True
    """
    check_program(program, "plot.memory")
    plan = program.plan
    spans = _spans(plan)
    count = max(len(plan.steps), 1)
    titled = len(plan.steps) <= _MOST_TITLES
    figure = new_figure(min(max(6.0, 2.0 + 0.34 * count), 16.0), 6.5 if titled else 5.0)
    axes = figure.add_subplot()
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(0, max(plan.arena_bytes, 1) * 1.02)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_text(round(value))))
    axes.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 4, 5, 10], integer=True))
    axes.grid(True, axis="y")
    axes.grid(False, axis="x")
    axes.set_ylabel("byte of the arena")
    if titled:
        titles = [f"{_short(step.operation)}  {n}" for n, step in enumerate(plan.steps)]
        axes.set_xticks(range(len(titles)), titles, rotation=90, fontsize=8)
    else:
        axes.set_xlabel("operation")
    axes.set_title(_title(plan))
    _draw_pieces(figure, axes, plan, spans)
    return figure


def _short(operation: Any) -> str:
    title = title_of(operation)
    return title if len(title) <= 26 else f"{title[:25]}…"


def _title(plan: Plan) -> str:
    used = sum(piece.nbytes for piece in plan.pieces)
    return (
        f"Arena of {bytes_text(plan.arena_bytes)}, for {len(plan.pieces)} pieces of "
        f"{bytes_text(used)} together"
    )


def _spans(plan: Plan) -> list[tuple[Piece, int, int]]:
    """Pieces with the first and last operation that needs them, by the numbers of the steps."""
    steps = {id(step.operation): number for number, step in enumerate(plan.steps)}
    number, numbers = 0, []  # of the steps, for each operation of the trace; views are none
    for operation in plan.trace.operations:
        number = steps.get(id(operation), number)
        numbers.append(number)
    return [(piece, numbers[piece.first], numbers[piece.last]) for piece in plan.pieces]


def _draw_pieces(
    figure: Figure, axes: Any, plan: Plan, spans: list[tuple[Piece, int, int]]
) -> None:
    names = Names(plan)
    values: dict[int, Value] = {}
    for step in plan.steps:
        values |= {plan.operands[value].buffer: value for value in step.operation.results}
    figure.canvas.draw()  # lays the figure out, so that the room for labels is known
    box = axes.get_position()
    inches = figure.get_size_inches()
    per_step = box.width * inches[0] / (axes.get_xlim()[1] - axes.get_xlim()[0])
    per_byte = box.height * inches[1] / axes.get_ylim()[1]
    for piece, first, last in sorted(spans, key=lambda span: -span[0].nbytes):
        value = values.get(piece.key)
        low = plan.placements[piece.key]
        edge, fill = (GREY, "#e4e4e4") if value is None else _FILLS[names.maker[value] % 4]
        axes.add_patch(
            Rectangle(
                (first - 0.5, low),
                last - first + 1,
                piece.nbytes,
                facecolor=fill,
                edgecolor=edge,
                linewidth=0.7,
                zorder=2,
            )
        )
        label = ["scratch"] if value is None else [names.of(value), shape_text(value)]
        room = (last - first + 1) * per_step, piece.nbytes * per_byte
        text, turned = _fitting([*label, bytes_text(piece.nbytes)], *room)
        if text:
            axes.text(
                (first + last) / 2,
                low + piece.nbytes / 2,
                text,
                ha="center",
                va="center",
                rotation=90 if turned else 0,
                fontsize=7,
                color=INK,
                zorder=3,
            )


def _fitting(parts: list[str], width: float, height: float) -> tuple[str, bool]:
    """As much of a label as there is room for, and whether it is turned."""
    for count in range(len(parts), 0, -1):
        beside = "  ".join(parts[:count])
        below = "\n".join(parts[:count])
        longest = max(map(len, parts[:count])) * _LETTER
        for text, along, across in (
            (beside, len(beside) * _LETTER, _LINE),
            (below, longest, count * _LINE),
        ):
            if along <= width and across <= height:
                return text, False
            if along <= height and across <= width:
                return text, True
    return "", False
