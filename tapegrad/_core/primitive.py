"""The one way an operation comes to be, and the one way it is run."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from tapegrad._core import device as _device
from tapegrad._core.registry import operations, primitives, record
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor, check_numeric, unwrap_nested
from tapegrad._core.variable import Variable

_ndarray = np.ndarray
_SCALARS = (int, float, bool, np.generic, list)

Saves = Literal["both", "inputs", "output", "none"]
Rule = Callable[..., Any]

_ndarray = np.ndarray  # one look-up less for each argument of each operation
_SCALARS = (int, float, bool, np.generic, list)
"""What a kernel may return in place of an array."""


class Primitive:
    """An operation on tensors: a kernel for each device, and derivative rules.

    Calling a primitive runs its kernel on the raw arrays of the arguments and
    tells every listener of the thread (tapes, recorders) what was done.

    Parameters
    ----------
    name : str
        Unique name. The kernels are the functions of this name in
        `tapegrad_kernels.cpu` and `tapegrad_kernels.cuda`, looked up at the first
        call: a device that lacks it refuses the operation by name.
    saves : {"both", "inputs", "output", "none"}
        Which values the derivative rules need; tapes keep no others alive. In
        place of a value that is not kept, a rule receives its shape and dtype.
    differentiable : bool
        False for piecewise constant operations, which tapes do not record.
    view : bool
        Whether the result may share memory with the first argument.
    forward : callable, optional
        The implementation on the CPU, for operations that users define.
    doc : str, optional
        Docstring.
    """

    def __init__(
        self,
        name: str,
        *,
        saves: Saves = "both",
        differentiable: bool = True,
        view: bool = False,
        forward: Callable[..., Any] | None = None,
        doc: str | None = None,
    ) -> None:
        if saves not in ("both", "inputs", "output", "none"):
            raise ValueError(f"primitive {name}: saves={saves!r} is not both, inputs, output, none")
        self.name = self.__name__ = name
        self.saves_inputs = saves in ("both", "inputs")
        self.saves_output = saves in ("both", "output")
        self.differentiable = differentiable
        self.view = view
        self.rules: tuple[Rule | None, ...] = ()
        self.joint_rule: Rule | None = None
        self.implementations: dict[str, Callable[..., Any]] = {}
        self._cpu: Callable[..., Any] = forward or self._load_cpu
        if forward is not None:
            self.implementations["cpu"] = forward
        self.__doc__ = doc

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    # ---- running ---------------------------------------------------------------------

    def __call__(self, *args: Any, **params: Any) -> Any:
        data: list[Any] = []
        for argument in args:
            kind = type(argument)
            if kind is Tensor:
                data.append(argument._data)
            elif kind is Variable:
                data.append(argument._tensor._data)
            elif kind is float or kind is int or kind is _ndarray:
                data.append(argument)
            else:
                if operations.get(self.name) is self:
                    recorded = record(self.name, args, params)
                    if recorded is not None:
                        return recorded
                args = tuple([_as_operand(a, self.name, i) for i, a in enumerate(args)])
                data = [a._data if type(a) is Tensor else a for a in args]
                break
        try:
            if _device.accelerated:
                raw = self._run_on_device(args, data, params)
            else:
                raw = self._cpu(*data, **params)
        except (ValueError, TypeError, IndexError) as error:
            raise self._explain(error, args) from error
        result: Any
        if type(raw) is _ndarray:
            result = Tensor(raw)
            if self.view:
                self._link(result, args[0])
        else:
            result = self._wrap(raw, args)
        listeners = thread.listeners
        if listeners:
            for listener in listeners:
                listener.record(self, args, params, result)
        return result

    def _wrap(self, raw: Any, args: tuple[Any, ...]) -> Any:
        if type(raw) is tuple:
            return tuple([Tensor(p) if type(p) is _ndarray else self._wrap(p, args) for p in raw])
        if isinstance(raw, _SCALARS):
            raw = np.asarray(raw)
        result = Tensor(raw)
        if self.view:
            self._link(result, args[0])
        return result

    @staticmethod
    def _link(result: Tensor, viewed: Any) -> None:
        """Keep a view from changing when the memory that it looks at is written."""
        if type(viewed) is np.ndarray:  # the user's, who may write into it
            result._data = result._data.copy()
        elif type(viewed) is Variable:
            result._base = viewed._tensor
        elif viewed._base is not None:
            result._base = viewed

    # ---- devices ---------------------------------------------------------------------

    def on(self, device: str, function: Callable[..., Any]) -> None:
        """Give the implementation for a device."""
        self.implementations[device] = function
        if device == "cpu":
            self._cpu = function

    def _load_cpu(self, *data: Any, **params: Any) -> Any:
        """Find the kernel at the first call: importing kernels means importing Numba."""
        self._cpu = self._implementation("cpu")
        return self._cpu(*data, **params)

    def _implementation(self, device: str) -> Callable[..., Any]:
        found = self.implementations.get(device)
        if found is None:
            module = importlib.import_module(f"tapegrad_kernels.{device}")
            found = getattr(module, self.name, None)
            if found is None:
                raise NotImplementedError(
                    f"{self.name} has no implementation on {device!r}; "
                    "move its arguments to another device with .to('cpu')"
                )
            self.implementations[device] = found
        return found

    def _run_on_device(self, args: tuple[Any, ...], data: list[Any], params: dict[str, Any]) -> Any:
        """Run where the tensors are; upload plain arrays, refuse tensors of two devices."""
        chosen: str | None = None
        for position, argument in enumerate(args):
            if isinstance(argument, Tensor | Variable):
                place = argument.device
                if chosen is not None and place != chosen:
                    raise ValueError(
                        f"argument {position} is on {place!r} and an earlier one on {chosen!r}; "
                        "move one with .to(device)"
                    )
                chosen = place
        chosen = chosen or thread.device
        if chosen != "cpu":
            data = [_device.to_device(d, chosen) if isinstance(d, np.ndarray) else d for d in data]
        return self._implementation(chosen)(*data, **params)

    # ---- errors ----------------------------------------------------------------------

    def _explain(self, error: Exception, args: tuple[Any, ...]) -> Exception:
        """The same kind of error, telling the operation and the shapes of its arguments."""
        for position, argument in enumerate(args):
            if isinstance(argument, np.ndarray):
                check_numeric(argument, f"{self.name}: argument {position}")
        message = str(error)
        shapes = ", ".join(
            f"argument {i}: shape {a.shape}, {a.dtype}"
            for i, a in enumerate(args)
            if isinstance(a, Tensor | Variable | np.ndarray)
        )
        if not message.startswith(f"{self.name}:"):
            message = f"{self.name}: {message}"
        kind = next(k for k in (ValueError, IndexError, TypeError) if isinstance(error, k))
        return kind(f"{message} ({shapes})" if shapes else message)


class Effect(Primitive):
    """A primitive whose kernel writes into Variables; it returns nothing.

    Whoever still holds an old value of such a Variable keeps it: the Variable then
    moves to new memory before it is written.

    Parameters
    ----------
    name : str
        As for `Primitive`.
    mutates : tuple of int
        Positions of the Variables that the kernel writes into.
    doc : str, optional
        Docstring.
    """

    def __init__(self, name: str, *, mutates: tuple[int, ...], doc: str | None = None) -> None:
        super().__init__(name, saves="none", differentiable=False, doc=doc)
        self.mutates = mutates

    def __call__(self, *args: Any, **params: Any) -> None:
        if thread.recorder is not None:
            thread.recorder.before_effect(self)
        data: list[Any] = []
        for position, argument in enumerate(args):
            kind = type(argument)
            if kind is Tensor:
                data.append(argument._data)
            elif kind is Variable:
                written = position in self.mutates
                data.append(argument._prepare_write() if written else argument._tensor._data)
            else:
                data.append(argument)
        if _device.accelerated:
            device = next((_device.device_of(d) for d in data if hasattr(d, "shape")), "cpu")
            self._implementation(device)(*data, **params)
        else:
            self._cpu(*data, **params)
        for listener in thread.listeners:
            listener.record(self, args, params, None)


def _as_operand(argument: Any, operation: str, position: int) -> Any:
    """A tensor for everything but Python numbers, which stay weak in promotion."""
    kind = type(argument)
    if kind is Tensor or kind is float or kind is int or kind is np.ndarray:
        return argument
    if kind is Variable:
        return argument._tensor
    if kind is bool or kind is complex or argument is None:
        return argument
    if kind is list or kind is tuple:
        argument = unwrap_nested(argument)
    return check_numeric(np.asarray(argument), f"{operation}: argument {position}")


def primitive(name: str, **options: Any) -> Primitive:
    """Make a primitive and enter it in the registry.

    The options are those of `Primitive`, or with `mutates` those of `Effect`.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    if name in primitives:
        raise ValueError(f"primitive: the name {name!r} is taken")
    made = Effect(name, **options) if "mutates" in options else Primitive(name, **options)
    primitives[name] = made
    return made


def apply(operation: Primitive, *args: Any, **params: Any) -> Any:
    """Run a primitive: everything that has an effect passes through here."""
    return operation(*args, **params)


def defvjp(operation: Primitive, *rules: Rule | None) -> None:
    """Give one derivative rule for each argument of a primitive.

    Parameters
    ----------
    operation : Primitive
        The operation.
    *rules : callable or None
        ``rule(g, answer, *args, **params)`` returns the product of the gradient
        `g` with respect to the answer and the Jacobian of that argument. It is
        written in tapegrad operations, so that it can be differentiated again.
        It may leave broadcast axes in its result: the tape sums them. None means
        that the answer does not depend smoothly on the argument.
    """
    operation.rules = rules


def defvjp_joint(operation: Primitive, rule: Rule) -> None:
    """Give one rule for all arguments together, where they share work.

    ``rule(g, answer, *args, needs, **params)`` returns a sequence with a gradient
    or None for each argument; ``needs[i]`` tells whether the i-th is wanted.
    """
    operation.joint_rule = rule


def run_rules(
    operation: Primitive,
    gradient: Any,
    answer: Any,
    args: Sequence[Any],
    needs: Sequence[bool],
    params: dict[str, Any],
) -> Sequence[Any]:
    """Products of `gradient` with the Jacobians of the arguments that `needs` marks."""
    if operation.joint_rule is not None:
        return operation.joint_rule(gradient, answer, *args, needs=needs, **params)
    results: list[Any] = [None] * len(args)
    for position, needed in enumerate(needs):
        if needed:
            if position >= len(operation.rules):
                raise TypeError(
                    f"{operation.name} has no derivative rule for argument {position}; "
                    f"give one with tapegrad.defvjp"
                )
            rule = operation.rules[position]
            if rule is not None:
                results[position] = rule(gradient, answer, *args, **params)
    return results


def count_positional(function: Callable[..., Any]) -> int | None:
    """Number of positional parameters of a function, or None if it takes any number."""
    count = 0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return None
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            count += 1
    return count
