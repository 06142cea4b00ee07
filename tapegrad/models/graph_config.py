"""A graph of layers as plain data, and back."""

from __future__ import annotations

from typing import Any

from tapegrad._core.nest import flatten, map_structure
from tapegrad.layers import InputLayer, Layer
from tapegrad.layers.symbolic import SymbolicTensor
from tapegrad.models.graph import Graph
from tapegrad.utils.serialization import deserialize, serialize

__all__ = ["graph_from_config", "graph_to_config"]

_REFERENCE = "__call__"


def graph_to_config(graph: Graph) -> dict[str, Any]:
    """Return a graph as data.

    Returns
    -------
    dict
        ``layers``: each layer's description, inputs included; ``calls``: which layer is called on
        what, in order, where ``{"__call__": [i, k]}`` stands for the k-th result of call i;
        ``inputs`` and ``outputs``: such references, in their structures.

    Raises
    ------
    TypeError
        If a layer or an argument cannot be described.
    """
    place: dict[int, list[int]] = {}
    calls: list[dict[str, Any]] = []
    layers: dict[int, Layer] = {}

    def refer(value: Any) -> Any:
        return map_structure(
            lambda leaf: (
                {_REFERENCE: place[id(leaf)]} if isinstance(leaf, SymbolicTensor) else leaf
            ),
            value,
        )

    for symbol in graph.flat_inputs:
        layer = _input_layer_for(symbol)
        layers[id(layer)] = layer
        place[id(symbol)] = [len(calls), 0]
        calls.append({"layer": layer.name})
    for node in graph.nodes:
        layers[id(node.layer)] = node.layer
        call = {
            "layer": node.layer.name,
            "args": serialize(list(refer(node.args)), node.layer.name),
            "kwargs": serialize(refer(node.kwargs), node.layer.name),
        }
        for index, symbol in enumerate(flatten(node.outputs)):
            place[id(symbol)] = [len(calls), index]
        calls.append(call)
    return {
        "layers": [serialize(layer) for layer in layers.values()],
        "calls": calls,
        "inputs": serialize(refer(graph.inputs)),
        "outputs": serialize(refer(graph.outputs)),
    }


def _input_layer_for(symbol: SymbolicTensor) -> InputLayer:
    """Return the Input that a symbol comes from, or one like it for a symbol inside a graph."""
    node = symbol.node
    if node is not None and isinstance(node.layer, InputLayer):
        return node.layer
    return InputLayer(batch_shape=symbol.shape, dtype=symbol.dtype, name=symbol.name)


def graph_from_config(config: dict[str, Any]) -> tuple[Any, Any]:
    """Make the layers, call them as they were called, and return the inputs and outputs.

    Raises
    ------
    ValueError
        If the description is not one of a graph, or names something unknown.
    """
    try:
        layers: dict[str, Layer] = {}
        for description in config["layers"]:
            layer = deserialize(description)
            layers[layer.name] = layer
        results: list[list[Any]] = []

        def look_up(data: Any) -> Any:
            if isinstance(data, dict) and set(data) == {_REFERENCE}:
                call, index = data[_REFERENCE]
                return results[call][index]
            return map_parts(data)

        def map_parts(data: Any) -> Any:
            if isinstance(data, dict) and data.get("class_name") == "__tuple__":
                return tuple(look_up(part) for part in data["items"])
            if isinstance(data, dict) and "class_name" not in data:
                return {key: look_up(part) for key, part in data.items()}
            if isinstance(data, list):
                return [look_up(part) for part in data]
            return deserialize(data)

        for call in config["calls"]:
            layer = layers[call["layer"]]
            if isinstance(layer, InputLayer):
                results.append([layer.output])
                continue
            outputs = layer(*look_up(call["args"]), **look_up(call["kwargs"]))
            results.append(flatten(outputs))
        return look_up(config["inputs"]), look_up(config["outputs"])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            f"This is not the description of a network: {type(error).__name__}: {error}."
        ) from error
