"""A recorded call that runs in one native call."""

from __future__ import annotations

from collections.abc import Callable
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np

from tapegrad._core.variable import _COUNT_WHEN_ALONE
from tapegrad._jit.description import describe
from tapegrad._jit.host import HostCall
from tapegrad._jit.memory import Piece
from tapegrad._jit.profiling import Profile, profile
from tapegrad._jit.signature import flatten_call
from tapegrad._jit.trace import Operation, Trace, Value
from tapegrad_kernels._compile import get_num_threads
from tapegrad_kernels._compile.pool import pool
from tapegrad_kernels.cpu.program import Frame, Layout, Operand
from tapegrad_kernels.cpu.program.chains import compile_chain, is_compiled, wait
from tapegrad_kernels.cpu.program.operand import ARENA

Array = np.ndarray[Any, Any]


class OutputPlace(NamedTuple):
    """An output: the buffer that stands for its memory, and what to allocate."""

    buffer: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    donated: int | None
    """The input whose memory it takes, if one was donated."""


class Step(NamedTuple):
    """An operation of a program, as rows of the table or as a call from Python."""

    operation: Operation
    first: int
    stop: int
    host: HostCall
    native: bool
    reason: str


class _Run:
    """What one run at a time needs: the frame, and the arrays behind its buffers."""

    __slots__ = ("arrays", "frame")

    def __init__(self, frame: Frame, buffers: int) -> None:
        self.frame = frame
        self.arrays: list[Any] = [None] * buffers


class Plan:
    """A trace with places for its values and rows for its operations.

    Attributes
    ----------
    trace : Trace
        The operations, after all passes.
    steps : list of Step
        What the operations became; views need none.
    placements : dict
        Where each buffer of the arena begins.
    pieces : list of Piece
        How long each is needed, by the numbers of the trace's operations.
    pending : list of Chain
        Fused loops that are not compiled yet, so that they run in blocks.
    """

    def __init__(
        self,
        *,
        trace: Trace,
        layout: Layout,
        steps: list[Step],
        arena_bytes: int,
        buffers: int,
        placements: dict[int, int],
        pieces: list[Piece],
        inputs: list[tuple[int, int]],
        variables: list[tuple[int, Any]],
        constants: list[tuple[int, Array]],
        outputs: list[OutputPlace],
        operands: dict[Value, Operand],
        pending: list[Any],
    ) -> None:
        self.trace = trace
        self.steps = steps
        self.arena_bytes = arena_bytes
        self.inputs = inputs
        self.variables = variables
        self.constants = constants
        self.outputs = outputs
        self.operands = operands
        self.placements = placements
        self.pieces = pieces
        self.pending = pending
        self.layout = layout
        self._buffers = buffers
        self._flats = list(trace.flats)
        written = {id(v.source): v.source for op in trace.operations for v in op.written}
        self._written = list(written.values())
        self.segments = _segments(steps)
        self._borrowed = [n for n, _ in inputs] + [place.buffer for place in outputs]
        self._parallel = layout.may_run_in_parallel
        self._idle: list[_Run] = []

    @property
    def is_native(self) -> bool:
        """Whether nothing is called from Python, so that a run is one native call."""
        return all(step.native for step in self.steps)

    # ---- running ---------------------------------------------------------------------

    def run(self, inputs: list[Array]) -> list[Array]:
        """Run once; see `Program.run`."""
        run = self.begin()
        results = self.bind(run, inputs)
        self.execute(run)
        arrays = run.arrays
        for number in self._borrowed:  # frames wait for the next call, and would keep them alive
            arrays[number] = None
        self._idle.append(run)
        return results

    def bind(self, run: _Run, inputs: list[Array]) -> list[Array]:
        """Give a run its inputs, and new arrays for its outputs, which are returned."""
        arrays, bases = run.arrays, run.frame.bases
        for number, position in self.inputs:
            array = arrays[number] = inputs[position]
            bases[number] = id(array)
        results = []
        for number, shape, dtype, donated in self.outputs:
            if donated is None:
                array = np.empty(shape, dtype)
            else:
                array = inputs[donated].reshape(-1).view(dtype).reshape(shape)
            arrays[number] = array
            bases[number] = id(array)
            results.append(array)
        return results

    def begin(self) -> _Run:
        """A frame that no other run uses, with the addresses of all Variables."""
        self.prepare()
        return self.take_frame()

    def prepare(self) -> None:
        """Leave Variables that will be written to nobody else, and wake threads."""
        for flat in self._flats:
            flat.prepare_write()
        for variable in self._written:
            # What `Variable._is_shared` says, without a call: this runs at every step.
            if getrefcount(variable._tensor) > _COUNT_WHEN_ALONE:
                variable._prepare_write()
        if self._parallel and not pool.all_awake:
            pool.wake(get_num_threads())

    def take_frame(self) -> _Run:
        """A frame that no other run uses, with the addresses that Variables have now."""
        try:
            run = self._idle.pop()
        except IndexError:
            run = self._new_run()
        arrays = run.arrays
        for number, variable in self.variables:
            data = variable._tensor._data
            if arrays[number] is not data:
                arrays[number] = data
                run.frame.bases[number] = id(data)
        return run

    def end(self, run: _Run) -> None:
        """Give a frame back."""
        self._idle.append(run)

    def _new_run(self) -> _Run:
        frame = self.layout.frame(self.arena_bytes, self._buffers)
        run = _Run(frame, self._buffers)
        for number, array in self.constants:
            run.arrays[number] = array
            frame.bases[number] = id(array)
        return run

    def execute(self, run: _Run) -> None:
        """Run all operations once."""
        frame = run.frame
        for segment in self.segments:
            if type(segment) is tuple:
                if frame.run(*segment) != 1:
                    self.raise_error(run)
            else:
                segment(lambda operand: self.resolve(run, operand))

    def execute_step(self, run: _Run, step: Step) -> None:
        """Run one operation."""
        if not step.native:
            step.host(lambda operand: self.resolve(run, operand))
        elif run.frame.run(step.first, step.stop) != 1:
            self.raise_error(run)

    def repeat(self, run: _Run, first: int, count: int) -> None:
        """Run all operations for steps `first` up to `first` + `count`."""
        frame = run.frame
        frame.step = first
        if self.is_native:
            rows = self.segments[0] if self.segments else (0, 0)
            if frame.run(*rows, repetitions=count) != count:
                self.raise_error(run)
            return
        for step in range(first, first + count):
            for segment in self.segments:
                frame.step = step
                if type(segment) is not tuple:
                    segment(lambda operand: self.resolve(run, operand))
                elif frame.run(*segment) != 1:
                    self.raise_error(run)

    def take_turns(
        self, run: _Run, steps: int, other: Plan, other_run: _Run, other_steps: int, turns: int
    ) -> None:
        """Run so many steps, then those of another plan, and so on, from their steps 0 on."""
        run.frame.step = other_run.frame.step = 0
        first, stop = self.segments[0] if self.segments else (0, 0)
        begin, end = other.segments[0] if other.segments else (0, 0)
        done = run.frame.take_turns(
            (first, stop, steps), other_run.frame, (begin, end, other_steps), turns
        )
        if done != 2 * turns:
            plan, failed = ((self, run), (other, other_run))[done % 2]
            plan.raise_error(failed)

    def resolve(self, run: _Run, operand: Operand) -> Array:
        """The array of an operand, over the memory of a run."""
        offset = self.placements.get(operand.buffer)
        if offset is not None:
            begin = offset + operand.offset
            return run.frame.array(
                Operand(ARENA, begin, operand.shape, operand.dtype, operand.strides)
            )
        array = run.arrays[operand.buffer]
        if array.flags.c_contiguous:
            memory: Any = array.reshape(-1).view(np.uint8)
            made: Any = np.ndarray(
                operand.shape, operand.dtype, memory, operand.offset, operand.strides
            )
            return made
        if operand.offset == 0 and operand.shape == array.shape:
            return array.view()
        raise AssertionError(f"jit: a view of a Variable of strides {array.strides}")

    def raise_error(self, run: _Run) -> None:
        """Have the operation whose row set the status raise its error."""
        row, status = run.frame.failed_row, run.frame.status
        step = next(s for s in self.steps if s.native and s.first <= row < s.stop)
        step.host(lambda operand: self.resolve(run, operand))
        raise RuntimeError(
            f"jit: {step.operation.name} refused its values (status {status}), and its ordinary "
            "call did not; please report this"
        )


class Program:
    """A recorded call that runs in one native call.

    Programs are made and run by `tapegrad.jit`; here they can be looked at.

    Parameters
    ----------
    make : callable
        Lays the recorded call out. It is called again when loops that were fused have been
        compiled in the background; until then they run in blocks, with the same results.
    """

    def __init__(self, make: Callable[[], Plan]) -> None:
        self._make: Callable[[], Plan] | None = make
        self.plan = make()
        self._runs = 0
        self._look_at = 8
        self._started = False
        if not self.plan.pending:
            self._make = None

    def run(self, inputs: list[Array]) -> list[Array]:
        """Run once.

        Parameters
        ----------
        inputs : list of ndarray
            In C order, with the shapes and dtypes of the recorded call.

        Returns
        -------
        list of ndarray
            New arrays.
        """
        if self._make is not None:
            self._renew()
        return self.plan.run(inputs)

    def current(self) -> Plan:
        """The plan to run now."""
        if self._make is not None:
            self._renew()
        return self.plan

    def _renew(self) -> None:
        """Lay out again if all loops are compiled now; asked ever more rarely."""
        self._runs += 1
        if not self._started:
            self._started = True
            for chain in self.plan.pending:
                compile_chain(chain)
        if self._runs < self._look_at:
            return
        self._look_at += min(self._look_at, 256)
        make = self._make
        if make is not None and all(is_compiled(chain) for chain in self.plan.pending):
            self.plan, self._make = make(), None

    def finish(self) -> None:
        """Wait until all loops are compiled, and lay out with them."""
        make = self._make
        if make is not None:
            for chain in self.plan.pending:
                compile_chain(chain)
            wait()
            self.plan, self._make = make(), None

    # ---- looking at it ---------------------------------------------------------------

    def describe(self) -> str:
        """The operations, what was fused, and where everything lies, as a table.

        Examples
        --------
        >>> import tapegrad as tg
        >>> @tg.jit
        ... def energy(x):
        ...     return (x * x).sum()
        >>> print(energy.program(tg.tensor([1.0, 2.0])).describe())  # doctest: +ELLIPSIS
        2 operations, 2 of them native in 2 rows; 1 input, 1 output, 0 Variables in 0 B
        arena of temporaries ...
        """
        return describe(self.plan)

    def profile(self, *args: Any, repeats: int = 20) -> Profile:
        """Time each operation.

        Parameters
        ----------
        *args
            Tensors or arrays, as the recorded function takes them. Effects happen: Variables
            are written in each run.
        repeats : int, default 20
            Runs; the shortest time of each operation counts.

        Returns
        -------
        Profile
            A list that prints as a table, the longest first.
        """
        leaves = flatten_call(args, {})[1]
        expected = [(value.shape, value.dtype) for value in self.trace.inputs]
        if [(leaf.shape, leaf.dtype) for leaf in leaves] != expected:
            raise ValueError(f"profile: expected tensors of {expected}")
        return profile(self.plan, leaves, repeats)

    @property
    def steps(self) -> list[Step]:
        """The operations, as rows or calls from Python."""
        return self.plan.steps

    @property
    def trace(self) -> Trace:
        """The operations, after all passes."""
        return self.plan.trace

    @property
    def arena_bytes(self) -> int:
        """Bytes of all that is temporary."""
        return self.plan.arena_bytes


def _segments(steps: list[Step]) -> list[Any]:
    """Ranges of rows that run together, and calls from Python between them."""
    segments: list[Any] = []
    for step in steps:
        if not step.native:
            segments.append(step.host)
        elif step.first == step.stop:
            continue
        elif segments and type(segments[-1]) is tuple:
            segments[-1] = segments[-1][0], step.stop
        else:
            segments.append((step.first, step.stop))
    return segments
