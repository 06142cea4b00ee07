"""The face of layers that tells what they are: description, dtype, place in a network."""

from __future__ import annotations

import inspect
import types
from typing import Any

import numpy as np

from tapegrad import activations
from tapegrad.layers.symbolic import Node
from tapegrad.utils.config import Configurable
from tapegrad.utils.serialization import serialize

__all__ = ["Described"]

_COMMON = ("name", "dtype", "trainable")


class Described(Configurable):
    """How layers are described and made again; a base of `tapegrad.layers.Layer`."""

    name: str
    built: bool
    trainable: Any
    _trainable: bool
    _dtype: np.dtype[Any]
    _inbound_nodes: list[Node]

    def _stem(self) -> str:
        """Return what automatic names are made of."""
        return type(self).__name__

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as they are now.

        What the library's layers keep of an argument is what they return: ``kernel_size`` is
        ``(3, 3)`` if 3 was given, ``activation`` is ``"linear"`` for None, and an attribute that
        was changed since counts as changed. Of your own layers, arguments are returned as given.
        `from_config` makes a layer like this one, with weights of its own.
        """
        owner = type(self).__name__
        config = {name: _described(value, name, owner) for name, value in self._arguments().items()}
        return config | {"name": self.name, "dtype": self.dtype, "trainable": self._trainable}

    def _arguments(self) -> dict[str, Any]:
        arguments = super()._arguments()
        if type(self).__init__.__module__.partition(".")[0] != __name__.partition(".")[0]:
            return arguments  # whose attributes may mean something else than the arguments
        for name, given in arguments.items():
            kept = getattr(self, name, given)
            if kept is not given and _is_setting(kept):
                arguments[name] = kept
        return arguments

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from what `get_config` returned."""
        config = dict(config)
        parameters = inspect.signature(cls.__init__).parameters.values()
        late: dict[str, Any] = {}
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            # A layer whose constructor knows nothing of names is named afterwards.
            taken = {parameter.name for parameter in parameters}
            late = {k: config.pop(k) for k in _COMMON if k in config and k not in taken}
        layer = super().from_config(config)
        if "name" in late:
            layer.name = late["name"]
        if "dtype" in late:
            layer._dtype = np.dtype(late["dtype"])
        if not late.get("trainable", True):
            layer.trainable = False
        return layer

    @property
    def input(self) -> Any:
        """The symbolic input of the layer's first place in a network.

        Raises
        ------
        AttributeError
            If the layer is in no network.
        """
        arguments = self._first_node().args
        return arguments[0] if len(arguments) == 1 else list(arguments)

    @property
    def output(self) -> Any:
        """The symbolic output of the layer's first place in a network.

        Raises
        ------
        AttributeError
            If the layer is in no network.
        """
        return self._first_node().outputs

    def _first_node(self) -> Node:
        if not self._inbound_nodes:
            raise AttributeError(
                f"Layer {self.name} has no symbolic input and output: it was never called on an "
                "Input, nor added to a Sequential whose input shape is known."
            )
        return self._inbound_nodes[0]

    @property
    def dtype(self) -> str:
        """The dtype of weights and computation."""
        return self._dtype.name

    @property
    def compute_dtype(self) -> str:
        """The dtype that floating inputs are converted to."""
        return self._dtype.name

    @property
    def variable_dtype(self) -> str:
        """The dtype of weights."""
        return self._dtype.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _is_setting(value: Any) -> bool:
    """Whether an attribute is what an argument looks like, and no weight, layer or table."""
    if isinstance(value, list | tuple):
        return all(_is_setting(part) for part in value)
    return (
        value is None
        or isinstance(value, bool | int | float | str | np.generic | types.FunctionType)
        or (isinstance(value, Configurable) and not isinstance(value, Described))
    )


def _described(value: Any, name: str, owner: str) -> Any:
    """Return an argument as data, with tuples as such and activations by name."""
    if isinstance(value, tuple):
        return tuple(_described(part, name, owner) for part in value)
    if name.endswith("activation") and isinstance(value, types.FunctionType):
        known = value.__name__
        if getattr(activations, known, None) is value:
            return known
    return serialize(value, f"{owner}: {name}")
