"""What all passes need: replacing values, and telling operations apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tapegrad._core.registry import primitives
from tapegrad._jit.trace import Operation, Trace, Value


class Unhashable(Exception):
    """Raised for parameters that cannot be compared quickly."""


def is_known(operation: Operation) -> bool:
    """Whether this library made the primitive, so that it has no effects that are not declared."""
    return primitives.get(operation.name) is operation.primitive


def replaced(argument: Any, instead: dict[Value, Value]) -> Any:
    """An argument or parameter with other values in the place of some."""
    if type(argument) is Value:
        return instead.get(argument, argument)
    if type(argument) is tuple:
        return tuple([replaced(part, instead) for part in argument])
    return argument


def with_replaced(operation: Operation, instead: dict[Value, Value]) -> Operation:
    """The operation itself, or one with other values among its arguments."""
    if not instead or not any(value in instead for value in operation.inputs):
        return operation
    return Operation(
        operation.primitive,
        replaced(operation.arguments, instead),
        {key: replaced(value, instead) for key, value in operation.params.items()},
        operation.result,
        operation.written,
    )


def with_operations(
    trace: Trace, operations: Iterable[Operation], instead: dict[Value, Value] | None = None
) -> Trace:
    """A trace with other operations, and other values among its outputs."""
    made = Trace()
    made.inputs = trace.inputs
    made.operations = list(operations)
    made.outputs = [replaced(value, instead or {}) for value in trace.outputs]
    made.flats = trace.flats
    return made


def key_of(part: Any) -> Any:
    """Something hashable that is equal for equal arguments.

    Raises
    ------
    Unhashable
        If there is nothing of that kind.
    """
    if isinstance(part, Value):
        return id(part)
    if isinstance(part, slice):
        return "slice", key_of(part.start), key_of(part.stop), key_of(part.step)
    if isinstance(part, tuple | list):
        return type(part), tuple([key_of(p) for p in part])
    if isinstance(part, dict):
        return tuple([(key, key_of(value)) for key, value in part.items()])
    if isinstance(part, float):  # -0.0 equals 0.0, and NaN equals nothing
        return type(part), np.float64(part).tobytes()
    if isinstance(part, np.ndarray):
        if part.nbytes > 256:
            raise Unhashable
        return part.shape, part.dtype.str, part.tobytes()
    try:
        hash(part)
    except TypeError:
        raise Unhashable from None
    return type(part), part
