"""A function inside a recorded call, as a program of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad._core.nest import flatten, map_structure
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor, tensor
from tapegrad._core.variable import Variable
from tapegrad._jit.compiler import compile_trace
from tapegrad._jit.program import Program
from tapegrad._jit.recorder import Recorder
from tapegrad._jit.signature import Structure, in_order
from tapegrad._jit.trace import CONSTANT, INPUT, VARIABLE


class NotRecordable(Exception):
    """Raised for a function that cannot be a program inside of another one."""


class _BodyRecorder(Recorder):
    """Records a function that must not have effects: it runs only to be recorded."""

    def give_up(self, reason: str) -> None:
        """End the run of the function."""
        raise NotRecordable(reason)

    def before_effect(self, primitive: Any) -> None:
        """End the run of the function before anything is written."""
        raise NotRecordable(f"{primitive.name} writes into a Variable")

    def variable_created(self, variable: Any) -> None:
        """End the run of the function."""
        raise NotRecordable("a Variable is made")


class Body:
    """What a function does with arguments of the shapes and dtypes of examples.

    Attributes
    ----------
    captured : list of Tensor or Variable
        What the function uses besides its arguments.
    structure : Structure
        What stands around the tensors that it returns.
    program : Program
        Takes the arguments and then the values of `captured`.
    """

    def __init__(self, function: Callable[..., Any], examples: Sequence[Any]) -> None:
        recorder = _BodyRecorder()
        arguments = [map_structure(_alias, example) for example in examples]
        for leaf in flatten(arguments):
            if type(leaf) is Tensor:
                recorder.input(leaf)
        saved = thread.listeners, thread.recorder
        thread.listeners, thread.recorder = (recorder,), recorder
        try:
            result = map_structure(_as_tensor, function(*arguments))
            self.structure = Structure(result)
            for leaf in self.structure.tensors:
                recorder.output(leaf)
        finally:
            thread.listeners, thread.recorder = saved
        self.shapes = [(leaf.shape, leaf.dtype) for leaf in self.structure.tensors]
        self.structure.emptied()
        trace = recorder.trace
        self.captured: list[Any] = []
        used = [value for operation in trace.operations for value in operation.inputs]
        for value in dict.fromkeys([*used, *trace.outputs]):
            if value.kind == VARIABLE:
                self.captured.append(value.source)
            elif value.kind == CONSTANT and value in recorder.constants:
                self.captured.append(recorder.constants[value])
            else:
                continue
            value.kind, value.source = INPUT, len(trace.inputs)
            trace.inputs.append(value)
        self.program: Program = compile_trace(trace)

    def run(self, arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        """Run the program on arrays: those of the arguments, then of what was captured."""
        return self.program.run([np.asarray(a, order="C") for a in arrays])


def _alias(value: Any) -> Any:
    """The same numbers under another identity."""
    if type(value) is Variable:
        value = value.value
    return Tensor(in_order(value._data)) if type(value) is Tensor else value


def _as_tensor(value: Any) -> Any:
    if type(value) is Variable:
        return value.value
    return value if type(value) is Tensor else tensor(value)


def as_tensors(structure: Any) -> Any:
    """A nest of numbers, arrays, Variables and tensors as one of tensors."""
    return map_structure(lambda leaf: leaf if type(leaf) is Tensor else _as_tensor(leaf), structure)


def is_recording() -> bool:
    """Whether control flow must become part of a program."""
    recorder: Any = thread.recorder
    if recorder is None or getattr(recorder, "failure", None) is not None:
        return False
    if recorder.first:
        # Layers may be built in this call, which must happen in the ordinary way.
        recorder.created = True
        return False
    return True
