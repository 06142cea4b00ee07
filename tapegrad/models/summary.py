"""A model's layers as a table: output shapes, parameters, operations, memory."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tapegrad._core.nest import flatten
from tapegrad.layers import InputLayer, Layer
from tapegrad.layers.symbolic import Node, SymbolicTensor
from tapegrad.models.operation_count import operations_of_call

if TYPE_CHECKING:
    from tapegrad.models.model import Model

__all__ = ["summary_html", "summary_text"]


@dataclass
class _Row:
    """What the table says of one layer."""

    layer: Layer
    depth: int
    shape: str
    parameters: int | None
    operations: int | None
    elements: int
    connected: list[str]


# ---- what is told --------------------------------------------------------------------


def _rows(model: Model, expand_nested: bool, depth: int = 0) -> Iterator[_Row]:
    nodes = _nodes_of(model)
    for layer in model.layers if nodes is None else _in_order(model, nodes):
        own = [node for node in nodes or () if node.layer is layer]
        yield _row(layer, own, depth)
        if expand_nested and hasattr(layer, "summary"):
            yield from _rows(layer, True, depth + 1)  # type: ignore[arg-type]


def _nodes_of(model: Model) -> list[Node] | None:
    """Return the calls that a model consists of, or None if only running it tells."""
    try:
        graph = model._the_graph("summary")
    except AttributeError:
        return None
    starts = [symbol.node for symbol in graph.flat_inputs if symbol.node is not None]
    return [*starts, *graph.nodes]


def _in_order(model: Model, nodes: list[Node]) -> list[Layer]:
    if not any(isinstance(layer, InputLayer) for layer in model.layers):
        return list(model.layers)  # a plain stack
    return model._the_graph("summary").operations


def _row(layer: Layer, nodes: list[Node], depth: int) -> _Row:
    parameters = layer.count_params() if layer.built else None
    if not nodes:
        return _Row(layer, depth, "?", parameters, None, 0, [])
    outputs = flatten(nodes[0].outputs)
    shape = ", ".join(str(leaf.shape) for leaf in outputs)
    calls = [operations_of_call(node) for node in nodes]
    elements = sum(_elements(leaf) for node in nodes for leaf in flatten(node.outputs))
    connected = [
        symbol.node.layer.name
        for node in nodes
        for symbol in node.inputs
        if symbol.node is not None
    ]
    known = [count for count in calls if count is not None]
    operations = sum(known) if len(known) == len(calls) else None
    return _Row(layer, depth, shape, parameters, operations, elements, connected)


def _elements(symbol: SymbolicTensor) -> int:
    """Return the number of elements that one sample of a tensor has; unknown axes count as one."""
    size = 1
    for length in symbol.shape[1:]:
        size *= length or 1
    return size


def _totals(model: Model, rows: list[_Row]) -> list[tuple[str, str]]:
    weights = model.weights
    groups = {
        "Parameters": weights,
        "Trainable": [variable for variable in weights if variable.trainable],
        "Not trainable": [variable for variable in weights if not variable.trainable],
    }
    totals = []
    for label, group in groups.items():
        count = sum(variable.size for variable in group)
        memory = sum(variable.size * variable.dtype.itemsize for variable in group)
        totals.append((label, f"{count:,} ({_bytes(memory)})"))
    top = [row for row in rows if row.depth == 0]
    if top and all(row.operations is not None for row in top):
        count = sum(row.operations or 0 for row in top)
        totals.append(("Operations", f"{count:,} a sample, forward"))
    elements = sum(row.elements for row in top)
    if elements:
        totals.append(("Activations", f"{_bytes(elements * model._dtype.itemsize)} a sample"))
    return totals


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"


def _within(rows: list[_Row], layer_range: Sequence[str] | None, owner: str) -> list[_Row]:
    """Return the rows from the first layer of one name to the last one of another."""
    if layer_range is None:
        return rows
    if isinstance(layer_range, str) or len(layer_range) != 2:
        raise ValueError(
            f"summary: layer_range is two names, of the first and the last layer to list, but is "
            f"{layer_range!r}."
        )
    found = []
    for name in layer_range:
        places = [n for n, row in enumerate(rows) if re.fullmatch(name, row.layer.name)]
        if not places:
            names = ", ".join(row.layer.name for row in rows)
            raise ValueError(f"summary: {owner} has no layer {name!r}; there are {names}.")
        found.append(places)
    return rows[min(found[0]) : max(found[1]) + 1]


def _table(
    model: Model,
    expand_nested: bool,
    show_trainable: bool,
    layer_range: Sequence[str] | None = None,
) -> tuple[list[list[str]], list[_Row]]:
    """Return the head and the rows of the table as texts, and what they were made from."""
    rows = list(_rows(model, expand_nested))
    branches = any(isinstance(row.layer, InputLayer) for row in rows)
    head = ["Layer (type)", "Output shape", "Parameters", "Operations"]
    head += ["Connected to"] if branches else []
    head += ["Trainable"] if show_trainable else []
    table = [head]
    for row in _within(rows, layer_range, model.name):
        layer = row.layer
        cells = [
            f"{'  ' * row.depth}{layer.name} ({type(layer).__name__})",
            row.shape,
            "not built" if row.parameters is None else f"{row.parameters:,}",
            "?" if row.operations is None else f"{row.operations:,}",
        ]
        if branches:
            cells.append(", ".join(row.connected))
        if show_trainable:
            cells.append("yes" if layer.trainable and layer.trainable_weights else "no")
        table.append(cells)
    return table, rows


# ---- how it is told ------------------------------------------------------------------


def summary_text(
    model: Model,
    line_length: int | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> str:
    """Return the table of layers as text, with totals below it.

    Parameters
    ----------
    model
        Any model; what is not known before it is built shows as ``?``.
    line_length
        Lines are cut to this many characters.
    expand_nested
        Whether the layers of inner models are listed.
    show_trainable
        Whether a column tells which layers are trained.
    layer_range
        The names of the first and the last layer to list.
    """
    table, rows = _table(model, expand_nested, show_trainable, layer_range)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    line = "-" * (sum(widths) + 2 * len(widths) - 2)
    lines = [f'Model: "{model.name}"', line]
    for index, cells in enumerate(table):
        padded = [
            f"{cell:>{width}}" if head in ("Parameters", "Operations") else f"{cell:<{width}}"
            for head, cell, width in zip(table[0], cells, widths)
        ]
        lines.append("  ".join(padded).rstrip())
        if index == 0:
            lines.append(line)
    lines.append(line)
    lines.extend(f"{label}: {value}" for label, value in _totals(model, rows))
    if line_length is not None:
        lines = [text[:line_length] for text in lines]
    return "\n".join(lines)


def summary_html(model: Model, **options: Any) -> bool:
    """Show the table in a notebook; return False, with nothing shown, anywhere else."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return False
    shell = get_ipython()
    if shell is None or type(shell).__name__ != "ZMQInteractiveShell":
        return False
    # Viewers that show no HTML find the text.
    shown = {
        "text/html": table_html(model, **options),
        "text/plain": summary_text(model, **options),
    }
    display(shown, raw=True)
    return True


def table_html(
    model: Model,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> str:
    """Return the table of layers, with totals below it, as HTML."""
    table, rows = _table(model, expand_nested, show_trainable, layer_range)
    right = {"Parameters", "Operations"}
    parts = [f"<b>Model: {html.escape(model.name)}</b>", "<table><thead><tr>"]
    parts += [f"<th>{html.escape(head)}</th>" for head in table[0]]
    parts.append("</tr></thead><tbody>")
    for cells in table[1:]:
        parts.append("<tr>")
        for head, cell in zip(table[0], cells):
            align = "right" if head in right else "left"
            shown = html.escape(cell).replace("  ", "&emsp;")
            parts.append(f'<td style="text-align: {align}">{shown}</td>')
        parts.append("</tr>")
    parts.append("</tbody></table>")
    parts += [
        f"<div>{html.escape(label)}: {html.escape(value)}</div>"
        for label, value in _totals(model, rows)
    ]
    return "".join(parts)
