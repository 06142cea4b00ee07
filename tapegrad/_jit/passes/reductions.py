"""Sums of what chains compute, piece by piece.

A value that only a ``sum``, a ``mean`` or the sum that undoes a broadcast needs is never written
to memory as a whole: it is added up while it lies in the cache.
"""

from __future__ import annotations

from typing import Any

from tapegrad._core.primitive import Primitive
from tapegrad._jit.passes.fusion import as_chain, chain_forward, shapes_of_others, users_of
from tapegrad._jit.passes.rewriting import is_known, with_operations
from tapegrad._jit.passes.scheduling import effect_free_parts
from tapegrad._jit.trace import Operation, Trace, Value

_REDUCTIONS = frozenset({"sum", "mean", "sum_to_shape"})


def _forward(*data: Any, chain: Any, summed: int, shape: Any, reduction: str, how: Any) -> Any:
    """What the rows compute, by the separate kernels."""
    from tapegrad_kernels import cpu
    from tapegrad_kernels.cpu.program.chains.sums import summed_axes

    results = list(chain_forward(*data, chain=chain))
    x = results.pop(summed)
    axes = summed_axes(reduction, shape, how)
    total = getattr(cpu, "mean" if reduction == "mean" else "sum")(x.reshape(shape), axis=axes)
    if reduction == "sum_to_shape":
        total = total.reshape(how["shape"])
    elif how.get("keepdims"):
        total = total.reshape([1 if i in axes else n for i, n in enumerate(shape)])
    return (*results, total)


CHAIN_SUM = Primitive("chain_sum", saves="none", forward=_forward)
"""What programs do in place of a chain and a reduction. It is no operation of users."""


def sum_chains(trace: Trace) -> Trace:
    """Join chains, or single elementwise operations, with a reduction of what they give."""
    aliases, users = shapes_of_others(trace), users_of(trace)
    operations: list[Operation] = []
    for part in effect_free_parts(trace.operations):
        operations += _sum_part(part, aliases, users)
    return with_operations(trace, operations)


def _sum_part(
    part: list[Operation], aliases: dict[Value, Value], users: dict[Value, list[int]]
) -> list[Operation]:
    maker = {value: number for number, op in enumerate(part) for value in op.results}
    operations: list[Operation | None] = list(part)
    for number, operation in enumerate(part):
        found = _summed(operation, part, maker, users)
        if found is None:
            continue
        value, between = found
        before = operations[maker[value]]
        chain = None if before is None else as_chain(before, aliases, users)
        if chain is None:  # no chain, or one that has its reduction
            continue
        # The reduction needs nothing else, and can come as early as the chain.
        operations[maker[value]] = _joined(chain, value, operation)
        for gone in (number, *between):
            operations[gone] = None
    return [operation for operation in operations if operation is not None]


def _summed(
    operation: Operation,
    part: list[Operation],
    maker: dict[Value, int],
    users: dict[Value, list[int]],
) -> tuple[Value, list[int]] | None:
    """What a reduction alone needs, and the numbers of changes of its shape in between."""
    from tapegrad_kernels.cpu.program.chains.sums import can_be_summed, summed_axes

    if operation.name not in _REDUCTIONS or not is_known(operation):
        return None
    value = operation.arguments[0]
    if type(value) is not Value or value not in maker or users[value] != [id(operation)]:
        return None
    axes = summed_axes(operation.name, value.shape, operation.params)
    if value.dtype != operation.result.dtype or not can_be_summed(value.dtype, value.shape, axes):
        return None
    between: list[int] = []
    while (before := part[maker[value]]).name == "reshape" and is_known(before):
        source = before.arguments[0]
        if type(source) is not Value or source not in maker or users[source] != [id(before)]:
            return None
        between.append(maker[value])
        value = source
    return value, between


def _joined(chain: Operation, value: Value, reduction: Operation) -> Operation:
    """One operation in place of a chain and a reduction of one of its results."""
    results = list(chain.results)
    summed = results.index(value)
    results.pop(summed)
    params = {
        "chain": chain.params["chain"],
        "summed": summed,
        "shape": reduction.arguments[0].shape,
        "reduction": reduction.name,
        "how": reduction.params,
    }
    return Operation(CHAIN_SUM, chain.arguments, params, (*results, reduction.result))


__all__ = ["CHAIN_SUM", "sum_chains"]
