"""Objects as plain data (what JSON knows) and back.

Only classes of this library's own tables, and classes and functions that the user registered or
passed by name, are ever made from data: a file can name nothing else.
"""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from tapegrad.utils.lookup import suggestion

__all__ = [
    "custom_object_scope",
    "deserialize",
    "get_registered_name",
    "get_registered_object",
    "register_serializable",
    "serialize",
]

# Where named classes and functions are looked for. They stand on floors above this one, so they are
# found by name when they are asked for.
MODULES = (
    "tapegrad.layers",
    "tapegrad.models",
    "tapegrad.losses",
    "tapegrad.metrics",
    "tapegrad.optimizers",
    "tapegrad.optimizers.schedules",
    "tapegrad.optimizers.transformations",
    "tapegrad.initializers",
    "tapegrad.regularizers",
    "tapegrad.constraints",
    "tapegrad.activations",
)

T = TypeVar("T")

_registered: dict[str, Any] = {}
_registered_names: dict[Any, str] = {}
_scopes: list[dict[str, Any]] = []


def register_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Let models that use a class or a function of your own be saved and loaded.

    Parameters
    ----------
    package
        A prefix that keeps names of different origin apart.
    name
        By default the object's own name.

    Returns
    -------
    callable
        A decorator that returns the object unchanged.

    Raises
    ------
    ValueError
        If another object is registered under the name.

    Examples
    --------
    >>> import tapegrad as tg
    >>> @register_serializable("mine")
    ... def double(x):
    ...     return 2 * x
    >>> tg.layers.Dense(3, activation=double).get_config()["activation"]["registered_name"]
    'mine>double'
    """

    def register(target: T) -> T:
        own: str = name or target.__name__  # type: ignore[attr-defined]
        full = f"{package}>{own}"
        held = _registered.get(full)
        if held is not None and not _same_definition(held, target):
            raise ValueError(
                f"register_serializable: the name {full!r} is taken by {held!r}; choose another "
                "package or name."
            )
        _registered[full] = target
        _registered_names[target] = full
        return target

    return register


def _same_definition(first: Any, second: Any) -> bool:
    """Whether both are one definition, run twice, as happens in notebooks."""
    return (first.__module__, first.__qualname__) == (second.__module__, second.__qualname__)


def get_registered_name(target: Any) -> str | None:
    """Return the name under which a class or function was registered, or None."""
    return _registered_names.get(target)


def get_registered_object(name: str) -> Any:
    """Return what was registered (or is in scope) under a name, or None."""
    for scope in reversed(_scopes):
        if name in scope:
            return scope[name]
        short = name.rpartition(">")[2]
        if short in scope:
            return scope[short]
    if name in _registered:
        return _registered[name]
    return None


@contextmanager
def custom_object_scope(objects: dict[str, Any] | None) -> Iterator[None]:
    """Within this context, names mean the classes and functions given here.

    Parameters
    ----------
    objects
        Classes and functions by name.

    Examples
    --------
    >>> with custom_object_scope({"double": lambda x: 2 * x}):
    ...     get_registered_object("double")(4)
    8
    """
    _scopes.append(dict(objects or {}))
    try:
        yield
    finally:
        _scopes.pop()


# ---- to data -------------------------------------------------------------------------


def serialize(value: Any, owner: str = "value") -> Any:
    """Return a value as plain data.

    Parameters
    ----------
    value
        Numbers, text, arrays, containers of these, objects that remember how they were made, and
        functions that have a name here.
    owner
        What the value is, for errors.

    Raises
    ------
    TypeError
        If the value cannot be described: a lambda, or an object of an unknown kind.

    Examples
    --------
    >>> serialize((1, None))
    {'class_name': '__tuple__', 'items': [1, None]}
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, list):
        return [serialize(part, owner) for part in value]
    if isinstance(value, tuple):
        return {"class_name": "__tuple__", "items": [serialize(part, owner) for part in value]}
    if isinstance(value, dict):
        return {str(key): serialize(part, owner) for key, part in value.items()}
    if isinstance(value, slice):
        parts = [serialize(part, owner) for part in (value.start, value.stop, value.step)]
        return {"class_name": "__slice__", "items": parts}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__"}
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        return _array_as_data(np.asarray(value))
    if isinstance(value, types.FunctionType | type):
        return _function_as_data(value, owner)
    if hasattr(value, "get_config"):
        kind = type(value)
        data = {"module": _module_of(kind), "class_name": kind.__name__}
        if kind in _registered_names:
            data["registered_name"] = _registered_names[kind]
        return {**data, "config": serialize(value.get_config(), owner)}
    if callable(value) and hasattr(value, "__name__"):
        return _function_as_data(value, owner)
    raise TypeError(f"{owner} cannot be saved: {value!r} is not plain data.")


def _array_as_data(array: np.ndarray) -> dict[str, Any]:
    return {
        "class_name": "__array__",
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "items": array.ravel().tolist(),
    }


def _module_of(kind: Any) -> str | None:
    """Return the table in which a class or function stands under its own name, or None."""
    for name in MODULES:
        if (kind.__module__ == name or kind.__module__.startswith(name + ".")) and getattr(
            importlib.import_module(name), kind.__name__, None
        ) is kind:
            return name
    return None


def _function_as_data(function: Any, owner: str) -> dict[str, Any]:
    module = _module_of(function)
    name = function.__name__
    registered = _registered_names.get(function)
    if module is None and registered is None:
        if name == "<lambda>":
            raise TypeError(
                f"{owner} is a lambda, which cannot be saved: define a function with a name, and "
                "register it with tapegrad.saving.register_serializable."
            )
        return {"module": None, "class_name": "__function__", "name": name}
    data: dict[str, Any] = {"module": module, "class_name": "__function__", "name": name}
    if registered is not None:
        data["registered_name"] = registered
    return data


# ---- from data -----------------------------------------------------------------------


def deserialize(data: Any) -> Any:
    """Return the value that `serialize` turned into data.

    Raises
    ------
    ValueError
        If the data names a class or function that is neither one of the library's nor registered.

    Examples
    --------
    >>> deserialize({"class_name": "__tuple__", "items": [1, None]})
    (1, None)
    """
    if isinstance(data, list):
        return [deserialize(part) for part in data]
    if not isinstance(data, dict):
        return data
    name = data.get("class_name")
    if not isinstance(name, str):
        return {key: deserialize(part) for key, part in data.items()}
    if name == "__tuple__":
        return tuple(deserialize(part) for part in data["items"])
    if name == "__slice__":
        return slice(*[deserialize(part) for part in data["items"]])
    if name == "__ellipsis__":
        return Ellipsis
    if name == "__array__":
        return np.array(data["items"], dtype=data["dtype"]).reshape(data["shape"])
    if name == "__function__":
        return _find(data["name"], data.get("module"), data.get("registered_name"))
    if "config" not in data:
        return {key: deserialize(part) for key, part in data.items()}
    kind = _find(name, data.get("module"), data.get("registered_name"))
    if not isinstance(kind, type) or not hasattr(kind, "from_config"):
        raise ValueError(f"{name} is not a class that can be made from data.")
    return kind.from_config(data["config"])


def _find(name: str, module: str | None, registered_name: str | None) -> Any:
    found = get_registered_object(registered_name or name)
    if found is not None:
        return found
    if module in MODULES:
        table = importlib.import_module(module)
        if name in getattr(table, "__all__", ()):
            return getattr(table, name)
        near = suggestion(name, list(table.__all__))
        raise ValueError(f"{module} has no {name!r}.{near}")
    raise ValueError(
        f"{registered_name or name!r} is not known here: pass it in custom_objects={{...}}, or "
        "register it with tapegrad.saving.register_serializable before loading."
    )
