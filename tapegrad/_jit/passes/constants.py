"""Doing now what does not depend on the arguments of the call."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._jit.passes.rewriting import is_known, replaced, with_operations, with_replaced
from tapegrad._jit.trace import CONSTANT, Operation, Trace, Value

LARGEST = 1 << 22
"""Bytes of a result above which the operation stays: it would lengthen the life of the memory."""


def fold_constants(trace: Trace) -> Trace:
    """Run operations whose arguments are all constant, and keep their results instead."""
    instead: dict[Value, Value] = {}
    kept = []
    for operation in trace.operations:
        operation = with_replaced(operation, instead)
        folded = _folded(operation)
        if folded is None:
            kept.append(operation)
        else:
            instead.update(folded)
    return with_operations(trace, kept, instead)


def _folded(operation: Operation) -> dict[Value, Value] | None:
    results = operation.results
    if operation.is_effect or not is_known(operation) or not results:
        return None
    if sum(value.nbytes for value in results) > LARGEST:
        return None
    if operation.name == "full_like":  # depends on the shape alone
        (value,) = results
        number = operation.params["fill_value"]
        if any(type(p) is Value for p in operation.params.values()):
            return None
        return {value: _constant(value, np.full(value.shape, number, value.dtype))}
    if any(value.kind != CONSTANT for value in operation.inputs):
        return None
    data = {value: value.source for value in operation.inputs}
    given = [_data(argument, data) for argument in operation.arguments]
    params = {key: _data(value, data) for key, value in operation.params.items()}
    raw = operation.primitive._implementation("cpu")(*given, **params)
    raws = list(_flat(raw))
    if len(raws) != len(results):
        return None
    return {
        value: _constant(value, np.array(array, value.dtype, order="C").reshape(value.shape))
        for value, array in zip(results, raws, strict=True)
    }


def _constant(value: Value, array: Any) -> Value:
    return Value(CONSTANT, value.shape, value.dtype, array)


def _data(argument: Any, data: dict[Value, Any]) -> Any:
    return replaced(argument, data)


def _flat(raw: Any) -> Any:
    if isinstance(raw, tuple):
        for part in raw:
            yield from _flat(part)
    elif raw is not None:
        yield raw
