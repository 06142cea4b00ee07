"""A model's layers as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapegrad.models.model import Model

__all__ = ["summary_text"]


def summary_text(model: Model) -> str:
    """Return the table of layers, output shapes and parameters, with their totals."""
    shapes: dict[int, str] = getattr(model, "_output_shapes", dict)()
    rows = [("Layer (type)", "Output shape", "Parameters")]
    for layer in model.layers:
        size = f"{layer.count_params():,}" if layer.built else "not built"
        shape = shapes.get(id(layer), "?")
        rows.append((f"{layer.name} ({type(layer).__name__})", shape, size))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    line = "-" * (sum(widths) + 4)
    lines = [f'Model: "{model.name}"', line]
    for index, (first, second, third) in enumerate(rows):
        lines.append(f"{first:<{widths[0]}}  {second:<{widths[1]}}  {third:>{widths[2]}}".rstrip())
        if index == 0:
            lines.append(line)
    lines.append(line)
    weights = model.weights
    trainable = [variable for variable in weights if variable.trainable]
    fixed = [variable for variable in weights if not variable.trainable]
    for label, group in (
        ("Parameters", weights),
        ("Trainable", trainable),
        ("Not trainable", fixed),
    ):
        count = sum(variable.size for variable in group)
        memory = sum(variable.size * variable.dtype.itemsize for variable in group)
        lines.append(f"{label}: {count:,} ({_bytes(memory)})")
    return "\n".join(lines)


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"
