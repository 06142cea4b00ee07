"""Layers as plain data, and back."""

from __future__ import annotations

from typing import Any

from tapegrad.layers.base import Layer
from tapegrad.utils import serialization
from tapegrad.utils.description import made_from

__all__ = ["deserialize", "serialize"]


def serialize(layer: Layer) -> dict[str, Any]:
    """Return a layer's class and arguments as plain data, without its weights.

    Raises
    ------
    TypeError
        If an argument cannot be described, such as a lambda.

    Examples
    --------
    >>> from tapegrad.layers import Flatten
    >>> serialize(Flatten())["class_name"]
    'Flatten'
    """
    return serialization.serialize(layer, "layer")


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Layer:
    """Return the layer that `serialize` turned into data, with weights of its own.

    Parameters
    ----------
    config
        The data, ``{"class_name": …, "config": …}``.
    custom_objects
        Classes and functions of your own, by name.

    Raises
    ------
    ValueError
        If the class is unknown, or none of a layer.

    Examples
    --------
    >>> deserialize({"class_name": "Dense", "config": {"units": 3}}).units
    3
    """
    made = made_from(config, "tapegrad.layers", custom_objects)
    if not isinstance(made, Layer):
        raise ValueError(f"layers.deserialize: {config['class_name']} is no layer.")
    return made
