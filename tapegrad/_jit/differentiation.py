"""Recorded functions under a tape: one program forwards, one backwards.

The function is recorded together with its gradient. What the gradient needs of the operations
before it becomes a further output of the first program, which the tape keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad._core.builtin import identity
from tapegrad._core.primitive import Primitive
from tapegrad._core.state import thread
from tapegrad._core.tape import Tape, is_watched
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad._jit.compiler import compile_trace
from tapegrad._jit.passes.rewriting import replaced
from tapegrad._jit.recorder import Recorder
from tapegrad._jit.signature import Structure, in_order, rebuild
from tapegrad._jit.trace import CONSTANT, INPUT, RESULT, VARIABLE, Operation, Trace, Value
from tapegrad.ops import zeros_like

Call = tuple[tuple[Any, ...], dict[str, Any]]


def watched_leaves(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[bool, ...]:
    """Which of the tensors and arrays of a call a recording tape watches."""
    found: list[bool] = []
    rebuild(args, kwargs, lambda _: None, lambda leaf: found.append(_is_watched(leaf)))
    return tuple(found)


def _is_watched(leaf: Any) -> bool:
    return type(leaf) is Tensor and leaf.dtype.kind == "f" and is_watched(leaf)


class Differentiable:
    """A function whose calls under a tape are one operation, with a program for each direction.

    Attributes
    ----------
    ready : bool
        Whether both programs exist.
    recorder : Recorder or None
        The last recording, which says why they do not.
    """

    def __init__(self, function: Callable[..., Any], watched: tuple[bool, ...]) -> None:
        self._function = function
        self._watched = watched
        self.ready = False
        self.recorder: Recorder | None = None

    # ---- recording -------------------------------------------------------------------

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any], first: bool) -> Any:
        """Call the function under the tapes that are there, and record it and its gradient."""
        recorder = self.recorder = Recorder(first)
        leaves: list[Tensor] = []
        # Aliases, which tapes see as copies: what is told apart here is told apart there.
        originals: list[Any] = []
        rebuild(args, kwargs, lambda _: None, originals.append)
        aliases = iter(
            [identity(leaf) if type(leaf) is Tensor else Tensor(leaf) for leaf in originals]
        )
        fresh_args, fresh_kwargs = rebuild(args, kwargs, leaves.append, None, aliases)
        tape = Tape(persistent=True)
        with recorder:
            for leaf in leaves:
                recorder.input(leaf)
            with tape:
                tape.watch([leaf for leaf, flag in zip(leaves, self._watched) if flag])
                result = self._function(*fresh_args, **fresh_kwargs)
            if recorder.failure is None and not recorder.created:
                self._record_gradient(recorder, tape, leaves, result)
        recorder.finish()
        return result

    def _record_gradient(
        self, recorder: Recorder, tape: Tape, leaves: list[Tensor], result: Any
    ) -> None:
        structure = Structure(result)
        trace = recorder.trace
        forwards = len(trace.operations)
        outputs = [recorder.value_of(tensor) for tensor in structure.tensors]
        if any(is_watched(tensor) for tensor in recorder.constants.values()):
            recorder.give_up("a tensor from outside of the function is watched by the tape")
            return
        floating = [tensor for tensor in structure.tensors if tensor.dtype.kind == "f"]
        weights = [Tensor(np.ones(tensor.shape, tensor.dtype)) for tensor in floating]
        for weight in weights:
            recorder.input(weight)
        watched = [leaf for leaf, flag in zip(leaves, self._watched) if flag]
        captured = [variable for variable in recorder.seen_variables() if variable._node.automatic]
        outer = thread.listeners
        thread.listeners = (recorder,)
        try:
            found = tape.gradient(floating, [*watched, *captured], output_gradients=weights)
        finally:
            thread.listeners = outer
        if recorder.failure is not None:
            return
        gradients = [None if g is None else recorder.value_of(g) for g in found]
        self._build(trace, forwards, len(leaves), captured, outputs, gradients)
        self._float_outputs = [tensor.dtype.kind == "f" for tensor in structure.tensors]
        self._structure = structure.emptied()
        self._captured = captured
        self._has_effects = any(op.is_effect for op in trace.operations)
        self._operation = self._make_operation()
        self.ready = True

    def _build(
        self,
        trace: Trace,
        forwards: int,
        leaves: int,
        captured: list[Variable],
        outputs: list[Value],
        gradients: list[Value | None],
    ) -> None:
        """Cut the record in two, and compile both parts."""
        before, after = trace.operations[:forwards], trace.operations[forwards:]
        written = [value.interval for op in before for value in op.written]
        given: dict[Value, Value] = {}
        inputs = [Value(INPUT, v.shape, v.dtype, i) for i, v in enumerate(trace.inputs[:leaves])]
        given.update(zip(trace.inputs[:leaves], inputs))
        by_variable = {}
        for variable in captured:
            by_variable[id(variable)] = Value(INPUT, variable.shape, variable.dtype, len(inputs))
            inputs.append(by_variable[id(variable)])
        kept: list[Value] = []
        made = {value for op in after for value in op.results}
        needed = [value for op in _alive(after, gradients) for value in op.inputs]
        needed += [value for value in gradients if value is not None]
        for value in dict.fromkeys(needed):
            if value in made or value in given or value.kind == CONSTANT:
                continue
            if value.kind == VARIABLE and id(value.source) in by_variable:
                low, high = value.interval
                if not any(low < end and begin < high for begin, end in written):
                    given[value] = by_variable[id(value.source)]
                    continue
            if value.kind in (RESULT, VARIABLE):
                kept.append(value)
        for value in [*kept, *trace.inputs[leaves:]]:
            given[value] = Value(INPUT, value.shape, value.dtype, len(inputs))
            inputs.append(given[value])
        forward, backward = Trace(), Trace()
        forward.inputs, forward.flats = trace.inputs[:leaves], trace.flats
        forward.operations, forward.outputs = before, [*outputs, *kept]
        backward.inputs = inputs
        backward.operations = [_with_given(op, given) for op in after]
        backward.outputs = [given.get(v, v) for v in gradients if v is not None]
        self._connected = [value is not None for value in gradients]
        self._kept = len(kept)
        self._forward, self._backward = compile_trace(forward), compile_trace(backward)

    # ---- running ---------------------------------------------------------------------

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any]) -> Any:
        """Run the first program as one operation on the tapes that are recording."""
        if self._has_effects and len(thread.listeners) > 1:
            # A second derivative would repeat the effects.
            return self._function(*args, **kwargs)
        originals: list[Any] = []
        rebuild(args, kwargs, lambda _: None, originals.append)
        tensors = [
            leaf if type(leaf) is Tensor else Tensor(array)
            for leaf, array in zip(originals, leaves, strict=True)
        ]
        results = self._operation(*tensors, *self._captured, call=(args, kwargs))
        count = len(self._float_outputs)
        return self._structure.fill(list(results[:count]))

    def _make_operation(self) -> Primitive:
        leaves, count = len(self._watched), len(self._float_outputs)

        def forward(*data: Any, call: Call) -> Any:
            return tuple(self._forward.run([in_order(array) for array in data[:leaves]]))

        def rule(
            gradients: Any, answer: Any, *inputs: Any, needs: Sequence[bool], call: Call
        ) -> list[Any]:
            weights = [
                zeros_like(part) if g is None else g
                for g, part, flag in zip(gradients, answer, self._float_outputs)
                if flag
            ]
            if thread.listeners:
                found = self._differentiable_gradients(call, inputs[:leaves], weights)
            else:
                given = [*inputs, *answer[count:], *weights]
                arrays = self._backward.run([in_order(tensor._data) for tensor in given])
                parts = iter([Tensor(array) for array in arrays])
                found = [next(parts) if flag else None for flag in self._connected]
            rest = iter(found)
            by_leaf = [next(rest) if flag else None for flag in self._watched]
            return [*by_leaf, *rest]

        operation = Primitive("jit", forward=forward)
        operation.joint_rule = rule
        return operation

    def _differentiable_gradients(
        self, call: Call, leaves: Sequence[Any], weights: list[Tensor]
    ) -> list[Any]:
        """The gradients in operations, for a tape that differentiates them again."""
        args, kwargs = rebuild(*call, lambda _: None, None, iter(leaves))
        watched = [leaf for leaf, flag in zip(leaves, self._watched) if flag]
        with Tape() as tape:
            tape.watch(watched)
            result = self._function(*args, **kwargs)
        floating = [t for t in Structure(result).tensors if t.dtype.kind == "f"]
        return tape.gradient(floating, [*watched, *self._captured], output_gradients=weights)


def _alive(operations: list[Operation], gradients: Sequence[Value | None]) -> list[Operation]:
    """The operations on which the gradients depend."""
    needed = {value for value in gradients if value is not None}
    kept = []
    for operation in reversed(operations):
        if operation.is_effect or any(value in needed for value in operation.results):
            needed.update(operation.inputs)
            kept.append(operation)
    return kept[::-1]


def _with_given(operation: Operation, given: dict[Value, Value]) -> Operation:
    return Operation(
        operation.primitive,
        replaced(operation.arguments, given),
        {key: replaced(value, given) for key, value in operation.params.items()},
        operation.result,
        operation.written,
    )
