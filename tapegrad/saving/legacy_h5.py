"""Weights in the HDF5 layout of Keras 2: a group a layer, with the names of its weights."""

from __future__ import annotations

from typing import Any

from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer
from tapegrad.saving.assignment import Assignment

__all__ = ["add_legacy", "is_legacy"]


def is_legacy(file: Any) -> bool:
    """Whether a file was written by Keras 2 (or by Keras 3 under a plain ``.h5`` name)."""
    return "layer_names" in _root(file).attrs or "layer_names0" in _root(file).attrs


def add_legacy(file: Any, model: Layer, assignment: Assignment, by_name: bool) -> None:
    """Note the weights of a file for those of a model, layer by layer."""
    root = _root(file)
    groups = {name: _values(_inside(root, name)) for name in _texts(root, "layer_names")}
    groups = {name: values for name, values in groups.items() if values}
    layers = [layer for layer in getattr(model, "layers", [model]) if layer.weights]
    if by_name:
        pairs = [(layer, groups[layer.name]) for layer in layers if layer.name in groups]
    elif len(layers) != len(groups):
        assignment.refuse(
            f"it has {len(groups)} layers with weights ({', '.join(groups)}) and the model has "
            f"{len(layers)}"
        )
        return
    else:
        pairs = list(zip(layers, groups.values()))
    for layer, values in pairs:
        weights = _in_legacy_order(layer)
        if len(weights) != len(values):
            assignment.refuse(
                f"layer {layer.name} has {len(values)} weights in the file and {len(weights)} in "
                "the model"
            )
            continue
        for variable, value in zip(weights, values):
            assignment.add(f"the {variable.name} of layer {layer.name}", variable, value)


def _root(file: Any) -> Any:
    """Return the group with the weights: that of a whole model is further in."""
    return _inside(file, "model_weights") if "model_weights" in file else file


def _values(group: Any) -> list[Any]:
    values = [_inside(group, name) for name in _texts(group, "weight_names")]
    for value in values:
        if value.is_virtual or value.external:
            raise ValueError(f"{value.name} refers to other files, which is not allowed.")
    return values


def _inside(group: Any, path: str) -> Any:
    """Return what stands at a path, without following links, which may lead out of the file."""
    for name in path.split("/"):
        if type(group.get(name, getlink=True)).__name__ != "HardLink":
            raise KeyError(f"there is no {path}")
        group = group[name]
    return group


def _texts(group: Any, name: str) -> list[str]:
    """Return an attribute that is a list of names; long ones are kept in numbered parts."""
    if name in group.attrs:
        parts = [group.attrs[name]]
    else:
        parts, number = [], 0
        while f"{name}{number}" in group.attrs:
            parts.append(group.attrs[f"{name}{number}"])
            number += 1
    return [
        text.decode("utf-8") if isinstance(text, bytes) else str(text)
        for part in parts
        for text in part
    ]


def _in_legacy_order(layer: Layer) -> list[Variable]:
    """Return a layer's weights with the fixed ones last, those of inner layers included."""
    fixed: set[int] = set()
    for inner in layer._all_layers():
        fixed |= {id(variable) for variable, flag in inner._own_weights if not flag}
    return sorted(layer.weights, key=lambda variable: id(variable) in fixed)
