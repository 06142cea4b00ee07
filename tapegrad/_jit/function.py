"""`jit`: a function whose calls become programs."""

from __future__ import annotations

import copy
import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from tapegrad._core import device as _device
from tapegrad._core.state import thread
from tapegrad._core.tape import Tape
from tapegrad._core.tensor import Tensor
from tapegrad._jit.compiler import compile_trace
from tapegrad._jit.differentiation import Differentiable, watched_leaves
from tapegrad._jit.donation import donated_leaves, safe_to_give, take
from tapegrad._jit.program import Program
from tapegrad._jit.recorder import Recorder
from tapegrad._jit.signature import Structure, flatten_call, rebuild

CACHE_SIZE = 64
"""Programs that a function keeps; the one that was not used for longest is dropped."""
_ATTEMPTS = 3
"""Recordings of one signature that may make Variables, before it is left to the eager way."""


class _Entry:
    """What is known of calls with one signature."""

    __slots__ = ("attempts", "differentiable", "eager", "program", "structure", "used")

    def __init__(self) -> None:
        self.program: Program | None = None
        self.differentiable: Differentiable | None = None
        self.structure: Structure | None = None
        self.eager = False
        self.attempts = 0
        self.used = 0  # the call that needed it last


class _Method(functools.partial):  # type: ignore[type-arg]
    """A recorded function of a class, with the instance."""

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """The program for such calls: see `JitFunction.program`."""
        return self.func.program(*self.args, *args, **kwargs)  # type: ignore[attr-defined]


class JitFunction:
    """A function that is recorded once for each signature and then run as a program.

    Made by `tapegrad.jit`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        cache_size: int = CACHE_SIZE,
        donate_argnums: tuple[int, ...] = (),
    ) -> None:
        functools.update_wrapper(self, function)
        self._donated = donate_argnums
        self._function = function
        self._entries: dict[Any, _Entry] = {}
        self._cache_size = cache_size
        self._calls = 0
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<jit of {getattr(self._function, '__qualname__', self._function)!s}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else _Method(self, instance)

    def __deepcopy__(self, memo: dict[int, Any]) -> JitFunction:
        # Programs are bound to Variables; a copy of a method has others.
        function = copy.deepcopy(self._function, memo)
        return JitFunction(function, self._cache_size, self._donated)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if thread.recorder is not None or _device.accelerated:
            # Inside another recording the operations themselves are wanted.
            return self._function(*args, **kwargs)
        key, leaves = flatten_call(args, kwargs)
        if thread.listeners:
            return self._under_tapes(key, leaves, args, kwargs)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._new_entry(key)
        entry.used = self._calls = self._calls + 1
        program = entry.program
        if program is not None:
            if self._donated:
                outputs = self._run_with_donated(program, args, leaves)
            else:
                outputs = program.run(leaves)
            assert entry.structure is not None
            return entry.structure.fill([Tensor(array) for array in outputs])
        if entry.eager:
            return self._function(*args, **kwargs)
        return self._record(entry, args, kwargs)

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """The program for calls like this one, recorded now if there is none yet.

        Raises
        ------
        RuntimeError
            If such a call cannot become a program.
        """
        key, _ = flatten_call(args, kwargs)
        for _ in range(_ATTEMPTS + 1):
            entry = self._entries.get(key)
            if entry is not None and entry.program is not None:
                return entry.program
            self(*args, **kwargs)
        raise RuntimeError(f"jit: calls of {self!r} with these arguments run eagerly")

    def _run_with_donated(
        self, program: Program, args: tuple[Any, ...], leaves: list[Any]
    ) -> list[Any]:
        donated = donated_leaves(args, self._donated)
        outputs = program.run(safe_to_give(leaves, donated))
        take(donated)
        return outputs

    # ---- inside ----------------------------------------------------------------------

    def _new_entry(self, key: Any) -> _Entry:
        with self._lock:
            while len(self._entries) >= max(self._cache_size, 1) and key not in self._entries:
                del self._entries[min(self._entries, key=lambda k: self._entries[k].used)]
            return self._entries.setdefault(key, _Entry())

    def _under_tapes(
        self, key: Any, leaves: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run as one operation on the tapes that are recording."""
        if not all(type(listener) is Tape for listener in thread.listeners):
            return self._function(*args, **kwargs)
        watched = watched_leaves(args, kwargs)
        entry = self._entries.get((key, watched)) or self._new_entry((key, watched))
        entry.used = self._calls = self._calls + 1
        if entry.eager:
            return self._function(*args, **kwargs)
        pair = entry.differentiable
        if pair is not None and pair.ready:
            return pair(args, kwargs, leaves)
        pair = entry.differentiable = Differentiable(self._function, watched)
        result = pair.record(args, kwargs, first=entry.attempts == 0)
        assert pair.recorder is not None
        self._judge(entry, pair.recorder)
        return result

    def _judge(self, entry: _Entry, recorder: Recorder) -> bool:
        """Whether a recording can be used; otherwise note what to do with the next call."""
        if recorder.created:
            entry.attempts += 1
            if entry.attempts >= _ATTEMPTS:
                entry.eager = True
                self._warn("each call makes new Variables; make them outside of it")
            return False
        if recorder.failure is not None:
            entry.eager = True
            self._warn(recorder.failure)
            return False
        return True

    def _record(self, entry: _Entry, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the function, and make a program of what it did."""
        recorder = Recorder(first=entry.attempts == 0)
        args, kwargs = rebuild(args, kwargs, recorder.input)
        with recorder:
            result = self._function(*args, **kwargs)
            structure = Structure(result)
            for tensor in structure.tensors:
                recorder.output(tensor)
            recorder.check_objects(structure.objects)
        recorder.finish()
        with self._lock:
            if self._judge(entry, recorder):
                entry.structure = structure.emptied()
                given = frozenset(p for p, _ in donated_leaves(args, self._donated))
                entry.program = compile_trace(recorder.trace, given)
        return result

    def _warn(self, reason: str) -> None:
        name = getattr(self._function, "__qualname__", repr(self._function))
        warnings.warn(
            f"jit: {name} cannot become a program and runs eagerly: {reason}",
            RuntimeWarning,
            stacklevel=5,
        )


def jit(
    function: Callable[..., Any] | None = None,
    *,
    donate_argnums: int | Sequence[int] = (),
    cache_size: int = CACHE_SIZE,
) -> Any:
    """Make a function that is recorded at its first call and then runs as one native program.

    Parameters
    ----------
    function : callable
        Takes and returns tensors in nested lists, tuples and dicts. Inside, everything works
        as without `jit`: tapes, gradients, layers, optimizers, assignments to Variables, random
        draws. What else it takes (numbers, text, objects) is part of the signature.
    donate_argnums : int or sequence of int, default ()
        Positions of arguments that are not needed after the call. Results of the same size may
        take their memory; the Tensors cannot be used any more, and the contents of arrays change.
    cache_size : int, default 64
        Programs that are kept. There is one for each signature: shapes and dtypes of tensors and
        arrays, and the values of all other arguments.

    Returns
    -------
    JitFunction
        Called like `function`; it returns Tensors where that returns tensors or arrays.

    Notes
    -----
    A call with a new signature runs the function in the ordinary way and records the operations.
    Later calls run what was recorded. Python code therefore runs at the first call alone:
    branches are those of that call, and nothing but assignments to Variables has an effect later.
    A call that reads a value (``float(t)``, ``if t > 0``, ``t.numpy()``) cannot be repeated from
    a record; it goes on in the ordinary way, and so do later ones, after one warning that names
    the line. `tapegrad.cond`, `tapegrad.while_loop` and `tapegrad.scan` are the control flow that
    can be recorded.

    Examples
    --------
    >>> import tapegrad as tg
    >>> @tg.jit
    ... def energy(x):
    ...     return (x * x).sum()
    >>> energy(tg.tensor([3.0, 4.0]))
    Tensor(25., dtype=float64)
    >>> energy(tg.tensor([1.0, 2.0]))
    Tensor(5., dtype=float64)
    """
    if function is None:
        return functools.partial(jit, donate_argnums=donate_argnums, cache_size=cache_size)
    if not callable(function):
        raise TypeError(f"jit: expected a function, got {type(function).__name__}")
    given = (donate_argnums,) if isinstance(donate_argnums, int) else tuple(donate_argnums)
    return JitFunction(function, cache_size, given)
