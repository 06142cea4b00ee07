"""Values of Variables that are used after the Variable was written."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.primitive import Primitive
from tapegrad._jit.passes.rewriting import replaced, with_operations
from tapegrad._jit.trace import RESULT, VARIABLE, Operation, Trace, Value

COPY = Primitive("copy", saves="none", forward=np.array)
"""What a program does with a value that must lie elsewhere. It is no operation of users."""


def copied(value: Value) -> Operation:
    """The operation that copies a value."""
    return Operation(COPY, (value,), {}, Value(RESULT, value.shape, value.dtype))


def copy_overwritten(trace: Trace) -> Trace:
    """Copy what a Variable held where a later operation needs it after a write.

    The eager way does the same: a Variable whose value somebody holds moves to new memory.
    """
    first, last = uses_of(trace)
    position: dict[Value, int] = {}
    for number, operation in enumerate(trace.operations):
        for written in operation.written:
            # A value that was held may be read by the very operation that writes, as a view.
            end_of_use = last.get(written, -1)
            if end_of_use > number or (written.moved and end_of_use == number):
                position.setdefault(written, min(first[written], number))
            begin, end = written.interval
            for value in first:
                if value.kind != VARIABLE or value in position:
                    continue
                low, high = value.interval
                if low < end and begin < high and first[value] <= number < last[value]:
                    position[value] = first[value]
    if not position:
        return trace
    copies = {value: copied(value) for value in position}
    instead = {value: copy.result for value, copy in copies.items()}
    operations: list[Operation] = []
    for number, operation in enumerate(trace.operations):
        operations += [copies[value] for value, at in position.items() if at == number]
        operations.append(_reading(operation, instead))
    return with_operations(trace, operations, instead)


def uses_of(trace: Trace) -> tuple[dict[Value, int], dict[Value, int]]:
    """The first and last operation that needs each value, or one that may be a view of it.

    What is only written is not needed.
    """
    first: dict[Value, int] = {}
    last: dict[Value, int] = {}
    viewed: dict[Value, Value] = {}
    for number, operation in enumerate(trace.operations):
        targets = set(_targets(operation))
        read = [a for place, a in enumerate(operation.arguments) if place not in targets]
        read += [value for value in operation.inputs if value not in operation.arguments]
        for value in read:
            root: Value | None = value if type(value) is Value else None
            while root is not None:
                first.setdefault(root, number)
                last[root] = number
                root = viewed.get(root)
        if operation.primitive.view and type(operation.result) is Value:
            source = operation.arguments[0]
            if type(source) is Value:
                viewed[operation.result] = source
    for value in trace.outputs:
        root = value
        while root is not None:
            first.setdefault(root, len(trace.operations))
            last[root] = len(trace.operations)
            root = viewed.get(root)
    return first, last


def _targets(operation: Operation) -> Any:
    return getattr(operation.primitive, "mutates", ())


def _reading(operation: Operation, instead: dict[Value, Value]) -> Operation:
    """The operation with other values where it reads; what it writes stays."""
    targets = set(_targets(operation))
    arguments = tuple(
        [
            argument if position in targets else replaced(argument, instead)
            for position, argument in enumerate(operation.arguments)
        ]
    )
    params = {key: replaced(value, instead) for key, value in operation.params.items()}
    return Operation(operation.primitive, arguments, params, operation.result, operation.written)
