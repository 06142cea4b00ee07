"""Many steps over batches of arrays in one native call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad._core.primitive import Effect, Primitive
from tapegrad._core.tensor import Tensor
from tapegrad._jit.compiler import Compiler, simplified
from tapegrad._jit.passes.rewriting import replaced, with_operations
from tapegrad._jit.program import Plan, Program
from tapegrad._jit.recorder import Recorder
from tapegrad._jit.trace import INPUT, RESULT, Operation, Trace, Value

Array = np.ndarray[Any, Any]


def _never(*data: Any) -> Any:
    raise AssertionError("gather_batch: has rows of its own")


GATHER_BATCH = Primitive("gather_batch", saves="none", forward=_never)
"""Rows of a source for the present step. It is no operation of users."""
STORE_BATCH = Effect("store_batch", mutates=())
"""Write what a step returns behind what the steps before it returned. It is internal too."""


class Recording:
    """A step that ran once, and what came of recording it.

    Attributes
    ----------
    trace : Trace or None
        None if the step cannot become a program, or not yet.
    failure : str or None
        Why it cannot, with the line.
    again : bool
        Whether the step made Variables, so that a later one should be recorded.
    """

    def __init__(self, step: Callable[..., None], batch: list[Array]) -> None:
        recorder = Recorder()
        tensors = [Tensor(array) for array in batch]
        for tensor in tensors:
            recorder.input(tensor)
        with recorder:
            step(*tensors)
        recorder.finish()
        self.again = recorder.created
        self.failure = None if recorder.created else recorder.failure
        usable = not recorder.created and recorder.failure is None
        self.trace: Trace | None = recorder.trace if usable else None


class EpochProgram:
    """A recorded step that runs over many batches in one native call.

    Parameters
    ----------
    trace : Trace
        A step whose inputs are batches. If it returns anything, each is a batch too.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> from tapegrad._jit.epoch import EpochProgram, Recording
    >>> total = tg.Variable(0.0, name="total")
    >>> x = np.arange(6, dtype="float32").reshape(6, 1)
    >>> recording = Recording(lambda batch: total.assign_add(batch.sum()), [x[:2]])
    >>> program = EpochProgram(recording.trace)
    >>> program.run([x], np.array([5, 4, 3, 2, 1, 0]), first=1, count=2)
    >>> total
    Variable('total', 7., dtype=float32)
    """

    def __init__(self, trace: Trace) -> None:
        self.batch_size = trace.inputs[0].shape[0]
        self._shapes = [(value.shape, value.dtype) for value in trace.inputs]
        self.results = [(value.shape, value.dtype) for value in trace.outputs]
        over_sources = _over_sources(simplified(trace))
        self.program = Program(lambda: Compiler(over_sources).compile())

    @property
    def is_native(self) -> bool:
        """Whether nothing is called from Python, so that many steps are one call."""
        return self.program.plan.is_native

    def run(
        self,
        sources: list[Array],
        order: Array,
        first: int,
        count: int,
        results: Sequence[Array] = (),
    ) -> None:
        """Run steps `first` up to `first` + `count`.

        Parameters
        ----------
        sources : list of ndarray
            The arrays from whose rows batches are made, in C order, with the dtypes and shapes
            that the recorded batches had behind their first axis.
        order : ndarray of int64
            Batch `k` consists of the rows ``order[k * batch_size : (k + 1) * batch_size]``.
        first, count : int
            The steps.
        results : list of ndarray, optional
            Where the outputs of the steps go; batch `k` to the rows from ``k * batch_size`` on.
        """
        self._check(sources, order, first, count)
        self._check_results(results, first + count)
        plan = self.program.current()
        plan.prepare()
        run = _bound(plan, [*sources, order, *results])
        plan.repeat(run, first, count)
        _end(plan, run)

    def run_epochs(self, sources: list[Array], orders: Array, last: EpochProgram) -> None:
        """Run epochs of several batches and a shorter last one.

        Parameters
        ----------
        sources : list of ndarray
            As in `run`.
        orders : ndarray of int64
            The rows of an epoch, one epoch a row.
        last : EpochProgram
            The same step for the last batch, native as this one.
        """
        epochs, samples = orders.shape
        steps = samples // self.batch_size
        whole = orders[:, : steps * self.batch_size].reshape(-1)
        rest = orders[:, steps * self.batch_size :].reshape(-1)
        self._check(sources, whole, 0, epochs * steps)
        last._check(sources, rest, 0, epochs)
        plan, other = self.program.current(), last.program.current()
        plan.prepare()
        other.prepare()
        run, other_run = _bound(plan, [*sources, whole]), _bound(other, [*sources, rest])
        plan.take_turns(run, steps, other, other_run, 1, epochs)
        _end(plan, run)
        _end(other, other_run)

    def _check(self, sources: list[Array], order: Array, first: int, count: int) -> None:
        """Raise what would read outside of an array."""
        for source, (shape, dtype) in zip(sources, self._shapes, strict=True):
            fits = source.dtype == dtype and source.shape[1:] == shape[1:]
            if not fits or not source.flags.c_contiguous:
                raise ValueError(
                    f"EpochProgram: got a source of {source.dtype}{list(source.shape)}, expected "
                    f"{dtype} rows of shape {shape[1:]} in C order"
                )
        if order.dtype != np.int64 or order.ndim != 1 or not order.flags.c_contiguous:
            raise ValueError("EpochProgram: order must be a vector of int64")
        if first < 0 or (first + count) * self.batch_size > order.size:
            raise ValueError(
                f"EpochProgram: steps {first} to {first + count} of {self.batch_size} rows need "
                f"more than the {order.size} entries of order"
            )
        rows = min(len(source) for source in sources)
        if order.size and not (order.min() >= 0 and order.max() < rows):
            raise ValueError(f"EpochProgram: order goes beyond the {rows} rows of the sources")

    def _check_results(self, results: Sequence[Array], steps: int) -> None:
        """Raise what would write outside of an array."""
        if len(results) != len(self.results):
            raise ValueError(f"EpochProgram: a step has {len(self.results)} outputs")
        for result, (shape, dtype) in zip(results, self.results, strict=True):
            rows = steps * shape[0]
            fits = result.dtype == dtype and result.shape[1:] == shape[1:] and len(result) >= rows
            if not fits or not result.flags.c_contiguous or not result.flags.writeable:
                raise ValueError(
                    f"EpochProgram: got {result.dtype}{list(result.shape)} for outputs, expected "
                    f"{rows} rows of {dtype}{list(shape[1:])} in C order"
                )


def _bound(plan: Plan, inputs: list[Array]) -> Any:
    """A run with its inputs."""
    run = plan.take_frame()
    for number, position in plan.inputs:
        array = run.arrays[number] = inputs[position]
        run.frame.bases[number] = id(array)
    return run


def _end(plan: Plan, run: Any) -> None:
    """Give a run's frame back without its inputs, which may be large."""
    for number, _ in plan.inputs:
        run.arrays[number] = None
    plan.end(run)


def _over_sources(trace: Trace) -> Trace:
    """The trace with batches that it gathers, and results that it stores, itself.

    Its inputs are the sources, the order and the results.
    """
    order = Value(INPUT, (trace.inputs[0].shape[0],), np.dtype(np.int64), len(trace.inputs))
    instead: dict[Value, Value] = {}
    gathers, sources = [], []
    used = {value for operation in trace.operations for value in operation.inputs}
    for value in trace.inputs:
        source = Value(INPUT, value.shape, value.dtype, value.source)
        sources.append(source)
        if value in used:
            batch = instead[value] = Value(RESULT, value.shape, value.dtype)
            gathers.append(Operation(GATHER_BATCH, (source, order), {}, batch))
    operations = [
        Operation(
            op.primitive,
            replaced(op.arguments, instead),
            {key: replaced(value, instead) for key, value in op.params.items()},
            op.result,
            op.written,
        )
        for op in trace.operations
    ]
    results, stores = [], []
    for position, value in enumerate(trace.outputs, len(sources) + 1):
        result = Value(INPUT, value.shape, value.dtype, position)
        results.append(result)
        stores.append(Operation(STORE_BATCH, (value, result), {}, None))
    made = with_operations(trace, [*gathers, *operations, *stores])
    made.inputs = [*sources, order, *results]
    made.outputs = []
    return made
