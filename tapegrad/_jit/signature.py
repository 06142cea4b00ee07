"""The signature of a call, and the structure of what it returns."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tapegrad._core import state
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor
from tapegrad._core.variable import Variable

Array = np.ndarray[Any, Any]
_ndarray = np.ndarray


class _Identity:
    """Stands for an argument that is told apart by identity, and keeps it alive."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return type(other) is _Identity and other.value is self.value


def in_order(array: Array) -> Array:
    """The array itself if it is in C order, else a copy that is."""
    return array if array.flags.c_contiguous else np.array(array, order="C")


def flatten_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Array]]:
    """What calls that can share a program have in common, and the arrays of the call.

    Arrays are brought into C order.
    """
    leaves: list[Array] = []
    parts = [_key(argument, leaves) for argument in args]
    if kwargs:
        parts += [(name, _key(kwargs[name], leaves)) for name in kwargs]
    return (state._floatx, thread.device, len(args), *parts), leaves


def _key(argument: Any, leaves: list[Array]) -> Any:
    kind = type(argument)
    if kind is Tensor:
        data = argument._data
    elif kind is _ndarray:
        data = argument
    elif argument is None:
        return None
    else:
        return _other_key(argument, leaves)
    leaves.append(in_order(data))
    return data.shape, data.dtype


def _other_key(argument: Any, leaves: list[Array]) -> Any:
    kind = type(argument)
    if kind is tuple or isinstance(argument, list) or _is_named(kind):
        return kind, tuple([_key(part, leaves) for part in argument])
    if isinstance(argument, dict):
        return kind, tuple([(name, _key(part, leaves)) for name, part in argument.items()])
    if kind is float:  # 0.0 equals -0.0, and NaN equals nothing
        return kind, argument.hex()
    if kind is complex or isinstance(argument, np.generic):
        return kind, np.asarray(argument).tobytes()
    if kind is Variable:
        return _Identity(argument)
    try:
        hash(argument)
    except TypeError:
        return _Identity(argument)
    return kind, argument


def _is_named(kind: Any) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def refilled(container: Any, change: Callable[[Any], Any]) -> Any:
    """A list or dict of the same type around changed parts; anything else as it is."""
    kind = type(container)
    if kind is list:
        return [change(part) for part in container]
    if kind is dict:
        return {name: change(part) for name, part in container.items()}
    if isinstance(container, list):
        made = copy.copy(container)
        made[:] = [change(part) for part in container]
        return made
    if isinstance(container, dict):
        made = copy.copy(container)
        made.update({name: change(part) for name, part in container.items()})
        return made
    return container


def rebuild(
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    take: Callable[[Tensor], None],
    see: Callable[[Any], None] | None = None,
    instead: Iterator[Tensor] | None = None,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with fresh Tensors in place of tensors and arrays.

    Parameters
    ----------
    args, kwargs
        The arguments.
    take : callable
        Called with each fresh Tensor, in the order of `flatten_call`.
    see : callable, optional
        Called with each tensor or array in whose place it stands.
    instead : iterator of Tensors, optional
        The fresh ones; without it they are made.
    """

    def fresh(argument: Any) -> Any:
        kind = type(argument)
        if kind is Tensor or kind is _ndarray:
            if see is not None:
                see(argument)
            made = _fresh(argument) if instead is None else next(instead)
            take(made)
            return made
        if _is_named(kind):
            return kind(*[fresh(part) for part in argument])
        if kind is tuple:
            return tuple([fresh(part) for part in argument])
        return refilled(argument, fresh)

    return tuple([fresh(a) for a in args]), {name: fresh(a) for name, a in kwargs.items()}


def _fresh(argument: Any) -> Tensor:
    """The numbers of a tensor or array under another identity."""
    is_tensor = type(argument) is Tensor
    data = argument._data if is_tensor else argument
    made = Tensor(in_order(data))
    if is_tensor:
        made._origin = argument._origin
        if argument._base is not None:
            made._base = argument  # the memory stays what it is for as long as anyone looks
    return made


class _Leaf:
    """A place for an output."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return "*"


class Structure:
    """What a call returned: tensors, and what stands around them.

    Attributes
    ----------
    tensors : list of Tensor
        In the order in which they stand there.
    objects : list
        What has attributes, in which nobody looks for tensors.
    """

    def __init__(self, result: Any) -> None:
        self.tensors: list[Tensor] = []
        self.objects: list[Any] = []
        self._template = self._strip(result)
        self._single = type(self._template) is _Leaf

    def _strip(self, part: Any) -> Any:
        kind = type(part)
        if kind is Tensor:
            self.tensors.append(part)
            return _Leaf(len(self.tensors) - 1)
        if _is_named(kind):
            return kind(*[self._strip(p) for p in part])
        if kind is tuple:
            return tuple([self._strip(p) for p in part])
        if not isinstance(part, list | dict) and hasattr(part, "__dict__"):
            self.objects.append(part)
        return refilled(part, self._strip)

    def __repr__(self) -> str:
        return repr(self._template)

    def emptied(self) -> Structure:
        """The structure without the tensors of the recorded call."""
        self.tensors, self.objects = [], []
        return self

    def fill(self, tensors: list[Tensor]) -> Any:
        """The structure around other tensors."""
        if self._template is None:  # as of steps that return nothing
            return None
        return tensors[0] if self._single else _filled(self._template, tensors)


def _filled(part: Any, tensors: list[Tensor]) -> Any:
    kind = type(part)
    if kind is _Leaf:
        return tensors[part.number]
    if _is_named(kind):
        return kind(*[_filled(p, tensors) for p in part])
    if kind is tuple:
        return tuple([_filled(p, tensors) for p in part])
    return refilled(part, lambda p: _filled(p, tensors))
