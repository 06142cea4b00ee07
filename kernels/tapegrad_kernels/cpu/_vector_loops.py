"""Loops over rows and columns of a matrix in whole vectors, as intrinsics.

The compiler's vectoriser unrolls a loop for long trip counts, and leaves a row of
32 elements to its scalar remainder. The two loops here are written in vectors: the
part of a row that fills no vector is loaded and stored under a mask. What they do
with each vector is a `Step`, a few lines that emit the arithmetic.

`row_loop` runs along a row and can reduce it to sums. `column_loop` runs down the
columns, with the columns' sums and parameters in registers. In both, the order in
which numbers are added depends on the lengths alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype, types

from tapegrad_kernels._compile import features
from tapegrad_kernels._compile.intrinsic import intrinsic
from tapegrad_kernels.cpu.simd import ITEM_SIZE, POINTER, VectorWriter, int64

Step = Callable[..., tuple[Sequence[Any], Any]]
"""``step(writer, sums, inputs, parameters) -> (sums, output)`` on vectors; `output` is None
where nothing is written."""

# Accumulators that hide the latency of an addition; columns whose sums stay in registers.
_UNROLL = 4


def _lanes(real: str) -> int:
    return features.vector_bits() // (8 * ITEM_SIZE[real])


def _add(w: VectorWriter, left: Any, right: Any) -> Any:
    return w.builder.fadd(left, right)


def larger(w: VectorWriter, left: Any, right: Any) -> Any:
    """The larger of each pair of lanes; `right` where one of them is NaN."""
    return w.builder.select(w.builder.fcmp_ordered(">", left, right), left, right)


def _across(w: VectorWriter, vector: Any, merge: Any) -> Any:
    """All lanes of a vector merged into one number, halving the vector each time."""
    distance = w.lanes // 2
    while distance:
        lanes = [(i + distance) % w.lanes for i in range(w.lanes)]
        vector = merge(w, vector, w.shuffle(vector, w.undefined, lanes))
        distance //= 2
    return w.builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


def _elements(builder: Any, packed: Any, count: int) -> list[Any]:
    return [builder.extract_value(packed, i) for i in range(count)]


def _pointers(builder: Any, packed: Any, count: int) -> list[Any]:
    return [builder.inttoptr(address, POINTER) for address in _elements(builder, packed, count)]


class _Access:
    """Loads and stores at one offset, of whole vectors or of masked lanes."""

    def __init__(self, w: VectorWriter, offset: Any, mask: Any = None) -> None:
        self.w, self.offset, self.mask = w, offset, mask

    def load(self, pointer: Any) -> Any:
        place = self.w.at(pointer, self.offset)
        return self.w.load(place) if self.mask is None else self.w.load_masked(place, self.mask)

    def store(self, vector: Any, pointer: Any) -> None:
        place = self.w.at(pointer, self.offset)
        if self.mask is None:
            self.w.store(vector, place)
        else:
            self.w.store_masked(vector, place, self.mask)

    def keep(self, old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
        """New sums in the lanes that exist."""
        if self.mask is None:
            return list(new)
        return [self.w.builder.select(self.mask, n, o) for o, n in zip(old, new, strict=True)]


def row_loop(
    real: str,
    step: Step,
    *,
    inputs: int,
    scalars: int = 0,
    sums: int = 0,
    start: float = 0.0,
    merge: Any = _add,
    writes: bool = False,
) -> Any:
    """An intrinsic ``(addresses, count, scalars)`` that visits `count` elements of each row.

    Parameters
    ----------
    real : {"float32", "float64"}
        Element type.
    step : Step
        What is done with the vectors of one place; its parameters are the scalars.
    inputs : int
        Rows that are read. Their addresses come first in the tuple, then that of the row
        that is written, if one is.
    scalars : int
        Numbers of type `real` in the third argument.
    sums : int
        Accumulators, each a vector whose lanes begin with `start` and are merged in the end.
        The intrinsic returns them as a tuple; without any it returns nothing.
    start : float
        Where they begin.
    merge : callable
        Merges two vectors of a sum into one, by default by addition.
    writes : bool
        Whether the step's output is stored.
    """
    kind = from_dtype(np.dtype(real))

    @intrinsic
    def visit(typing_context: Any, addresses: Any, count: Any, parameters: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            w = VectorWriter(builder.module, builder, real, _lanes(real))
            pointers = _pointers(builder, arguments[0], inputs + writes)
            values = [w.splat(value) for value in _elements(builder, arguments[2], scalars)]
            length = arguments[1]
            width = w.lanes * w.size

            def at_place(access: _Access, totals: Sequence[Any]) -> list[Any]:
                loaded = [access.load(pointer) for pointer in pointers[:inputs]]
                changed, output = step(w, totals, loaded, values)
                if writes:
                    access.store(output, pointers[-1])
                return access.keep(totals, changed)

            def several(state: list[Any]) -> list[Any]:
                offset, totals = state[0], state[1:]
                following = []
                for i in range(_UNROLL):
                    here = _Access(w, builder.add(offset, int64(i * width)))
                    following += at_place(here, totals[i * sums : (i + 1) * sums])
                return [builder.add(offset, int64(_UNROLL * width)), *following]

            def single(state: list[Any]) -> list[Any]:
                following = at_place(_Access(w, state[0]), state[1:])
                return [builder.add(state[0], int64(width)), *following]

            first = ir.Constant(w.vector, [start] * w.lanes)
            vectors = builder.sdiv(length, int64(w.lanes))
            state = [int64(0), *[first] * (_UNROLL * sums)]
            state = w.loop(builder.sdiv(vectors, int64(_UNROLL)), state, several, "several")
            totals = state[1:]
            while len(totals) > sums:
                half = len(totals) // 2
                totals = [merge(w, a, b) for a, b in zip(totals[:half], totals[half:], strict=True)]
            state = [state[0], *totals]
            state = w.loop(builder.srem(vectors, int64(_UNROLL)), state, single, "single")
            left = builder.srem(length, int64(w.lanes))

            def tail(totals: Sequence[Any]) -> Sequence[Any]:
                return at_place(_Access(w, state[0], w.lanes_below(left)), totals)

            totals = w.when(builder.icmp_signed(">", left, int64(0)), state[1:], tail, "tail")
            if not sums:
                return context.get_dummy_value()
            merged = [_across(w, total, merge) for total in totals]
            return context.make_tuple(builder, signature.return_type, merged)

        result = types.UniTuple(kind, sums) if sums else types.void
        return result(addresses, types.int64, parameters), generate

    return visit


def column_loop(
    real: str,
    step: Step,
    *,
    inputs: int,
    parameters: int = 0,
    by_row: int = 0,
    sums: int = 0,
    writes: bool = False,
) -> Any:
    """An intrinsic that runs down the columns of row-major matrices.

    Its arguments are ``(addresses, rows, columns, stride, parameters, row_values, totals)``:
    tuples of addresses, and in between the extent of the matrices and the distance of their
    rows, in elements.

    Parameters
    ----------
    real : {"float32", "float64"}
        Element type.
    step : Step
        What is done with the vectors of one place; its parameters are those of the columns
        and then the values of the row.
    inputs : int
        Matrices that are read; the address of the one that is written follows, if one is.
    parameters : int
        Arrays with a number for each column, in registers while the rows pass.
    by_row : int
        Arrays with a number for each row.
    sums : int
        Arrays with a number for each column, to which the columns' sums are added.
    writes : bool
        Whether the step's output is stored.
    """

    @intrinsic
    def visit(  # type: ignore[no-untyped-def]
        typing_context,  # pyright: ignore[reportUnusedParameter]
        addresses,
        rows,
        columns,
        stride,
        parameter_addresses,
        row_addresses,
        total_addresses,
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            w = VectorWriter(builder.module, builder, real, _lanes(real))
            pointers = _pointers(builder, arguments[0], inputs + writes)
            height, width = arguments[1], arguments[2]
            distance = builder.mul(arguments[3], int64(w.size))
            constants = _pointers(builder, arguments[4], parameters)
            row_pointers = _pointers(builder, arguments[5], by_row)
            sum_pointers = _pointers(builder, arguments[6], sums)
            bytes_of_vector = w.lanes * w.size

            def down(offset: Any, count: int, mask: Any = None) -> None:
                """Visit all rows of the `count` vectors of columns that begin at `offset`."""
                across = [
                    _Access(w, builder.add(offset, int64(i * bytes_of_vector)), mask)
                    for i in range(count)
                ]
                held = [[access.load(pointer) for pointer in constants] for access in across]
                first = [access.load(pointer) for access in across for pointer in sum_pointers]

                def row(state: list[Any]) -> list[Any]:
                    row_offset, element, totals = state[0], state[1], state[2:]
                    values = [
                        w.splat(w.load_element(w.at(pointer, element))) for pointer in row_pointers
                    ]
                    following: list[Any] = []
                    for i, access in enumerate(across):
                        place = _Access(w, builder.add(row_offset, access.offset), mask)
                        loaded = [place.load(pointer) for pointer in pointers[:inputs]]
                        mine = totals[i * sums : (i + 1) * sums]
                        changed, output = step(w, mine, loaded, held[i] + values)
                        following += changed
                        if writes:
                            place.store(output, pointers[-1])
                    next_element = builder.add(element, int64(w.size))
                    return [builder.add(row_offset, distance), next_element, *following]

                state = w.loop(height, [int64(0), int64(0), *first], row, "row")
                for i, access in enumerate(across):
                    for j, pointer in enumerate(sum_pointers):
                        access.store(state[2 + i * sums + j], pointer)

            def several(state: list[Any]) -> list[Any]:
                down(state[0], _UNROLL)
                return [builder.add(state[0], int64(_UNROLL * bytes_of_vector))]

            def single(state: list[Any]) -> list[Any]:
                down(state[0], 1)
                return [builder.add(state[0], int64(bytes_of_vector))]

            vectors = builder.sdiv(width, int64(w.lanes))
            state = w.loop(builder.sdiv(vectors, int64(_UNROLL)), [int64(0)], several, "several")
            state = w.loop(builder.srem(vectors, int64(_UNROLL)), state, single, "single")
            left = builder.srem(width, int64(w.lanes))

            def tail(nothing: Sequence[Any]) -> Sequence[Any]:
                down(state[0], 1, w.lanes_below(left))
                return nothing

            w.when(builder.icmp_signed(">", left, int64(0)), [], tail, "tail")
            return context.get_dummy_value()

        signature = types.void(
            addresses,
            types.int64,
            types.int64,
            types.int64,
            parameter_addresses,
            row_addresses,
            total_addresses,
        )
        return signature, generate

    return visit
