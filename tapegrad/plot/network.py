"""A model as a drawing: its layers, and what flows between them."""

from __future__ import annotations

import os
from typing import Any

from matplotlib.figure import Figure

from tapegrad._core.nest import flatten
from tapegrad.layers import InputLayer, Layer, Operation
from tapegrad.models import Model
from tapegrad.plot._boxes import Box, draw_boxes
from tapegrad.plot.style import BLUE, GREY, save, styled

__all__ = ["network", "plot_model"]

_FILLS = {"input": "#e8e8e8", "operation": "#ffffff", "layer": "#e3f0f8", "model": "#fdeee3"}


def _box(lines: list[str], kind: str, sources: list[int] | None = None) -> Box:
    return Box(
        lines,
        fill=_FILLS[kind],
        edge=GREY if kind in ("input", "operation") else BLUE,
        rounding=0.12 if kind == "operation" else 0.05,
        sources=sources or [],
    )


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
    boxes: list[Box] = []
    _collect(model, {}, boxes, options, expand_nested, "")
    return draw_boxes(boxes, upright=rankdir == "TB")


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
    boxes: list[Box],
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
            boxes.append(_box(_lines(symbol.node.layer, [symbol], options, prefix), "input"))
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
        boxes.append(_box(_lines(layer, outputs, options, prefix), kind, sources))
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
