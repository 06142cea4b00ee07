"""The listener that turns a call into a trace while it runs."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from tapegrad._core.primitive import Effect, Primitive
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad._jit.trace import CONSTANT, INPUT, RESULT, VARIABLE, Operation, Trace, Value

_PACKAGE = str(Path(__file__).parent.parent)


class _ByIdentity:
    """A weak set of Tensors that are told apart by identity: they compare by elements."""

    def __init__(self) -> None:
        self._references: dict[int, weakref.ref[Tensor]] = {}

    def add(self, tensor: Tensor) -> None:
        key, references = id(tensor), self._references
        references[key] = weakref.ref(tensor, lambda _: references.pop(key, None))

    def discard(self, tensor: Tensor) -> None:
        if tensor in self:
            del self._references[id(tensor)]

    def __contains__(self, tensor: Tensor) -> bool:
        reference = self._references.get(id(tensor))
        return reference is not None and reference() is tensor


# Tensors that were computed while a call was recorded and outlived it. They hold the numbers of
# that one call: a later recording that met one would freeze them.
_left_over = _ByIdentity()


class LeftOverError(RuntimeError):
    """Raised when a recorded function uses a tensor from an earlier recording."""


class Recorder:
    """Records a call.

    While it is among the listeners of the thread it is told of every operation. Tensors are
    known by identity and held weakly: a Variable that somebody else holds would be copied before
    it is written.

    Attributes
    ----------
    failure : str or None
        Why the call cannot become a program, once that is known.
    created : bool
        Whether the call made Variables. It has then to be recorded again, when they exist.
    first : bool
        Whether no call with this signature ran before, so that layers may not be built.
    """

    def __init__(self, first: bool = False) -> None:
        self.first = first
        self.trace = Trace()
        self.failure: str | None = None
        self.created = False
        self._known: dict[int, tuple[Any, Value]] = {}
        self._variables: dict[int, tuple[Variable, Value]] = {}
        self.constants: dict[Value, Tensor] = {}
        self._seen: dict[int, Variable] = {}
        self._flats: set[int] = set()
        self._moved: list[Value] = []
        self._saved: Any = None

    # ---- the recording ---------------------------------------------------------------

    def __enter__(self) -> Recorder:
        self._saved = thread.listeners
        thread.listeners = (*thread.listeners, self)
        thread.recorder = self
        return self

    def __exit__(self, *exception: object) -> None:
        if thread.recorder is self:
            thread.recorder = None
        thread.listeners = tuple([other for other in thread.listeners if other is not self])

    def give_up(self, reason: str) -> None:
        """Record nothing more; the call itself goes on."""
        if self.failure is None:
            self.failure = f"{reason}, {_users_line()}"

    def input(self, tensor: Tensor) -> None:
        """Make a tensor the next input."""
        data = tensor._data
        value = Value(INPUT, data.shape, data.dtype, len(self.trace.inputs))
        self.trace.inputs.append(value)
        self._know(tensor, value)

    def output(self, tensor: Tensor) -> None:
        """Make a tensor the next output."""
        _left_over.discard(tensor)
        self.trace.outputs.append(self.value_of(tensor))

    def check_objects(self, objects: list[Any]) -> None:
        """Give up if an object that is returned holds a tensor of this call."""
        for thing in objects:
            for part in vars(thing).values():
                if type(part) is Tensor and self.failure is None and self._is_recorded(part):
                    self.give_up(
                        f"a tensor is returned inside of a {type(thing).__name__}, which runs of "
                        "a program could not make anew; return it in a tuple, list or dict"
                    )

    def finish(self) -> None:
        """Remember which tensors must not be met again. Called after the last `output`."""
        returned = {id(value) for value in self.trace.outputs}
        for reference, value in self._known.values():
            tensor = reference()
            if tensor is not None and value.kind == RESULT and id(value) not in returned:
                _left_over.add(tensor)

    # ---- what listeners are told -----------------------------------------------------

    def record(self, primitive: Primitive, args: Any, params: dict[str, Any], result: Any) -> None:
        """Take note of an operation."""
        if self.failure is not None:
            return
        arguments = tuple(
            [
                self.value_of(a)
                if type(a) is Tensor or type(a) is Variable or type(a) is np.ndarray
                else a
                for a in args
            ]
        )
        params = {key: self._plain(value) for key, value in params.items()}
        written: tuple[Value, ...] = ()
        if isinstance(primitive, Effect):
            given = len(args)  # some take any number of Variables
            targets = [args[i] for i in primitive.mutates if i < given]
            targets = [target for target in targets if isinstance(target, Variable)]
            written = tuple([self._variable(v) for v in targets])
            self._forget_overlapping(written)
            written += tuple(self._moved)
            self._moved.clear()
        self.trace.operations.append(
            Operation(primitive, arguments, params, self._results(result), written)
        )

    def read(self, value: Any) -> None:
        """End the recording if Python is about to see numbers that another call may change."""
        if self.failure is None and self._is_recorded(value):
            self.give_up("Python read the value of a tensor")

    def before_effect(self, primitive: Any) -> None:
        """Take no note: `record` is told when the effect has happened."""

    def variable_created(self, variable: Any) -> None:
        """Take note that this call is not like the next one."""
        self.created = True

    def before_rebinding(self, variable: Variable) -> None:
        """Keep the name of the value that somebody holds while its Variable gets another."""
        value = self._variable(variable)
        value.moved = True
        self._know(variable._tensor, value)
        del self._variables[id(variable)]
        self._moved.append(value)

    def flat_written(self, flat: Any) -> None:
        """Take note of Variables in one buffer, which a run must check before it writes there."""
        if id(flat) not in self._flats:
            self._flats.add(id(flat))
            # A Variable moves to the buffer that is written last; in a program it stays in one.
            own = set(map(id, flat.variables))
            if any(id(v) in own for other in self.trace.flats for v in other.variables):
                self.give_up("two optimizers write the same Variables")
            self.trace.flats.append(flat)

    def seen_variables(self) -> list[Variable]:
        """All Variables that the call has read or written."""
        return list(self._seen.values())

    # ---- values ----------------------------------------------------------------------

    def value_of(self, argument: Any) -> Value:
        """The value that stands for a tensor, Variable or array."""
        kind = type(argument)
        if kind is Variable:
            return self._variable(argument)
        if kind is np.ndarray:
            # The user's own, who may change it: the program keeps what it holds now.
            return self._constant(argument.copy())
        known = self._known.get(id(argument))
        if known is not None and known[0]() is argument:
            return known[1]
        base = argument._base
        if type(base) is Variable and base._tensor is argument:
            return self._variable(base)
        if argument in _left_over:
            raise LeftOverError(
                f"jit: a tensor of shape {argument.shape} that was computed inside an earlier "
                "recorded call is used in this one, where its numbers would be frozen; return "
                f"it from the function or keep it in a Variable ({_users_line()})"
            )
        value = self._constant(argument._data)
        self._know(argument, value)
        self.constants[value] = argument
        return value

    def _constant(self, array: Any) -> Value:
        return Value(CONSTANT, array.shape, array.dtype, array)

    def _variable(self, variable: Variable) -> Value:
        found = self._variables.get(id(variable))
        if found is not None:
            return found[1]
        value = Value(VARIABLE, variable.shape, variable.dtype, variable)
        value.interval = _interval(variable)
        self._variables[id(variable)] = variable, value
        self._seen[id(variable)] = variable
        return value

    def _forget_overlapping(self, written: tuple[Value, ...]) -> None:
        """After a write, what lies in the written memory is another value."""
        intervals = [_interval(value.source) for value in written]
        for value, interval in zip(written, intervals):
            value.interval = interval
        for key, (variable, _) in list(self._variables.items()):
            low, high = _interval(variable)
            if any(low < end and begin < high for begin, end in intervals):
                del self._variables[key]

    def _know(self, tensor: Tensor, value: Value) -> None:
        self._known[id(tensor)] = weakref.ref(tensor), value

    def _results(self, result: Any) -> Any:
        if type(result) is Tensor:
            data = result._data
            value = Value(RESULT, data.shape, data.dtype)
            self._know(result, value)
            return value
        if type(result) is tuple:
            return tuple([self._results(part) for part in result])
        return result

    def _plain(self, parameter: Any) -> Any:
        """A parameter with values in place of tensors."""
        kind = type(parameter)
        if kind is Tensor or kind is Variable:
            return self.value_of(parameter)
        if kind is tuple and any(type(p) is Tensor or type(p) is Variable for p in parameter):
            return tuple([self._plain(part) for part in parameter])
        return parameter

    def _is_recorded(self, tensor: Any) -> bool:
        known = self._known.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return known[1].kind != CONSTANT
        base = tensor._base
        return type(base) is Variable and base._tensor is tensor


def _interval(variable: Variable) -> tuple[int, int]:
    """The addresses between which a Variable lies."""
    data = variable._tensor._data
    low = data.__array_interface__["data"][0]
    return low, low + data.nbytes


def _users_line() -> str:
    """The innermost line outside of this package that is being run."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return "inside of tapegrad"
    return f"in {frame.f_code.co_filename}, line {frame.f_lineno}"
