"""Doing once what was recorded several times."""

from __future__ import annotations

from typing import Any

from tapegrad._jit.passes.rewriting import (
    Unhashable,
    is_known,
    key_of,
    with_operations,
    with_replaced,
)
from tapegrad._jit.trace import CONSTANT, Trace, Value


def share_common_subexpressions(trace: Trace) -> Trace:
    """Replace the results of an operation by those of an equal one that came before.

    A Variable that was written in between is another value, so that equal arguments mean equal
    numbers.
    """
    instead: dict[Value, Value] = {}
    constants: dict[Any, Value] = {}
    seen: dict[Any, tuple[Value, ...]] = {}
    kept = []
    for operation in trace.operations:
        for value in operation.inputs:
            if value.kind == CONSTANT and value not in instead:
                try:
                    first = constants.setdefault(key_of(value.source), value)
                except Unhashable:
                    first = constants.setdefault(id(value.source), value)
                if first is not value:
                    instead[value] = first
        operation = with_replaced(operation, instead)
        if not operation.is_effect and is_known(operation):
            try:
                key = operation.name, key_of(operation.arguments), key_of(operation.params)
            except Unhashable:
                key = None
            results = tuple(operation.results)
            before = seen.setdefault(key, results) if key is not None else results
            if before is not results:
                instead.update(zip(results, before, strict=True))
                continue
        kept.append(operation)
    return with_operations(trace, kept, instead)
