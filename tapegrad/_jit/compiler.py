"""From a trace to a program: places for all values, rows for all operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.custom import CustomPrimitive
from tapegrad._jit.donation import choose_memory
from tapegrad._jit.hazards import copied, copy_overwritten
from tapegrad._jit.host import HostCall
from tapegrad._jit.memory import Piece, lay_out
from tapegrad._jit.passes.common import share_common_subexpressions
from tapegrad._jit.passes.constants import fold_constants
from tapegrad._jit.passes.dead_code import drop_dead_code
from tapegrad._jit.passes.epilogues import fold_epilogues
from tapegrad._jit.passes.fusion import CHAIN, fuse_chains
from tapegrad._jit.passes.pooled_convolutions import pool_convolutions
from tapegrad._jit.passes.pooled_gradients import fuse_pooled_gradients
from tapegrad._jit.passes.reductions import CHAIN_SUM, sum_chains
from tapegrad._jit.passes.rewriting import with_operations
from tapegrad._jit.program import OutputPlace, Plan, Program, Step
from tapegrad._jit.segments import find_segments
from tapegrad._jit.trace import CONSTANT, INPUT, VARIABLE, Operation, Trace, Value, leaves
from tapegrad._jit.views import view_of
from tapegrad_kernels.cpu.program import Builder, Layout, NotNative, Operand
from tapegrad_kernels.cpu.program.batches import lower_gather_batch, lower_store_batch
from tapegrad_kernels.cpu.program.chains import lower_chain
from tapegrad_kernels.cpu.program.chains.sums import lower_chain_sum
from tapegrad_kernels.cpu.program.lowering import lower
from tapegrad_kernels.cpu.program.operand import FIRST_FREE


def simplified(trace: Trace) -> Trace:
    """The trace after all passes."""
    trace = drop_dead_code(trace)
    trace = fold_constants(trace)
    trace = share_common_subexpressions(trace)
    trace = fold_epilogues(drop_dead_code(trace))
    trace = pool_convolutions(drop_dead_code(fuse_pooled_gradients(trace)))
    trace = copy_overwritten(trace)
    return drop_dead_code(sum_chains(fuse_chains(with_own_outputs(trace))))


def with_own_outputs(trace: Trace) -> Trace:
    """A trace whose outputs are results of their own: no arguments, Variables or views."""
    made_by = {value: op for op in trace.operations for value in op.results}
    taken: set[Value] = set()
    operations, outputs = list(trace.operations), []
    for value in trace.outputs:
        maker = made_by.get(value)
        if maker is None or maker.primitive.view or value in taken:
            copy = copied(value)
            operations.append(copy)
            value = copy.result
        taken.add(value)
        outputs.append(value)
    made = with_operations(trace, operations)
    made.outputs = outputs
    return made


def compile_trace(trace: Trace, donated: frozenset[int] = frozenset()) -> Program:
    """Turn a recorded call into a program; `donated` inputs may be overwritten."""
    ready = simplified(trace)
    return Program(lambda: Compiler(ready, donated).compile())


class Compiler:
    """Lays out one trace.

    Every value that is not a view of another lies in a buffer of its own. Buffers of inputs,
    outputs, Variables and constants get their addresses when the program runs; all others are
    placed in the arena, by the operations between which they are needed.
    """

    def __init__(self, trace: Trace, donated: frozenset[int] = frozenset()) -> None:
        self.trace, self._in_donated = choose_memory(trace, donated)
        self.operands: dict[Value, Operand] = {}
        self._buffers = FIRST_FREE
        self._inputs: list[tuple[int, Value]] = []
        self._variables: list[tuple[int, Any]] = []
        self._constants: list[tuple[int, np.ndarray[Any, Any]]] = []
        self._outputs: dict[Value, OutputPlace] = {}
        self._pending: list[Any] = []
        self._sizes: dict[int, int] = {}
        """Bytes of each buffer of the arena."""
        self._lives: dict[int, tuple[int, int]] = {}
        """First and last operation that needs each buffer."""

    # ---- buffers ---------------------------------------------------------------------

    def _new_buffer(self) -> int:
        self._buffers += 1
        return self._buffers - 1

    def operand_of(self, value: Value) -> Operand:
        """Where a value lies; for one from outside the trace, a buffer is made at first."""
        found = self.operands.get(value)
        if found is not None:
            return found
        number = self._new_buffer()
        strides = None
        if value.kind == INPUT:
            self._inputs.append((number, value))
        elif value.kind == VARIABLE:
            self._variables.append((number, value.source))
            strides = value.source._tensor._data.strides
        elif value.kind == CONSTANT:
            array = value.source if value.shape == () else np.ascontiguousarray(value.source)
            self._constants.append((number, array))
        else:
            raise AssertionError(f"jit: {value} is used before it is computed")
        operand = Operand(number, 0, value.shape, value.dtype, strides)
        self.operands[value] = operand
        return operand

    def _place_result(self, value: Value) -> None:
        """A buffer for a result: memory of the caller's for outputs, else in the arena."""
        segment = self._segments.get(value)
        if segment is not None:
            whole = self.operand_of(segment.variable)
            self.operands[value] = Operand(whole.buffer, segment.offset, value.shape, value.dtype)
            return
        number = self._new_buffer()
        operand = Operand(number, 0, value.shape, value.dtype)
        self.operands[value] = operand
        if value in self._wanted:
            self._outputs[value] = OutputPlace(
                number, value.shape, value.dtype, self._in_donated.get(value)
            )
        else:
            self._sizes[number] = operand.nbytes

    def _touch(self, number: int, buffer: int) -> None:
        if buffer in self._sizes:
            first, _ = self._lives.get(buffer, (number, number))
            self._lives[buffer] = first, number

    # ---- operations ------------------------------------------------------------------

    def compile(self) -> Plan:
        """Lay out the trace."""
        self._wanted = set(self.trace.outputs)
        self._segments = find_segments(self.trace)
        layout = Layout()
        steps: list[Step] = []
        for number, operation in enumerate(self.trace.operations):
            inputs = [self.operand_of(value) for value in operation.inputs]
            if self._is_view(operation):
                continue
            for value in operation.results:
                self._place_result(value)
            touched = [*inputs, *(self.operands[value] for value in operation.results)]
            for operand in touched:
                self._touch(number, operand.buffer)
            steps.append(self._lowered(number, operation, layout))
        pieces = [Piece(key, size, *self._lives[key]) for key, size in self._sizes.items()]
        placements, arena_bytes = lay_out(pieces)
        layout.finish(placements)
        return Plan(
            trace=self.trace,
            layout=layout,
            steps=steps,
            arena_bytes=arena_bytes,
            buffers=self._buffers,
            placements=placements,
            pieces=pieces,
            inputs=[(number, value.source) for number, value in self._inputs],
            variables=self._variables,
            constants=self._constants,
            outputs=[self._outputs[value] for value in self.trace.outputs],
            operands=self.operands,
            pending=self._pending,
        )

    def _is_view(self, operation: Operation) -> bool:
        if not operation.primitive.view or type(operation.arguments[0]) is not Value:
            return False
        if type(operation.result) is not Value or operation.result in self._wanted:
            return False
        viewed = view_of(operation, self.operands[operation.arguments[0]])
        if viewed is None:
            return False
        self.operands[operation.result] = viewed
        return True

    def _lowered(self, number: int, operation: Operation, layout: Layout) -> Step:
        """Rows of an operation, or a call of its kernel from Python where there are none."""
        builder = Builder()
        host = HostCall(operation, self.operands)
        try:
            self._lower(builder, operation)
        except NotNative as reason:
            return Step(operation, 0, 0, host, False, str(reason))
        self._pending += builder.pending
        scratch = self._new_buffer()
        if builder.scratch_bytes:
            self._sizes[scratch] = builder.scratch_bytes
            self._lives[scratch] = number, number
            first, stop = layout.add(builder, -scratch)
        else:
            first, stop = layout.add(builder)
        return Step(operation, first, stop, host, True, "")

    def _lower(self, builder: Builder, operation: Operation) -> None:
        if isinstance(operation.primitive, CustomPrimitive):  # whatever its name is
            raise NotNative(operation.name)
        if any(True for value in operation.params.values() for _ in leaves(value)):
            raise NotNative("a parameter is a tensor")
        arguments = tuple([self._located(a) for a in operation.arguments])
        out: Any = None if operation.is_effect else self._located(operation.result)
        if operation.primitive is CHAIN:
            lower_chain(builder, out, arguments, operation.params["chain"])
            return
        if operation.primitive is CHAIN_SUM:
            lower_chain_sum(builder, out, arguments, **operation.params)
            return
        if operation.name == "gather_flat":
            arguments, params = self._still_to_gather(arguments, operation.params)
            lower(builder, operation.name, out, arguments, params)
            return
        if operation.name == "reshape":
            source = arguments[0]
            if not isinstance(source, Operand):
                raise NotNative("reshape of a number")
            builder.copy(source, out.view(source.shape))
            return
        if operation.name == "gather_batch":
            lower_gather_batch(builder, out, *arguments)
            return
        if operation.name == "store_batch":
            lower_store_batch(builder, *arguments)
            return
        lower(builder, operation.name, out, arguments, operation.params)

    def _still_to_gather(
        self, arguments: tuple[Any, ...], params: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arrays that do not lie in their segment of the buffer yet."""
        buffer, *arrays = arguments
        left = [
            (array, offset)
            for array, offset in zip(arrays, params["offsets"], strict=True)
            if (array.buffer, array.offset) != (buffer.buffer, offset * buffer.itemsize)
        ]
        offsets = tuple([offset for _, offset in left])
        return (buffer, *[array for array, _ in left]), {"offsets": offsets}

    def _located(self, part: Any) -> Any:
        if type(part) is Value:
            return self.operands[part]
        if type(part) is tuple:
            return tuple([self._located(p) for p in part])
        return part
