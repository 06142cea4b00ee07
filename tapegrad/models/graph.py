"""A network as a graph: calls of layers, from symbolic inputs to symbolic outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tapegrad._core.nest import flatten, map_structure, pack_like
from tapegrad._core.tensor import Tensor
from tapegrad.layers import InputLayer, Layer
from tapegrad.layers.operation import Operation
from tapegrad.layers.symbolic import Node, SymbolicTensor
from tapegrad.models.standardize import take_inputs
from tapegrad.training.outputs import flat_outputs

__all__ = ["Graph"]


class Graph:
    """The calls that lead from inputs to outputs, in an order in which they can be run.

    Parameters
    ----------
    inputs, outputs
        SymbolicTensors, or nested lists, tuples and dicts of them. A list of one output means the
        output, as in Keras.
    owner
        The model, for errors.

    Attributes
    ----------
    nodes : list of Node
        The calls, each after those that it needs.
    operations : list of Layer
        All layers and operations, the nearest to the inputs first, in Keras's order: by their
        distance to the outputs. It decides the order of the weights.

    Raises
    ------
    TypeError
        If an input or output is no SymbolicTensor.
    ValueError
        If an output depends on an input that is not given.
    """

    def __init__(self, inputs: Any, outputs: Any, owner: str) -> None:
        self.owner = owner
        if isinstance(outputs, list | tuple) and len(outputs) == 1:
            outputs = outputs[0]
        self.inputs, self.outputs = inputs, outputs
        self.flat_inputs = _symbols(inputs, "inputs", owner)
        self.flat_outputs = _symbols(outputs, "outputs", owner)
        self.nodes: list[Node] = []
        self.operations: list[Layer] = []
        self._find_nodes()
        self._plan()

    # ---- structure -------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, without operations such as sums written with ``+``."""
        return [layer for layer in self.operations if not isinstance(layer, Operation)]

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs' layers: keys under which data may be given."""
        return [symbol.node.layer.name for symbol in self.flat_inputs if symbol.node is not None]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that the outputs come from, or the keys of a dict of outputs."""
        if isinstance(self.outputs, dict):
            return list(self.outputs)
        return [symbol.node.layer.name for symbol in self.flat_outputs if symbol.node is not None]

    def _find_nodes(self) -> None:
        given = {id(symbol) for symbol in self.flat_inputs}
        seen: dict[int, int] = {}
        order: dict[int, int] = {}  # layers in the order in which they are met from the outputs
        finished: list[Node] = []
        # A walk in depth without recursion: networks may be deeper than Python's stack.
        # Dicts by their sorted keys, as Keras walks them.
        for output in flat_outputs(self.outputs):
            pending: list[tuple[SymbolicTensor, bool]] = [(output, False)]
            while pending:
                symbol, done = pending.pop()
                node = symbol.node
                assert node is not None
                if done:
                    finished.append(node)
                    continue
                if id(node) in seen:
                    continue
                seen[id(node)] = 1
                order.setdefault(id(node.layer), len(order))
                if id(symbol) in given:
                    finished.append(node)
                    continue
                if isinstance(node.layer, InputLayer):
                    raise ValueError(
                        f"{self.owner}: the outputs depend on the Input {node.layer.name!r}, which "
                        "is not among the inputs."
                    )
                pending.append((symbol, True))
                pending.extend((parent, False) for parent in reversed(node.inputs))
        self._sort_layers(finished, given, order)
        self.nodes = [node for node in finished if not _gives(node, given)]

    def _sort_layers(self, finished: list[Node], given: set[int], order: dict[int, int]) -> None:
        depth_of_node: dict[int, int] = {}
        depth_of_layer: dict[int, int] = {}
        layers: dict[int, Layer] = {}
        for node in reversed(finished):
            layers[id(node.layer)] = node.layer
            depth = max(depth_of_node.get(id(node), 0), depth_of_layer.get(id(node.layer), 0))
            depth_of_layer[id(node.layer)] = depth_of_node[id(node)] = depth
            if _gives(node, given):
                continue
            for parent in node.inputs:
                assert parent.node is not None
                below = depth_of_node.get(id(parent.node), 0)
                depth_of_node[id(parent.node)] = max(below, depth + 1)
        for symbol in self.flat_inputs:  # an input that no output needs is a layer all the same
            assert symbol.node is not None
            layer = symbol.node.layer
            if id(layer) not in layers:
                layers[id(layer)] = layer
                depth_of_layer[id(layer)], order[id(layer)] = 0, -1
        self.operations = sorted(
            layers.values(), key=lambda layer: (-depth_of_layer[id(layer)], order[id(layer)])
        )
        self._refuse_equal_names()

    def _refuse_equal_names(self) -> None:
        names: dict[str, Layer] = {}
        for layer in self.layers:
            if names.setdefault(layer.name, layer) is not layer:
                raise ValueError(
                    f"{self.owner}: two layers have the name {layer.name!r}; give each its own."
                )

    # ---- running ---------------------------------------------------------------------

    def _plan(self) -> None:
        """Turn nodes into steps over numbered slots, each freed after its last use."""
        slots: dict[int, int] = {}
        for symbol in self.flat_inputs:
            slots.setdefault(id(symbol), len(slots))
        self._input_slots = [slots[id(symbol)] for symbol in self.flat_inputs]
        last_use: dict[int, int] = {}
        for index, node in enumerate(self.nodes):
            for symbol in node.inputs:
                last_use[slots[id(symbol)]] = index
            for symbol in flatten(node.outputs):
                slots.setdefault(id(symbol), len(slots))
        self._output_slots = [slots[id(symbol)] for symbol in self.flat_outputs]
        self._slot_count = len(slots)
        self._steps = [
            _Step(node, slots, [s for s, last in last_use.items() if last == index])
            for index, node in enumerate(self.nodes)
        ]
        for step in self._steps:
            step.frees = [slot for slot in step.frees if slot not in self._output_slots]

    def run(self, inputs: Any) -> Any:
        """Return the outputs for real inputs, in the structures that the graph was made with."""
        values: list[Any] = [None] * self._slot_count
        for slot, value in zip(self._input_slots, take_inputs(inputs, self)):
            values[slot] = value
        for step in self._steps:
            step.run(values)
        found = [values[slot] for slot in self._output_slots]
        return (
            found[0] if isinstance(self.outputs, SymbolicTensor) else pack_like(self.outputs, found)
        )


class _Step:
    """One call: where its arguments are, and where its results go."""

    def __init__(self, node: Node, slots: dict[int, int], frees: list[int]) -> None:
        self.layer: Callable[..., Any] = node.layer
        self.frees = frees
        self.args, self.kwargs = node.args, node.kwargs
        self.source = -1
        if len(node.args) == 1 and not node.kwargs and isinstance(node.args[0], SymbolicTensor):
            self.source = slots[id(node.args[0])]
        self._slots = {id(symbol): slots[id(symbol)] for symbol in node.inputs}
        self.targets = [slots[id(symbol)] for symbol in flatten(node.outputs)]
        self.single = isinstance(node.outputs, SymbolicTensor)

    def run(self, values: list[Any]) -> None:
        if self.source >= 0:
            result = self.layer(values[self.source])
        else:
            fill = self._filler(values)
            result = self.layer(
                *[map_structure(fill, part) for part in self.args],
                **{name: map_structure(fill, part) for name, part in self.kwargs.items()},
            )
        if self.single:
            values[self.targets[0]] = result
        else:
            for slot, part in zip(self.targets, flatten(result)):
                values[slot] = part
        for slot in self.frees:
            values[slot] = None

    def _filler(self, values: list[Any]) -> Callable[[Any], Any]:
        slots = self._slots
        return lambda leaf: values[slots[id(leaf)]] if isinstance(leaf, SymbolicTensor) else leaf


def _gives(node: Node, given: set[int]) -> bool:
    """Whether a node's outputs are among the graph's inputs."""
    return any(id(symbol) in given for symbol in flatten(node.outputs))


def _symbols(structure: Any, what: str, owner: str) -> list[SymbolicTensor]:
    leaves = flatten(structure)
    if not leaves:
        raise ValueError(f"{owner}: {what} is empty.")
    for leaf in leaves:
        if not isinstance(leaf, SymbolicTensor):
            arrays = isinstance(leaf, Tensor) or hasattr(leaf, "__array__")
            got = f"a {type(leaf).__name__} of shape {leaf.shape}" if arrays else repr(leaf)
            raise TypeError(
                f"{owner}: {what} must be symbolic tensors, which come from tapegrad.Input(shape) "
                f"and from layers called on them, but got {got}."
            )
    return leaves


def named_children(layers: Iterable[Layer], stem: Callable[[str], str]) -> list[tuple[str, Layer]]:
    """Return layers with names made of kind and place: dense, dense_1, conv2d ….

    Weight files hence do not depend on how many layers of a kind the process made before.
    """
    counts: dict[str, int] = {}
    named: list[tuple[str, Layer]] = []
    for layer in layers:
        kind = stem(type(layer).__name__)
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        named.append((f"{kind}_{number}" if number else kind, layer))
    return named
