"""A recorded call that runs in one native call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tapegrad._jit.host import HostCall
from tapegrad._jit.trace import Operation, Trace
from tapegrad_kernels.cpu.program import Frame, Layout, Operand
from tapegrad_kernels.cpu.program.operand import ARENA

Array = np.ndarray[Any, Any]


class OutputPlace(NamedTuple):
    """An output: the buffer that stands for its memory, and what to allocate."""

    buffer: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Step(NamedTuple):
    """An operation of a program, as rows of the table or as a call from Python."""

    operation: Operation
    first: int
    stop: int
    host: HostCall
    native: bool
    reason: str


def address_of(array: Array) -> int:
    """Address of the first element."""
    return array.__array_interface__["data"][0]


class _Run:
    """What one run at a time needs: the frame, and the arrays behind its buffers."""

    __slots__ = ("arrays", "frame")

    def __init__(self, frame: Frame, buffers: int) -> None:
        self.frame = frame
        self.arrays: list[Any] = [None] * buffers


class Program:
    """A trace with places for its values and rows for its operations.

    Programs are run by `tapegrad.jit`; here they can be looked at.

    Attributes
    ----------
    trace : Trace
        The operations, after all passes.
    steps : list of Step
        What the operations became; views need none.
    arena_bytes : int
        Bytes of all that is temporary.
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
        inputs: list[tuple[int, int]],
        variables: list[tuple[int, Any]],
        constants: list[tuple[int, Array]],
        outputs: list[OutputPlace],
    ) -> None:
        self.trace = trace
        self.steps = steps
        self.arena_bytes = arena_bytes
        self._layout = layout
        self._buffers = buffers
        self._placements = placements
        self._inputs = inputs
        self._variables = variables
        self._constants = constants
        self._outputs = outputs
        self._flats = list(trace.flats)
        written = {id(v.source): v.source for op in trace.operations for v in op.written}
        self._written = list(written.values())
        self._rows = max((step.stop for step in steps if step.native), default=0)
        self._segments = _segments(steps)
        self._idle: list[_Run] = []

    # ---- running ---------------------------------------------------------------------

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
        run = self._begin()
        arrays, bases = run.arrays, run.frame.bases
        for number, position in self._inputs:
            array = arrays[number] = inputs[position]
            bases[number] = array.__array_interface__["data"][0]
        results = []
        for number, shape, dtype in self._outputs:
            array = arrays[number] = np.empty(shape, dtype)
            bases[number] = array.__array_interface__["data"][0]
            results.append(array)
        self._execute(run)
        self._idle.append(run)
        return results

    def _begin(self) -> _Run:
        """A frame that no other run uses, with the addresses of all Variables."""
        for flat in self._flats:
            flat.prepare_write()
        for variable in self._written:
            variable._prepare_write()
        try:
            run = self._idle.pop()
        except IndexError:
            run = self._new_run()
        arrays = run.arrays
        for number, variable in self._variables:
            data = variable._tensor._data
            if arrays[number] is not data:
                arrays[number] = data
                run.frame.bases[number] = address_of(data)
        return run

    def _new_run(self) -> _Run:
        frame = self._layout.frame(self.arena_bytes, self._buffers)
        run = _Run(frame, self._buffers)
        for number, array in self._constants:
            run.arrays[number] = array
            frame.bases[number] = address_of(array)
        return run

    def _execute(self, run: _Run) -> None:
        frame = run.frame
        if len(self._segments) == 1 and type(self._segments[0]) is tuple:
            first, stop = self._segments[0]
            if frame.run(first, stop) != 1:
                self._raise(run)
            return
        for segment in self._segments:
            if isinstance(segment, HostCall):
                segment(lambda operand: self._resolve(run, operand))
            elif frame.run(*segment) != 1:
                self._raise(run)

    def _resolve(self, run: _Run, operand: Operand) -> Array:
        """The array of an operand, over the memory of a run."""
        offset = self._placements.get(operand.buffer)
        if offset is not None:
            return run.frame.array(
                Operand(
                    ARENA, offset + operand.offset, operand.shape, operand.dtype, operand.strides
                )
            )
        array = run.arrays[operand.buffer]
        flat = array.reshape(-1).view(np.uint8)
        if not np.may_share_memory(flat, array):
            flat = np.lib.stride_tricks.as_strided(array, (1,), (array.itemsize,)).view(np.uint8)
        made: Any = np.ndarray(operand.shape, operand.dtype, flat, operand.offset, operand.strides)
        return made

    def _raise(self, run: _Run) -> None:
        """Have the operation whose row set the status raise its error."""
        row, status = run.frame.failed_row, run.frame.status
        step = next(s for s in self.steps if s.native and s.first <= row < s.stop)
        step.host(lambda operand: self._resolve(run, operand))
        raise RuntimeError(
            f"jit: {step.operation.name} refused its values (status {status}), and its ordinary "
            "call did not; please report this"
        )


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
