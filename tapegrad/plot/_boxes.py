"""Boxes with text and the arrows between them, laid out in layers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path

from tapegrad.plot._layered import Layout, lay_out
from tapegrad.plot.style import BLUE, GREY, INK, new_figure

__all__ = ["Box", "draw_boxes"]

# Inches.
_LINE = 0.17
_MARGIN = 0.09
_BETWEEN_RANKS = 0.38
_BETWEEN_BOXES = 0.3
_LETTER = 0.078
_AROUND = 0.15

_TEXT = "#444444"


@dataclass
class Box:
    """A box: its lines of text, the first in bold.

    Attributes
    ----------
    lines : list of str
        The text.
    fill, edge : str
        Colours of the box.
    sources : list of int
        The boxes from which arrows lead to this one.
    colours : dict
        By the number of a line, its colour, where it is not the usual one.
    rounding : float
        Radius of the corners, in inches.
    """

    lines: list[str]
    fill: str
    edge: str = BLUE
    sources: list[int] = field(default_factory=list)
    colours: dict[int, str] = field(default_factory=dict)
    rounding: float = 0.05

    @property
    def width(self) -> float:
        """Inches from side to side."""
        return max(len(line) for line in self.lines) * _LETTER + 2 * _MARGIN + 0.1

    @property
    def height(self) -> float:
        """Inches from top to bottom."""
        return len(self.lines) * _LINE + 2 * _MARGIN


def draw_boxes(
    boxes: Sequence[Box],
    *,
    upright: bool = True,
    rank: Sequence[int] | None = None,
    colours: Mapping[tuple[int, int], str] | None = None,
    legend: Sequence[tuple[str, str, str]] = (),
) -> Figure:
    """Draw boxes and the arrows between them.

    Parameters
    ----------
    boxes
        The boxes; arrows lead from smaller numbers to larger ones.
    upright
        Whether arrows lead from top to bottom; otherwise from left to right.
    rank
        The layer of each box; without it arrows decide.
    colours
        Of arrows that are not grey.
    legend
        Texts with the fill and the edge of the boxes that they explain.
    """
    edges = sorted({(source, target) for target, box in enumerate(boxes) for source in box.sources})
    breadths = [box.width if upright else box.height for box in boxes]
    depths = [box.height if upright else box.width for box in boxes]
    layout = lay_out(breadths, edges, _BETWEEN_BOXES, rank)
    starts, thickness, length = _rank_starts(layout, depths)
    left, right = _span(layout, breadths)

    def position(rank: int, place: float, part: float = 0.5) -> tuple[float, float]:
        along = starts[rank] + thickness[rank] * part
        across = place - left + _AROUND
        return (across, length - along) if upright else (along, right - place + _AROUND)

    breadth = right - left + 2 * _AROUND
    width, height = (breadth, length) if upright else (length, breadth)
    above = _LINE + 2 * _MARGIN if legend else 0.0
    width = max(width, sum(_legend_width(text) for text, _, _ in legend) + 2 * _AROUND)
    figure = new_figure(width, height + above)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height + above)
    axes.axis("off")
    for source, target in edges:
        begin = layout.rank[source], layout.place[source]
        end = layout.rank[target], layout.place[target]
        # Arrows run straight through layers and bend between them, so that they hit no box.
        points = [_beside(position(*begin), depths[source] / 2, upright), position(*begin, 1.0)]
        for passed in layout.routes[source, target]:
            points += [position(*passed, 0.0), position(*passed, 1.0)]
        points += [position(*end, 0.0), _beside(position(*end), -depths[target] / 2, upright)]
        _draw_edge(axes, points, upright, (colours or {}).get((source, target), GREY))
    for index, box in enumerate(boxes):
        _draw_box(axes, box, *position(layout.rank[index], layout.place[index]))
    _draw_legend(axes, legend, height + above / 2)
    return figure


def _span(layout: Layout, breadths: list[float]) -> tuple[float, float]:
    """Return the outermost places of boxes and arrows."""
    passed = [place for points in layout.routes.values() for _, place in points]
    left = min([*(p - b / 2 for p, b in zip(layout.place, breadths)), *passed])
    right = max([*(p + b / 2 for p, b in zip(layout.place, breadths)), *passed])
    return left, right


def _rank_starts(layout: Layout, depths: list[float]) -> tuple[list[float], list[float], float]:
    """Return where each rank begins, how thick it is, and where the last one ends."""
    thickness = [0.0] * (max(layout.rank) + 1)
    for rank, depth in zip(layout.rank, depths):
        thickness[rank] = max(thickness[rank], depth)
    starts, position = [], _AROUND
    for depth in thickness:
        starts.append(position)
        position += depth + _BETWEEN_RANKS
    return starts, thickness, position - _BETWEEN_RANKS + _AROUND


def _draw_box(axes: Any, box: Box, x: float, y: float) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x - box.width / 2, y - box.height / 2),
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={box.rounding}",
            facecolor=box.fill,
            edgecolor=box.edge,
            linewidth=1.0,
            zorder=2,
        )
    )
    top = y + box.height / 2 - _MARGIN - _LINE / 2
    for index, line in enumerate(box.lines):
        axes.text(
            x,
            top - index * _LINE,
            line,
            ha="center",
            va="center_baseline",
            fontsize=8.5 if index == 0 else 8.0,
            fontweight="bold" if index == 0 else "normal",
            color=box.colours.get(index, INK if index == 0 else _TEXT),
            zorder=3,
        )


def _beside(point: tuple[float, float], distance: float, upright: bool) -> tuple[float, float]:
    """Return the point at a distance in the direction of the flow."""
    x, y = point
    return (x, y - distance) if upright else (x + distance, y)


def _draw_edge(axes: Any, points: list[tuple[float, float]], upright: bool, colour: str) -> None:
    """Draw an arrow through points, with bends in the direction of the flow."""
    rounded = [(round(x, 4), round(y, 4)) for x, y in points]
    points = [point for point, _ in itertools.groupby(rounded)]  # an arrow's end has a direction
    vertices, codes = [points[0]], [Path.MOVETO]
    for (xa, ya), (xb, yb) in itertools.pairwise(points):
        middle_x, middle_y = (xa + xb) / 2, (ya + yb) / 2
        bends = [(xa, middle_y), (xb, middle_y)] if upright else [(middle_x, ya), (middle_x, yb)]
        vertices += [*bends, (xb, yb)]
        codes += [Path.CURVE4] * 3
    axes.add_patch(
        FancyArrowPatch(
            path=Path(vertices, codes),
            arrowstyle="-|>,head_length=3.5,head_width=2",
            color=colour,
            linewidth=1.1,
            shrinkA=0,
            shrinkB=0,
            zorder=1,
        )
    )


def _legend_width(text: str) -> float:
    return len(text) * _LETTER + 0.4


def _draw_legend(axes: Any, legend: Sequence[tuple[str, str, str]], y: float) -> None:
    """Draw small boxes in a row, each with what it means."""
    x = _AROUND
    for text, fill, edge in legend:
        axes.add_patch(Rectangle((x, y - 0.06), 0.16, 0.12, facecolor=fill, edgecolor=edge))
        axes.text(x + 0.22, y, text, va="center_baseline", fontsize=8.0, color=_TEXT)
        x += _legend_width(text)
