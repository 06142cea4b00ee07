"""A step that becomes a program once it was recorded."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from tapegrad._core.masking import get_mask
from tapegrad._core.nest import flatten
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable
from tapegrad._jit.compiler import compile_trace
from tapegrad._jit.epoch import EpochProgram
from tapegrad._jit.program import Program
from tapegrad._jit.recorder import LeftOverError, Recorder
from tapegrad._jit.signature import Structure, flatten_call, rebuild
from tapegrad._jit.trace import INPUT, RESULT, Trace, Value

__all__ = ["Recorded", "RecordedStep"]

_CACHE_SIZE = 64
"""Programs that a step keeps; the one that was not used for longest is dropped."""
_ATTEMPTS = 3
"""Recordings with one signature that may make Variables, before it is left to the eager way."""


class Recorded:
    """What is known of a step on batches of certain shapes and dtypes.

    Attributes
    ----------
    calls : int
        How often it ran eagerly without being recorded. The first time nothing is recorded:
        Variables may be made, and there may be no second time.
    program : Program or None
        What runs a step.
    seconds : float
        How long a step took lately, where many run in one call.
    """

    __slots__ = ("_many", "attempts", "calls", "eager", "program", "seconds", "structure", "trace")

    def __init__(self) -> None:
        self.calls = 0
        self.attempts = 0
        self.eager = False
        self.program: Program | None = None
        self.structure: Structure | None = None
        self.trace: Trace | None = None
        self.seconds = 0.0
        self._many: EpochProgram | None = None

    def reads(self, variable: Variable) -> bool:
        """Whether the recorded step depends on a Variable."""
        return self.trace is not None and any(
            value.source is variable
            for operation in self.trace.operations
            for value in operation.inputs
        )

    @property
    def many(self) -> EpochProgram | None:
        """What runs many steps in one call, once the step was recorded."""
        if self._many is None and self.trace is not None:
            self._many = EpochProgram(self.trace)
        return self._many


class _StepRecorder(Recorder):
    """A recorder that lets a step read Variables on whose values its programs are told apart."""

    def __init__(self, told_apart_by: tuple[Variable, ...]) -> None:
        super().__init__()
        self._told_apart_by = told_apart_by

    def read(self, value: Any) -> None:
        """End the recording, unless the value is that of one of these Variables."""
        if not any(value is variable._tensor for variable in self._told_apart_by):
            super().read(value)

    def value_of(self, argument: Any) -> Value:
        """Return what stands for a tensor; one of an earlier step ends the recording."""
        try:
            return super().value_of(argument)
        except LeftOverError:
            self.give_up("a tensor of an earlier step is used")
            return self._constant(argument._data)

    def outlived(self, returned: list[Tensor]) -> bool:
        """Whether somebody keeps a tensor of the step besides those that it returned."""
        carried = [part for tensor in returned for part in _carried(tensor)]
        known = {id(tensor) for tensor in [*returned, *carried]}
        alive = [
            reference()
            for reference, value in self._known.values()
            if value.kind in (INPUT, RESULT)
        ]
        return any(tensor is not None and id(tensor) not in known for tensor in alive)


class RecordedStep:
    """A step of a model, run as a program from the third batch of the same shapes on.

    Parameters
    ----------
    step
        Takes the parts of a batch, nests of Tensors or None, and returns nests of Tensors or None.
    unchanged
        Whether all that the step depends on besides its batch, and Variables, is as it was when
        it was first asked.
    report
        Called with the reason if the step cannot be recorded.
    optimizer
        Whose steps are of two kinds, if it accumulates gradients.

    Attributes
    ----------
    eager : bool
        Whether it is not recorded at all.
    ran : bool
        Whether a program of it ran.
    """

    def __init__(
        self,
        step: Callable[..., Any],
        unchanged: Callable[[], bool],
        report: Callable[[str], None],
        optimizer: Any = None,
    ) -> None:
        self._step = step
        self._unchanged = unchanged
        self._report = report
        self._entries: OrderedDict[Any, Recorded] = OrderedDict()
        self._last: tuple[Any, Recorded] = None, Recorded()
        self._lock = threading.RLock()
        self._optimizer = None if optimizer is None or optimizer._every == 1 else optimizer
        self.eager = False
        self.ran = False

    def entry(self, batch: tuple[Any, ...]) -> Recorded:
        """Return what is known of the step that comes on batches with the shapes of this one."""
        key = flatten_call(batch, {})[0]
        return self._entry(key if self._optimizer is None else (self._optimizer._phase()[0], key))

    @property
    def alike(self) -> int | None:
        """How many steps from the next one on are of one kind; None if all are."""
        return None if self._optimizer is None else self._optimizer._phase()[1]

    def __call__(self, *batch: Any) -> Any:
        """Take a step on a batch: nests of arrays, or None."""
        key, leaves = flatten_call(batch, {})
        if self._optimizer is not None:
            key = self._optimizer._phase()[0], key
        last_key, entry = self._last
        if key != last_key:  # to compare keys is quicker than to hash one
            entry = self._entry(key)
            self._last = key, entry
        program = entry.program
        if program is not None:
            outputs = program.run(leaves)
            self.ran = True
            structure = entry.structure
            assert structure is not None
            return structure.fill([Tensor(array) for array in outputs])
        if entry.calls == 0 or entry.eager or self.eager:
            entry.calls += 1
            return self._step(*rebuild(batch, {}, _nothing)[0])
        return self._record(entry, batch)

    # ---- inside ----------------------------------------------------------------------

    def _entry(self, key: Any) -> Recorded:
        with self._lock:
            entry = self._entries.setdefault(key, Recorded())
            self._entries.move_to_end(key)  # what was not used for longest is dropped first
            while len(self._entries) > _CACHE_SIZE:
                self._entries.popitem(last=False)
        return entry

    def _record(self, entry: Recorded, batch: tuple[Any, ...]) -> Any:
        """Take the step, and make a program of what it did."""
        known = () if self._optimizer is None else (self._optimizer._iterations,)
        recorder = _StepRecorder(known)
        parts, _ = rebuild(batch, {}, recorder.input)
        with recorder:
            result = self._step(*parts)
            structure = Structure(result)
            for tensor in structure.tensors:
                recorder.output(tensor)
        recorder.finish()
        del parts
        with self._lock:
            self._take(entry, recorder, structure, result)
        return result

    def _take(
        self, entry: Recorded, recorder: _StepRecorder, structure: Structure, result: Any
    ) -> None:
        if recorder.failure is not None:
            entry.eager = True
            self._report(recorder.failure)
        elif recorder.created:
            entry.attempts += 1
            if entry.attempts >= _ATTEMPTS:
                entry.eager = True
                self._report("each step makes new Variables")
        elif not self._unchanged():
            self.eager = True
            self._report("it changes attributes of the model, which a program would not repeat")
        elif _outlived(recorder, structure.tensors):
            self.eager = True
            self._report("it keeps a tensor, which a program would not do again")
        elif not all(leaf is None or type(leaf) is Tensor for leaf in flatten(result)):
            entry.eager = True
            self._report("it returns something else than tensors")
        else:
            entry.trace = recorder.trace
            entry.structure = structure.emptied()
            entry.program = compile_trace(recorder.trace)


def _outlived(recorder: _StepRecorder, returned: list[Tensor]) -> bool:
    if not recorder.outlived(returned):
        return False
    gc.collect()  # there may be cycles
    return recorder.outlived(returned)


def _carried(tensor: Tensor) -> list[Any]:
    """Return the tensors that a tensor carries: its logits, and its mask."""
    logits = None if tensor._origin is None else tensor._origin[1]
    own = [part for part in (logits, get_mask(tensor)) if part is not None]
    return own + [part for each in own for part in _carried(each)]


def _nothing(tensor: Tensor) -> None:
    """Take no note of an argument."""
