"""Chains of elementwise operations as one loop each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from tapegrad._core.primitive import Primitive
from tapegrad._jit.passes.rewriting import is_known, with_operations
from tapegrad._jit.passes.scheduling import Groups, effect_free_parts
from tapegrad._jit.trace import Operation, Trace, Value
from tapegrad_kernels.cpu.program.chains import Chain, Number, Step, is_fusible
from tapegrad_kernels.cpu.program.chains.description import MOST_ARRAYS

MOST_STEPS = 48
"""Steps of a chain: longer ones would not hold their values in registers."""
MOST_VALUES = 12
"""Inputs of a chain."""
LEAST_ELEMENTS = 2
"""Elements from which a loop pays."""


def chain_forward(*data: Any, chain: Chain) -> Any:
    """What the loop computes, by the separate kernels."""
    from tapegrad_kernels import cpu

    values = list(data)
    for step in chain.steps:
        given = [
            values[a] if isinstance(a, int) else a.value if isinstance(a, Number) else a
            for a in step.arguments
        ]
        values.append(getattr(cpu, step.name)(*given, **dict(step.params)))
    return tuple([values[position] for position in chain.outputs])


CHAIN = Primitive("chain", saves="none", forward=chain_forward)
"""What programs do in place of several elementwise operations. It is no operation of users."""


class _Use(NamedTuple):
    """How a step reads a value that lies outside of its chain."""

    value: Value
    kind: str
    columns: int | None
    """Length of the space's rows, if that matters."""


def fuse_chains(trace: Trace) -> Trace:
    """Join elementwise operations that feed one another into chains."""
    aliases = shapes_of_others(trace)
    fused: list[Operation] = []
    outside = users_of(trace)
    for part in effect_free_parts(trace.operations):
        fused += _fuse_part(part, aliases, outside)
    return with_operations(trace, fused)


def shapes_of_others(trace: Trace) -> dict[Value, Value]:
    """Results of operations that change the shape alone, by what they show."""
    found: dict[Value, Value] = {}
    for operation in trace.operations:
        if operation.name in ("reshape", "broadcast_to", "identity") and is_known(operation):
            source, result = operation.arguments[0], operation.result
            if type(source) is Value and source.dtype == result.dtype:
                found[result] = source
    return found


def users_of(trace: Trace) -> dict[Value, list[int]]:
    """The operations that need each value, by identity; outputs are needed by number 0."""
    users: dict[Value, list[int]] = {}
    for operation in trace.operations:
        for value in operation.inputs:
            users.setdefault(value, []).append(id(operation))
    for value in trace.outputs:
        users.setdefault(value, []).append(0)
    return users


class _Member(NamedTuple):
    """An operation that can be a step: what it reads in which way."""

    operation: Operation
    uses: tuple[Any, ...]
    """For each argument a `_Use`, a `Number` or None."""
    elements: int


def _member(operation: Operation, aliases: dict[Value, Value]) -> _Member | None:
    """The operation as a step, or None if it cannot be one."""
    result = operation.result
    if type(result) is not Value or operation.is_effect or not is_known(operation):
        return None
    elements = math.prod(result.shape)
    if elements < LEAST_ELEMENTS:
        return None
    kinds: list[Any] = []
    uses: list[Any] = []
    for argument in operation.arguments:
        if type(argument) is Value:
            kinds.append(argument.dtype)
            use = _use_of(argument, result.shape, aliases)
            if use is None:
                return None
            uses.append(use)
        elif argument is None:
            kinds.append(None)
            uses.append(None)
        elif type(argument) in (int, float, bool):
            kinds.append(Number(argument))
            uses.append(Number(argument))
        else:
            return None
    if not is_fusible(operation.name, tuple(kinds), operation.params):
        return None
    return _Member(operation, tuple(uses), elements)


def _use_of(value: Value, shape: tuple[int, ...], aliases: dict[Value, Value]) -> _Use | None:
    """How a value that is broadcast to a shape lies in the space of that shape.

    Changes of shape alone are looked through: in C order the elements stay where they are.
    """
    elements = math.prod(shape)
    if math.prod(value.shape) == elements:
        value = _behind(value, aliases)
        source = aliases.get(value)  # if there is one, it was broadcast
        if source is not None and (lies := _lies(source.shape, value.shape)) is not None:
            return _Use(_behind(source, aliases), *lies)
        return _Use(value, "full", None)
    lies = _lies(value.shape, shape)
    return None if lies is None else _Use(_behind(value, aliases), *lies)


def _behind(value: Value, aliases: dict[Value, Value]) -> Value:
    """The first value of which this one is another shape."""
    while value in aliases and math.prod(aliases[value].shape) == math.prod(value.shape):
        value = aliases[value]
    return value


def _lies(own: tuple[int, ...], shape: tuple[int, ...]) -> tuple[str, int | None] | None:
    """Kind and columns of a smaller array in the space of a shape, or None if it is neither."""
    if math.prod(own) == 1:
        return "scalar", None
    trimmed = own
    while trimmed[0] == 1:
        trimmed = trimmed[1:]
    if trimmed == shape[len(shape) - len(trimmed) :]:
        return "row", math.prod(trimmed)
    if len(own) == len(shape):
        end = len(shape)
        while own[end - 1] == 1:
            end -= 1
        if own[:end] == shape[:end]:
            return "column", math.prod(shape[end:])
    return None


def _fuse_part(
    part: list[Operation], aliases: dict[Value, Value], users: dict[Value, list[int]]
) -> list[Operation]:
    members = {id(op): member for op in part if (member := _member(op, aliases)) is not None}
    groups = Groups(part)
    for operation in part:
        member = members.get(id(operation))
        if member is None:
            continue
        for use in member.uses:
            if type(use) is not _Use or use.kind != "full":
                continue
            before = groups.maker(use.value)
            if before is None or id(before) not in members:
                continue
            joined = [members[id(op)] for op in groups.joined(before, operation)]
            if _fits(joined, users) and groups.may_join(before, operation):
                groups.join(before, operation)
    made: list[Operation] = []
    for group in groups.in_order():
        if len(group) == 1:
            made.append(group[0])
        else:
            made.append(_chain([members[id(op)] for op in group], users))
    return made


def _fits(members: list[_Member], users: dict[Value, list[int]]) -> bool:
    """Whether operations can share one space and one loop."""
    if len(members) > MOST_STEPS or len({member.elements for member in members}) != 1:
        return False
    results = {member.operation.result for member in members}
    outside = [u for m in members for u in m.uses if type(u) is _Use and u.value not in results]
    columns = {use.columns for use in outside if use.columns is not None}
    inputs = len({(use.value, use.kind) for use in outside})
    if len(columns) > 1 or inputs > MOST_VALUES:
        return False
    return inputs + len(_needed(members, users)) <= MOST_ARRAYS


def _needed(members: list[_Member], users: dict[Value, list[int]]) -> list[Value]:
    """The results that operations outside of a group need, or the caller."""
    own = {id(member.operation) for member in members}
    results = [member.operation.result for member in members]
    return [value for value in results if any(user not in own for user in users.get(value, ()))]


def as_chain(
    operation: Operation, aliases: dict[Value, Value], users: dict[Value, list[int]]
) -> Operation | None:
    """A chain, or an elementwise operation as a chain of one step; None for all others."""
    if operation.primitive is CHAIN:
        return operation
    member = _member(operation, aliases)
    return None if member is None else _chain([member], users)


def _chain(members: list[_Member], users: dict[Value, list[int]]) -> Operation:
    """One operation in place of several."""
    results = [member.operation.result for member in members]
    inputs: dict[tuple[Value, str], int] = {}
    for member in members:
        for use in member.uses:
            if type(use) is _Use and use.value not in results:
                inputs.setdefault((use.value, use.kind), len(inputs))
    place = {value: len(inputs) + number for number, value in enumerate(results)}

    def argument(use: Any) -> Any:
        if type(use) is not _Use:
            return use
        return place[use.value] if use.value in place else inputs[use.value, use.kind]

    steps = tuple(
        Step(
            member.operation.name,
            tuple([argument(use) for use in member.uses]),
            tuple(sorted(member.operation.params.items())),
            member.operation.result.dtype,
        )
        for member in members
    )
    needed = _needed(members, users)
    chain = Chain(
        tuple([value.dtype for value, _ in inputs]),
        tuple([kind for _, kind in inputs]),  # type: ignore[arg-type]
        steps,
        tuple([place[value] for value in needed]),
    )
    arguments = tuple([value for value, _ in inputs])
    return Operation(CHAIN, arguments, {"chain": chain}, tuple(needed))


def chains_of(operations: Iterable[Operation]) -> list[Chain]:
    """The chains among operations."""
    return [op.params["chain"] for op in operations if op.primitive is CHAIN]


__all__ = [
    "CHAIN",
    "as_chain",
    "chain_forward",
    "chains_of",
    "fuse_chains",
    "shapes_of_others",
    "users_of",
]
