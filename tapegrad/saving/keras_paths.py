"""The names that Keras 3 gives to a model's weights in its files.

Keras goes through a model's attributes in alphabetical order, private ones last, and names what it
finds by the attribute; what stands in lists is named by its class and numbered. Each layer's own
weights are the datasets ``0, 1, …`` of its group ``vars``::

    layers/dense/vars/0                          kernel of the first Dense
    layers/bidirectional/forward_layer/cell/vars/2

Names of attributes are a matter of Keras's insides there, so layers that consist of others are
described in a table here: what Keras calls their parts, and which of the weights (whose order is
Keras's) belong to each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tapegrad._core.variable import Variable
from tapegrad.layers.base import Layer
from tapegrad.utils.lookup import snake_case

__all__ = ["KerasWeights", "keras_weights"]


@dataclass
class KerasWeights:
    """A model's weights under Keras's names.

    Attributes
    ----------
    variables
        The weights by path, such as ``"layers/dense/vars/0"``.
    layers
        The name of the layer that each group belongs to, by the group's path.
    """

    variables: dict[str, Variable] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)


def keras_weights(model: Layer) -> KerasWeights:
    """Return the weights of a model by the names that they have in Keras's files."""
    found = KerasWeights()
    _visit(model, "", found, set())
    return found


def _visit(layer: Layer, path: str, found: KerasWeights, seen: set[int]) -> None:
    if id(layer) in seen:
        return
    seen.add(id(layer))
    own, parts = _own_and_parts(layer)
    _note(path, layer.name, own, found)
    for name, part in parts:
        inner = f"{path}/{name}" if path else name
        if isinstance(part, Layer):
            _visit(part, inner, found, seen)
        elif isinstance(part, _Weights):
            _note(inner, layer.name, part, found)
        else:
            _visit_container(part, inner, found, seen)


class _Weights(list[Variable]):
    """Weights that Keras keeps in a layer of their own, where here there may be none."""


def _note(path: str, name: str, own: list[Variable], found: KerasWeights) -> None:
    group = f"{path}/vars" if path else "vars"
    found.layers[group] = name
    for index, variable in enumerate(own):
        found.variables[f"{group}/{index}"] = variable


def _visit_container(container: Any, path: str, found: KerasWeights, seen: set[int]) -> None:
    """Go through a list, tuple or dict; layers in it are named by their class."""
    counts: Counter[str] = Counter()
    for part in container.values() if isinstance(container, Mapping) else container:
        if isinstance(part, Layer):
            name = _numbered(_class_name(part), counts)
            _visit(part, f"{path}/{name}", found, seen)
        elif isinstance(part, list | tuple | Mapping):
            name = _numbered("container", counts)
            _visit_container(part, f"{path}/{name}", found, seen)


def _numbered(stem: str, counts: Counter[str]) -> str:
    number = counts[stem]
    counts[stem] += 1
    return f"{stem}_{number}" if number else stem


def _class_name(layer: Layer) -> str:
    name = type(layer).__name__
    return snake_case(_OTHER_NAMES.get(name, name))


# Classes whose own name in Keras is not the one under which it exports them.
_OTHER_NAMES = {"Model": "Functional", "GroupQueryAttention": "GroupedQueryAttention"}


# ---- the parts of a layer ------------------------------------------------------------

Parts = list[tuple[str, Any]]


def _own_and_parts(layer: Layer) -> tuple[list[Variable], Parts]:
    """Return the weights that are a layer's own for Keras, and its parts by Keras's names."""
    for kind in type(layer).__mro__:
        if kind.__name__ in _COMPOSED:
            return _COMPOSED[kind.__name__](layer)
    return [variable for _, variable in layer._named_own_weights()], list(_attributes(layer))


def _attributes(layer: Layer) -> Iterator[tuple[str, Any]]:
    """Go through the attributes of a layer that can hold layers, in Keras's order."""
    from tapegrad.models import Model

    attributes = {
        name: value
        for name, value in vars(layer).items()
        if isinstance(value, Layer | list | tuple | dict) and not name.startswith("__")
    }
    if isinstance(layer, Model):
        if _is_graph(layer):
            yield "layers", layer.layers
        else:
            attributes["layers"] = layer.layers
    yield from sorted(attributes.items(), key=lambda item: (item[0].startswith("_"), item[0]))


def _is_graph(model: Any) -> bool:
    """Whether a model is a Sequential or made of symbolic inputs and outputs."""
    from tapegrad.models import Sequential

    return isinstance(model, Sequential) or getattr(model, "_graph", None) is not None


def _recurrent(layer: Any) -> tuple[list[Variable], Parts]:
    return [], [("cell", _Weights(layer.weights))]


def _attention(prefix: str) -> Callable[[Any], tuple[list[Variable], Parts]]:
    """Return the rule for attention with projections; GroupQueryAttention has private ones."""

    def rule(layer: Any) -> tuple[list[Variable], Parts]:
        weights = layer.weights
        each = len(weights) // 4  # a kernel, and a bias if there are biases
        return [], [
            (f"{prefix}{name}_dense", _Weights(weights[each * index : each * (index + 1)]))
            for index, name in enumerate(("query", "key", "value", "output"))
        ]

    return rule


def _of_attributes(*names: str) -> Callable[[Any], tuple[list[Variable], Parts]]:
    """Return the rule for a layer without weights of its own around the layers in attributes."""
    return lambda layer: ([], [(name, getattr(layer, name)) for name in names])


def _spectral(layer: Any) -> tuple[list[Variable], Parts]:
    # Keras counts the normalized kernel as a weight of both.
    inner = layer.layer
    vector = [v for v in layer.weights if all(v is not w for w in inner.weights)]
    return [inner.weights[0], *vector], [("layer", inner)]


_COMPOSED: dict[str, Callable[[Any], tuple[list[Variable], Parts]]] = {
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "SimpleRNN": _recurrent,
    "RNN": _of_attributes("cell"),
    "StackedRNNCells": _of_attributes("cells"),
    "Bidirectional": _of_attributes("forward_layer", "backward_layer"),
    "TimeDistributed": _of_attributes("layer"),
    "GroupQueryAttention": _attention("_"),
    "MultiHeadAttention": _attention(""),
    "SpectralNormalization": _spectral,
}
