"""A model as a drawing: its layers, and what flows between them."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from tapegrad._core.nest import flatten
from tapegrad.layers import InputLayer, Layer, Operation
from tapegrad.models import Model
from tapegrad.plot._layered import Layout, lay_out
from tapegrad.plot.style import BLUE, GREY, INK, new_figure, save, styled

__all__ = ["network", "plot_model"]

# Inches.
_LINE = 0.17
_MARGIN = 0.09
_BETWEEN_RANKS = 0.38
_BETWEEN_BOXES = 0.3
_LETTER = 0.078

_FILLS = {"input": "#e8e8e8", "operation": "#ffffff", "layer": "#e3f0f8", "model": "#fdeee3"}


@dataclass
class _Box:
    """One layer's box: its lines of text, the first in bold."""

    lines: list[str]
    kind: str
    sources: list[int] = field(default_factory=list)

    @property
    def width(self) -> float:
        return max(len(line) for line in self.lines) * _LETTER + 2 * _MARGIN + 0.1

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 2 * _MARGIN


@styled
def network(
    model: Model,
    *,
    show_shapes: bool = True,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
) -> Figure:
    """Draw the layers of a model and how they are connected.

    Parameters
    ----------
    model : Model
        A Sequential whose input shape is known, or a graph of layers.
    show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable : bool
        What the boxes tell besides the kind of layer.
    rankdir : {"TB", "LR"}
        From top to bottom, or from left to right.
    expand_nested : bool
        Whether models within the model are drawn with their layers.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the model is no graph, so that there is nothing to draw, or `rankdir` is neither.

    Examples
    --------
    >>> import tapegrad as tg
    >>> model = tg.Sequential([tg.Input((4,)), tg.layers.Dense(8, "relu"), tg.layers.Dense(1)])
    >>> len(network(model).axes[0].texts) > 3
    True
    """
    if rankdir not in ("TB", "LR"):
        raise ValueError(f'plot_model: rankdir is "TB" or "LR", not {rankdir!r}.')
    options = {
        "shapes": show_shapes,
        "dtype": show_dtype,
        "names": show_layer_names,
        "activations": show_layer_activations,
        "trainable": show_trainable,
    }
    boxes: list[_Box] = []
    _collect(model, {}, boxes, options, expand_nested, "")
    return _draw(boxes, upright=rankdir == "TB")


def plot_model(
    model: Model,
    to_file: str | os.PathLike[str] = "model.svg",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
) -> Figure:
    """Draw a model into a file and return the figure, which notebooks show.

    It needs neither Graphviz nor pydot.

    Parameters
    ----------
    model : Model
        A Sequential whose input shape is known, or a graph of layers.
    to_file : path-like
        The file; its suffix says the format: ``.svg``, ``.png`` or ``.pdf``.
    dpi : int
        Pixels per inch, for ``.png``.
    show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, show_layer_activations, \
show_trainable
        As for `network`.

    Raises
    ------
    ValueError
        If the model is no graph, or `rankdir` is neither ``"TB"`` nor ``"LR"``.
    """
    figure = network(
        model,
        show_shapes=show_shapes,
        show_dtype=show_dtype,
        show_layer_names=show_layer_names,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        rankdir=rankdir,
        expand_nested=expand_nested,
    )
    save(figure, to_file, dpi=dpi)
    return figure


# ---- what is drawn -------------------------------------------------------------------


def _collect(
    model: Model,
    made: dict[int, int],
    boxes: list[_Box],
    options: dict[str, bool],
    expand: bool,
    prefix: str,
) -> dict[int, int]:
    """Add the boxes of a model; `made` tells which box each symbolic tensor comes from."""
    try:
        graph = model._the_graph("drawing")
    except AttributeError as error:
        raise ValueError(f"plot_model: {error}") from None
    for symbol in graph.flat_inputs:
        if id(symbol) not in made:
            assert symbol.node is not None
            made[id(symbol)] = len(boxes)
            boxes.append(_Box(_lines(symbol.node.layer, [symbol], options, prefix), "input"))
    for node in graph.nodes:
        outputs = flatten(node.outputs)
        sources = [made[id(symbol)] for symbol in node.inputs]
        layer = node.layer
        if expand and isinstance(layer, Model) and _is_graph(layer):
            inner = layer._the_graph("drawing")
            inside = {id(s): box for s, box in zip(inner.flat_inputs, sources)}
            inside = _collect(layer, inside, boxes, options, True, f"{prefix}{layer.name}/")
            for outer, own in zip(outputs, inner.flat_outputs):
                made[id(outer)] = inside[id(own)]
            continue
        kind = "operation" if isinstance(layer, Operation) else "layer"
        kind = "model" if isinstance(layer, Model) else kind
        for symbol in outputs:
            made[id(symbol)] = len(boxes)
        boxes.append(_Box(_lines(layer, outputs, options, prefix), kind, sources))
    return made


def _is_graph(model: Model) -> bool:
    try:
        return model._the_graph("drawing") is not None
    except AttributeError:
        return False


def _lines(layer: Layer, outputs: list[Any], options: dict[str, bool], prefix: str) -> list[str]:
    if isinstance(layer, Operation):
        lines = [layer.operation]
    else:
        kind = "Input" if isinstance(layer, InputLayer) else type(layer).__name__
        lines = [f"{prefix}{layer.name} · {kind}" if options["names"] else prefix + kind]
    activation = getattr(layer, "activation", None)
    if options["activations"] and callable(activation):
        lines.append(f"activation {getattr(activation, '__name__', activation)}")
    if options["shapes"]:
        lines.append(", ".join(_shape_text(symbol.shape) for symbol in outputs))
    if options["dtype"]:
        lines.append(", ".join(symbol.dtype.name for symbol in outputs))
    if options["trainable"] and layer.weights:
        lines.append("trained" if layer.trainable_weights else "not trained")
    return lines


def _shape_text(shape: tuple[int | None, ...]) -> str:
    """Return the shape of a sample; the samples themselves go without saying."""
    return " × ".join("?" if n is None else str(n) for n in shape[1:]) or "one number"


# ---- how it is drawn -----------------------------------------------------------------


def _draw(boxes: list[_Box], upright: bool) -> Figure:
    edges = sorted({(source, target) for target, box in enumerate(boxes) for source in box.sources})
    breadths = [box.width if upright else box.height for box in boxes]
    layout = lay_out(breadths, edges, _BETWEEN_BOXES)
    depths = [box.height if upright else box.width for box in boxes]
    starts, thickness, length = _rank_starts(layout, depths)
    left = min(p - b / 2 for p, b in zip(layout.place, breadths))
    right = max(p + b / 2 for p, b in zip(layout.place, breadths))
    for points in layout.routes.values():
        left = min([left, *(p for _, p in points)])
        right = max([right, *(p for _, p in points)])

    def position(rank: int, place: float) -> tuple[float, float]:
        along = starts[rank] + thickness[rank] / 2
        across = place - left + 0.15
        return (across, length - along) if upright else (along, right - place + 0.15)

    breadth = right - left + 0.3
    width, height = (breadth, length) if upright else (length, breadth)
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    for source, target in edges:
        points = [position(layout.rank[source], layout.place[source])]
        points += [position(rank, place) for rank, place in layout.routes[source, target]]
        points.append(position(layout.rank[target], layout.place[target]))
        _draw_edge(axes, points, depths[source] / 2, depths[target] / 2, upright)
    for index, box in enumerate(boxes):
        _draw_box(axes, box, *position(layout.rank[index], layout.place[index]))
    return figure


def _rank_starts(layout: Layout, depths: list[float]) -> tuple[list[float], list[float], float]:
    """Return where each rank begins, how thick it is, and where the last one ends."""
    thickness = [0.0] * (max(layout.rank) + 1)
    for rank, depth in zip(layout.rank, depths):
        thickness[rank] = max(thickness[rank], depth)
    starts, position = [], 0.15
    for depth in thickness:
        starts.append(position)
        position += depth + _BETWEEN_RANKS
    return starts, thickness, position - _BETWEEN_RANKS + 0.15


def _draw_box(axes: Any, box: _Box, x: float, y: float) -> None:
    rounding = 0.12 if box.kind == "operation" else 0.05
    axes.add_patch(
        FancyBboxPatch(
            (x - box.width / 2, y - box.height / 2),
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={rounding}",
            facecolor=_FILLS[box.kind],
            edgecolor=GREY if box.kind in ("input", "operation") else BLUE,
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
            color=INK if index == 0 else "#444444",
            zorder=3,
        )


def _draw_edge(
    axes: Any, points: list[tuple[float, float]], before: float, after: float, upright: bool
) -> None:
    """Draw an arrow through points, leaving and reaching boxes in the direction of the flow."""
    (x0, y0), (x1, y1) = points[0], points[-1]
    if upright:
        points = [(x0, y0 - before), *points[1:-1], (x1, y1 + after)]
    else:
        points = [(x0 + before, y0), *points[1:-1], (x1 - after, y1)]
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
            color=GREY,
            linewidth=1.1,
            shrinkA=0,
            shrinkB=0,
            zorder=1,
        )
    )
