"""Layers made once more."""

from __future__ import annotations

import inspect
from typing import Any

from tapegrad._core.nest import map_structure
from tapegrad.layers.base import Layer

__all__ = ["copy_of"]


def copy_of(layer: Layer, name: str | None = None, **changes: Any) -> Any:
    """Return a new layer made with the same arguments, but for some; its weights are its own.

    Layers among the arguments, such as a cell, are copied too.

    Parameters
    ----------
    layer
        The layer.
    name
        The new layer's name; by default as the arguments say.
    **changes
        Arguments that differ.
    """
    arguments = layer._arguments()
    for key, value in arguments.items():
        arguments[key] = map_structure(
            lambda part: copy_of(part) if isinstance(part, Layer) else part, value
        )
    arguments |= changes
    parameters = inspect.signature(type(layer).__init__).parameters
    unknown = [key for key in changes if key not in parameters]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if unknown and not takes_any:
        raise ValueError(
            f"{type(layer).__name__} cannot be copied with another {unknown[0]}, which its "
            "constructor does not take; let it take **kwargs and hand them on."
        )
    if name is not None and (takes_any or "name" in parameters):
        arguments["name"] = name
    made = type(layer)(**arguments)
    if name is not None:
        made.name = name
    return made
