"""Arguments whose memory a program may use again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from tapegrad._core.nest import flatten
from tapegrad._core.tensor import Tensor
from tapegrad._jit.hazards import copied, uses_of
from tapegrad._jit.passes.rewriting import with_operations
from tapegrad._jit.trace import INPUT, RESULT, Trace, Value


class Donated:
    """Stands in a Tensor for memory that was given away; every use says so."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise RuntimeError(
            "this tensor was donated to a function made with jit(donate_argnums=…), which has "
            "used its memory for a result; pass a copy, or do not donate it"
        )


def donated_leaves(args: tuple[Any, ...], argnums: Sequence[int]) -> list[tuple[int, Any]]:
    """Positions, among the leaves of a call, of those in donated arguments, and the leaves."""
    found: list[tuple[int, Any]] = []
    position = 0
    for number, argument in enumerate(args):
        for leaf in flatten(argument):
            if isinstance(leaf, Tensor | np.ndarray):
                if number in argnums:
                    found.append((position, leaf))
                position += 1
    return found


def safe_to_give(leaves: list[Any], donated: list[tuple[int, Any]]) -> list[Any]:
    """The arrays of a call, with copies of donated ones that others can see."""
    arrays = list(leaves)
    counts: dict[int, int] = {}
    for array in arrays:
        counts[id(array)] = counts.get(id(array), 0) + 1
    for position, leaf in donated:
        array = arrays[position]
        shared = type(leaf) is Tensor and leaf._base is not None
        if shared or counts[id(array)] > 1 or not array.flags.writeable:
            arrays[position] = array.copy()
    return arrays


def take(donated: list[tuple[int, Any]]) -> None:
    """Make donated Tensors unusable, but for those of Variables."""
    for _, leaf in donated:
        if type(leaf) is Tensor and leaf._base is None:
            leaf._data = Donated()


def choose_memory(trace: Trace, positions: frozenset[int]) -> tuple[Trace, dict[Value, int]]:
    """For outputs, the donated input of the same size whose memory they take.

    An output that is made before the last operation that needs the input is copied there at the
    end.

    Returns
    -------
    trace : Trace
        With those copies.
    chosen : dict
        Positions of inputs, by outputs.
    """
    _, last = uses_of(trace)
    made = {value: n for n, op in enumerate(trace.operations) for value in op.results}
    free = [value for value in trace.inputs if value.kind == INPUT and value.source in positions]
    chosen: dict[Value, int] = {}
    operations, outputs = list(trace.operations), list(trace.outputs)
    for number, output in enumerate(outputs):
        fitting = [value for value in free if value.nbytes == output.nbytes]
        if output.kind != RESULT or not fitting:
            continue
        value = min(fitting, key=lambda value: last.get(value, -1))
        free.remove(value)
        if last.get(value, -1) >= made[output]:
            copy = copied(output)
            operations.append(copy)
            output = outputs[number] = copy.result
        chosen[output] = value.source
    result = with_operations(trace, operations)
    result.outputs = outputs
    return result, chosen
