"""Gradients that are computed right where the optimizer reads them.

`gather_flat` copies gradients into one buffer. A gradient that nobody else needs afterwards can
lie in its segment of the buffer from the beginning.
"""

from __future__ import annotations

from typing import NamedTuple

from tapegrad._jit.trace import RESULT, VARIABLE, Trace, Value


class Segment(NamedTuple):
    """A part of a Variable's memory: the value of the Variable, and the first byte."""

    variable: Value
    offset: int


def find_segments(trace: Trace) -> dict[Value, Segment]:
    """Results that may lie in the buffers into which `gather_flat` would copy them."""
    viewed = {
        op.result: op.arguments[0]
        for op in trace.operations
        if op.primitive.view and type(op.result) is Value and type(op.arguments[0]) is Value
    }
    found: dict[Value, Segment] = {}
    for number, operation in enumerate(trace.operations):
        if operation.name != "gather_flat":
            continue
        buffer, *arrays = operation.arguments
        if _is_used_before(trace, buffer, number):
            continue
        later = _used_from(trace, number + 1, viewed)
        itemsize = buffer.dtype.itemsize
        for array, offset in zip(arrays, operation.params["offsets"], strict=True):
            root = _root(array, viewed)
            if (
                type(root) is Value
                and root.kind == RESULT
                and root.dtype == buffer.dtype
                and root.nbytes == array.nbytes
                and root not in later
                and root not in found
                and sum(_root(other, viewed) is root for other in arrays) == 1
            ):
                found[root] = Segment(buffer, offset * itemsize)
    return found


def _root(value: Value, viewed: dict[Value, Value]) -> Value:
    while value in viewed:
        value = viewed[value]
    return value


def _is_used_before(trace: Trace, buffer: Value, number: int) -> bool:
    """Whether an operation before reads or writes the memory of a Variable."""
    low, high = buffer.interval
    for operation in trace.operations[:number]:
        for value in (*operation.inputs, *operation.written):
            if value.kind == VARIABLE:
                begin, end = value.interval
                if value is buffer or (low < end and begin < high):
                    return True
    return False


def _used_from(trace: Trace, number: int, viewed: dict[Value, Value]) -> set[Value]:
    """What operations from a number on need, or the outputs, through views too."""
    used = {value for operation in trace.operations[number:] for value in operation.inputs}
    used.update(trace.outputs)
    return used | {_root(value, viewed) for value in used}
