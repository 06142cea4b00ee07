"""Recording operations, and walking the record backwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from tapegrad._core.builtin import add, fill_like, unbroadcast
from tapegrad._core.nest import flatten, pack_like
from tapegrad._core.node import Node
from tapegrad._core.primitive import run_rules
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor, tensor
from tapegrad._core.variable import Variable


class Tape:
    """A context that records operations, to differentiate what was computed in it.

    Each operation with a watched argument is recorded, and its result is watched
    in turn. Trainable Variables are watched by themselves. Tapes nest: the
    gradient that an inner tape computes is recorded on the outer ones, so that
    derivatives of any order can be had. A tape records the operations of the
    Python thread that entered it.

    Parameters
    ----------
    persistent : bool, default False
        Whether `gradient` may be called more than once.
    watch_accessed_variables : bool, default True
        Whether trainable Variables are watched by themselves.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable(3.0)
    >>> with tg.Tape() as tape:
    ...     y = x * x
    >>> tape.gradient(y, x)
    Tensor(6., dtype=float32)
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._watches_variables = watch_accessed_variables
        self._nodes: set[Node] = set()
        self._entries: list[tuple[Any, ...]] | None = []

    def __enter__(self) -> Tape:
        if self in thread.listeners:
            raise RuntimeError("Tape: this tape is recording already")
        if self._entries is None:
            raise self._spent()
        thread.listeners = (*thread.listeners, self)
        return self

    def __exit__(self, *exception: object) -> None:
        thread.listeners = tuple(other for other in thread.listeners if other is not self)

    @staticmethod
    def _spent() -> RuntimeError:
        return RuntimeError(
            "Tape: the gradient of this tape was taken, and its record is gone; "
            "make it with Tape(persistent=True) to take several"
        )

    def watch(self, tensors: Any) -> None:
        """Record what is done with `tensors` from now on.

        Parameters
        ----------
        tensors : Tensor, Variable or nested lists, tuples and dicts of them
            Of floating dtype.

        Raises
        ------
        TypeError
            If something else than a tensor is given, or integers.
        """
        for value in flatten(tensors):
            if not isinstance(value, Tensor | Variable):
                raise TypeError(
                    f"watch: expected a Tensor or Variable, got {type(value).__name__}; "
                    "make one with tapegrad.tensor"
                )
            self._nodes.add(_node_of(value))

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Within this context the tape records nothing; others go on."""
        saved = thread.listeners
        thread.listeners = tuple(other for other in saved if other is not self)
        try:
            yield
        finally:
            thread.listeners = saved

    def record(self, primitive: Any, args: Any, params: dict[str, Any], result: Any) -> None:
        """Take note of one operation; called for each by the primitives."""
        if not primitive.differentiable:
            return
        nodes = self._nodes
        inputs = []
        watched = assignable = False
        for argument in args:
            kind = type(argument)
            if kind is Tensor or kind is Variable:
                if kind is Variable:
                    assignable = True
                node = argument._node
                if node is not None:
                    if node in nodes:
                        watched = True
                    elif node.automatic and self._watches_variables:
                        nodes.add(node)
                        watched = True
                    else:
                        node = None
                inputs.append(node)
            else:
                inputs.append(None)
        if not watched or self._entries is None:
            return
        if type(result) is Tensor:
            data = result._data
            if data.dtype.kind != "f":
                return
            output = result._node
            if output is None:
                output = result._node = Node(data.shape, data.dtype)
            nodes.add(output)
        else:
            # Integers among several results (positions, say) have a node that nobody watches.
            output = tuple([_output_node(part) for part in result])
            nodes.update([node for node in output if node.dtype.kind == "f"])
        if not primitive.saves_inputs:
            # A watched argument's node is its description.
            args = [_description(a) for a in args] if None in inputs else inputs
        elif assignable:  # kept is the value of this moment
            args = [a._tensor if type(a) is Variable else a for a in args]
        self._entries.append(
            (primitive, inputs, output, args, result if primitive.saves_output else output, params)
        )

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Literal["none", "zero"] = "none",
    ) -> Any:
        """Gradient of `target` with respect to `sources`.

        Parameters
        ----------
        target : Tensor, or list of Tensors
            What is differentiated. The elements of a target that is not a scalar,
            and the targets of a list, are summed, weighted by `output_gradients`.
        sources : Tensor, Variable or nested lists, tuples and dicts of them
            What the gradient is taken with respect to.
        output_gradients : Tensor, optional
            Weights of the shape of `target`, by default ones (for a list of
            targets, a list).
        unconnected_gradients : {"none", "zero"}
            What comes back for a source on which the target does not depend.

        Returns
        -------
        Tensor or None, in the structure of `sources`
            Each has the shape and dtype of its source.

        Raises
        ------
        RuntimeError
            If the gradient of this tape, which is not persistent, was taken before.
        TypeError
            If a target or source is no tensor.
        ValueError
            If a weight's shape is not its target's, or an option is unknown.
        """
        if self._entries is None:
            raise self._spent()
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(
                "gradient: unconnected_gradients is 'none' or 'zero', "
                f"got {unconnected_gradients!r}"
            )
        targets = flatten(target)
        leaves = flatten(sources)
        for value in targets:
            if type(value) is not Tensor and type(value) is not Variable:
                raise _no_tensor("target", value)
        for value in leaves:
            if type(value) is not Tensor and type(value) is not Variable:
                raise _no_tensor("source", value)
        if self._persistent:
            gradients = self._walk(targets, leaves, output_gradients)
        else:
            listeners = thread.listeners
            if listeners:
                thread.listeners = tuple([other for other in listeners if other is not self])
            try:
                gradients = self._walk(targets, leaves, output_gradients)
            finally:
                thread.listeners = listeners
            self._entries = None
            self._nodes = set()
        if unconnected_gradients == "zero":
            gradients = [
                fill_like(leaf, 0.0) if g is None else g
                for g, leaf in zip(gradients, leaves, strict=True)
            ]
        return pack_like(sources, gradients)

    def _walk(self, targets: list[Any], sources: list[Any], weights: Any) -> list[Any]:
        assert self._entries is not None
        # Forward: what depends on a source. Only that is worth differentiating.
        reached = {s._node for s in sources}
        reached.discard(None)
        wanted = set(reached)
        relevant: list[tuple[Any, ...]] = []
        for entry in list(self._entries):  # a persistent tape records what follows
            for node in entry[1]:
                if node in reached:
                    relevant.append(entry)
                    output = entry[2]
                    if type(output) is Node:
                        reached.add(output)
                    else:
                        reached.update(output)
                    break
        gradients = _seed(targets, weights, reached)
        kept: dict[Node, Tensor] = {}
        # Backward: each entry hands the gradient of its result on to its arguments.
        for primitive, inputs, output, args, answer, params in reversed(relevant):
            if type(output) is Node:
                gradient: Any = gradients.pop(output, None)
                if gradient is None:
                    continue
                if output in wanted:
                    kept[output] = gradient
            else:
                gradient = tuple([gradients.pop(node, None) for node in output])
                if all(part is None for part in gradient):
                    continue
                for node, part in zip(output, gradient):
                    if part is not None and node in wanted:
                        kept[node] = part
            needs = [node in reached for node in inputs]
            parts = run_rules(primitive, gradient, answer, args, needs, params)
            for node, needed, part in zip(inputs, needs, parts):
                if not needed or part is None:
                    continue
                if type(part) is not Tensor:
                    part = tensor(part)
                data = part._data
                if data.shape != node.shape or data.dtype is not node.dtype:
                    part = unbroadcast(part, node.shape, node.dtype)
                known = gradients.get(node)
                gradients[node] = part if known is None else add(known, part)
        kept.update(gradients)
        return [kept.get(s._node) for s in sources]


def _no_tensor(role: str, value: Any) -> TypeError:
    return TypeError(
        f"gradient: each {role} must be a Tensor or Variable, got {type(value).__name__}"
    )


def is_watched(value: Any) -> bool:
    """Whether a tape that is recording in this thread watches a tensor."""
    node = value._node
    return node is not None and any(
        isinstance(listener, Tape) and node in listener._nodes for listener in thread.listeners
    )


def _output_node(value: Any) -> Node:
    node = value._node
    if node is None:
        node = value._node = Node(value._data.shape, value._data.dtype)
    return node


def _node_of(value: Any) -> Node:
    node = _output_node(value)
    if node.dtype.kind != "f":
        raise TypeError(
            f"only floating numbers can be differentiated, got dtype {node.dtype}; "
            "convert with .astype('float32')"
        )
    return node


def _description(argument: Any) -> Any:
    """What a rule that does not need an argument's value gets in its place."""
    kind = type(argument)
    if kind is not Tensor and kind is not Variable:
        return argument
    node = argument._node
    if node is None:  # a constant, which keeps it for the next use
        node = argument._node = Node(argument._data.shape, argument._data.dtype)
    return node


_scalar_ones: dict[Any, Any] = {}


def _ones_like(target: Any) -> Tensor:
    """Ones of the shape of `target`; for a loss, over memory that is filled once."""
    if target.shape != () or target.device != "cpu":
        return fill_like(target, 1.0)
    one = _scalar_ones.get(target.dtype)
    if one is None:
        one = _scalar_ones[target.dtype] = fill_like(target, 1.0)._data
    return Tensor(one)


def _seed(targets: list[Any], weights: Any, reached: set[Node]) -> dict[Node, Tensor]:
    """Gradients of the targets with respect to themselves."""
    if weights is None and len(targets) == 1:
        node = targets[0]._node
        return {node: _ones_like(targets[0])} if node in reached else {}
    chosen = [None] * len(targets) if weights is None else flatten(weights)
    if len(chosen) != len(targets):
        raise ValueError(
            f"gradient: {len(targets)} targets but {len(chosen)} output_gradients were given"
        )
    seeds: dict[Node, Tensor] = {}
    for target, weight in zip(targets, chosen, strict=True):
        node = target._node
        if weight is not None:
            weight = weight if isinstance(weight, Tensor) else tensor(weight)
            if weight.shape != target.shape:
                raise ValueError(
                    f"gradient: output_gradients has shape {weight.shape}, "
                    f"the target has shape {target.shape}"
                )
        if node is None or node not in reached:
            continue
        weight = fill_like(target, 1.0) if weight is None else weight.astype(target.dtype)
        seeds[node] = weight if node not in seeds else add(seeds[node], weight)
    return seeds
