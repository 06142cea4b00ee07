"""What the parts of a program are called in descriptions and drawings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._jit.passes.fusion import CHAIN
from tapegrad._jit.passes.reductions import CHAIN_SUM
from tapegrad._jit.trace import CONSTANT, INPUT, VARIABLE, Operation, Value

if TYPE_CHECKING:
    from tapegrad._jit.program import Plan

_SEVERAL = 6
"""Steps of a chain that a title names."""


def title_of(operation: Operation) -> str:
    """Name of an operation, with what was folded into it."""
    steps = fused_steps(operation)
    if steps is not None:
        shown = steps if len(steps) <= _SEVERAL else [*steps[: _SEVERAL - 1], "…", steps[-1]]
        return f"chain[{len(steps)}]: {' '.join(shown)}"
    activation = operation.params.get("activation")
    return f"{operation.name} + {activation}" if activation else operation.name


def fused_steps(operation: Operation) -> list[str] | None:
    """The kernels of a chain, with its reduction if it has one; None for other operations."""
    if operation.primitive is CHAIN:
        return list(operation.params["chain"].names)
    if operation.primitive is CHAIN_SUM:
        return [*operation.params["chain"].names, operation.params["reduction"]]
    return None


def shape_text(value: Value) -> str:
    """Type and shape, as in ``float32[32, 64]``."""
    return f"{value.dtype}{list(value.shape)}"


def bytes_text(count: int) -> str:
    """A number of bytes in a unit that keeps it short."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def counted(count: int, what: str) -> str:
    """A number of things: ``1 input``, ``2 inputs``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


class Names:
    """The names of a program's values.

    A result is called by the number of its operation: ``%7``, and ``%7.0``, ``%7.1`` where there
    are several. A view is called as what it shows, with ``ᵀ`` if it is transposed. Variables have
    their paths, numbered where several have the same.

    Attributes
    ----------
    roots : dict
        What each view shows in the end.
    maker : dict
        The number of the operation that each result comes from.
    """

    def __init__(self, plan: Plan) -> None:
        self.roots: dict[Value, Value] = {}
        self.maker: dict[Value, int] = {}
        self._transposed: set[Value] = set()
        self._names: dict[Value, str] = {}
        self._of_variable: dict[int, str] = {}
        self._taken: set[str] = set()
        self._constants = 0
        for _, variable in plan.variables:
            self.of_variable(variable)
        for number, step in enumerate(plan.steps):
            results = step.operation.results
            for position, value in enumerate(results):
                self.maker[value] = number
                several = f".{position}" if len(results) > 1 else ""
                self._names[value] = f"%{number}{several}"
        made = {id(step.operation) for step in plan.steps}
        for operation in plan.trace.operations:
            if id(operation) not in made:
                self._note_view(operation)

    def _note_view(self, operation: Operation) -> None:
        source, value = operation.arguments[0], operation.result
        self.roots[value] = self.root(source)
        turned = operation.name == "transpose"
        if turned is not (source in self._transposed):  # twice is as good as never
            self._transposed.add(value)

    def root(self, value: Value) -> Value:
        """The value of which another is a view, or itself."""
        return self.roots.get(value, value)

    def of_variable(self, variable: Any) -> str:
        """The name of a Variable."""
        name = self._of_variable.get(id(variable))
        if name is None:
            name, number = variable.path, 2
            while name in self._taken:
                name, number = f"{variable.path} ({number})", number + 1
            self._taken.add(name)
            self._of_variable[id(variable)] = name
        return name

    def of(self, value: Value) -> str:
        """The name of a value."""
        root = self.root(value)
        name = self._names.get(root)
        if name is None:
            name = self._names[root] = self._outside(root)
        return f"{name}ᵀ" if value in self._transposed else name

    def _outside(self, value: Value) -> str:
        if value.kind == VARIABLE:
            return self.of_variable(value.source)
        if value.kind == INPUT:
            return f"input {value.source}"
        assert value.kind == CONSTANT
        if value.shape == ():
            return str(np.asarray(value.source))
        self._constants += 1
        return f"constant {self._constants - 1}"

    def reads(self, operation: Operation) -> Iterator[tuple[str, Value | None]]:
        """What an operation is given: names with their values, and numbers."""
        for argument in operation.arguments:
            yield from self._parts(argument)
        for key, parameter in operation.params.items():
            for value in _values(parameter):
                yield f"{key}={self.of(value)}", value

    def _parts(self, argument: Any) -> Iterator[tuple[str, Value | None]]:
        if type(argument) is Value:
            yield self.of(argument), argument
        elif type(argument) is tuple:
            for part in argument:
                yield from self._parts(part)
        elif isinstance(argument, bool | int | float | str):
            yield f"{argument}", None


def _values(parameter: Any) -> Iterator[Value]:
    if type(parameter) is Value:
        yield parameter
    elif type(parameter) is tuple:
        for part in parameter:
            yield from _values(part)


def place_of(plan: Plan, names: Names, value: Value) -> str:
    """Where a result lies: at a byte of the arena, in a Variable, or in memory of the caller."""
    operand = plan.operands[value]
    offset = plan.placements.get(operand.buffer)
    if offset is not None:
        return str(offset + operand.offset)
    for buffer, variable in plan.variables:
        if buffer == operand.buffer:
            return names.of_variable(variable)
    for output in plan.outputs:
        if output.buffer == operand.buffer and output.donated is not None:
            return f"input {output.donated}"
    return "output"
