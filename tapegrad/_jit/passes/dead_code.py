"""Dropping what nobody needs."""

from __future__ import annotations

from tapegrad._jit.passes.rewriting import with_operations
from tapegrad._jit.trace import Trace, Value


def drop_dead_code(trace: Trace) -> Trace:
    """Keep effects, what the outputs depend on, and what those depend on."""
    needed: set[Value] = set(trace.outputs)
    kept = []
    for operation in reversed(trace.operations):
        if operation.is_effect or any(value in needed for value in operation.results):
            needed.update(operation.inputs)
            kept.append(operation)
    return with_operations(trace, reversed(kept))
