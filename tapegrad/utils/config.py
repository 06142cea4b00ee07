"""Objects that remember how they were made, so that they can be made again.

A layer, a loss, an optimizer … is described by its class and the arguments of its constructor. They
are noted when it is made; `get_config` returns them, and `from_config` makes an equal object.
"""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from tapegrad.utils.serialization import deserialize, serialize

__all__ = ["Configurable"]

Self = TypeVar("Self", bound="Configurable")

# Arguments that are accepted for old listings, or that only say the same as another one.
_NOT_KEPT = ("lr",)


class Configurable:
    """Base of all that a model's description consists of.

    The constructor's arguments are noted as they are given, so a subclass needs no `get_config`
    unless it is made in another way than by its arguments.

    Examples
    --------
    >>> class Scale(Configurable):
    ...     def __init__(self, factor, offset=0.0):
    ...         self.factor = factor
    >>> Scale(2.0).get_config()
    {'factor': 2.0, 'offset': 0.0}
    >>> Scale.from_config({"factor": 3.0}).factor
    3.0
    """

    # In a slot, where those who go through an object's attributes do not meet it.
    __slots__ = ("_constructed_with",)

    _constructed_with: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Note the arguments."""
        made = object.__new__(cls)
        made._constructed_with = (args, kwargs)
        return made

    def _arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments by name, with defaults; further ones in a list."""
        if type(self).__init__ is object.__init__:  # whose signature says that it takes anything
            return {}
        args, kwargs = self._constructed_with
        signature = inspect.signature(type(self).__init__)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        found: dict[str, Any] = {}
        for name, parameter in list(signature.parameters.items())[1:]:
            value = bound.arguments[name]
            if parameter.kind is parameter.VAR_KEYWORD:
                found |= value
            elif parameter.kind is parameter.VAR_POSITIONAL:
                found[name] = list(value)
            else:
                found[name] = value
        return {name: value for name, value in found.items() if name not in _NOT_KEPT}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, in the types that JSON knows.

        Raises
        ------
        TypeError
            If an argument cannot be described, such as a function of the user's own that is not
            registered.
        """
        owner = type(self).__name__
        config = {
            name: serialize(value, f"{owner}: {name}") for name, value in self._arguments().items()
        }
        if "name" in config and config["name"] is None:
            config["name"] = getattr(self, "name", None)  # the one that the class gave itself
        return config

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """Make an object from what `get_config` returned."""
        values = {name: deserialize(value) for name, value in config.items()}
        further: list[Any] = []
        for name, parameter in inspect.signature(cls.__init__).parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                further = values.pop(name, [])
        return cls(*further, **values)
