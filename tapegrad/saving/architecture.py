"""A model's architecture as plain data and back, without weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tapegrad._core.nest import map_structure
from tapegrad._core.state import no_record
from tapegrad._core.tensor import Tensor
from tapegrad.layers.symbolic import SymbolicTensor
from tapegrad.saving.archive import parse_json
from tapegrad.utils.serialization import custom_object_scope, deserialize, serialize

__all__ = ["clone_model", "describe_model", "make_model", "model_from_json", "model_to_json"]


def describe_model(model: Any) -> dict[str, Any]:
    """Return a model's class and configuration, and the shapes of its inputs if it needs them.

    A model whose subclass writes ``call`` only knows its weights once it has been called; the
    shapes and dtypes of that call are kept.

    Raises
    ------
    TypeError
        If a part cannot be described, such as a lambda.
    """
    described = serialize(model, model.name)
    seen = getattr(model, "_seen_inputs", None)
    if seen is not None:
        leaves: list[Any] = []
        described["inputs"] = {
            "arguments": serialize(map_structure(lambda leaf: _numbered(leaf, leaves), seen)),
            "tensors": [[list(leaf.shape), leaf.dtype.name] for leaf in leaves],
        }
    return described


def _numbered(leaf: Any, leaves: list[Any]) -> Any:
    """Return what stands for a leaf of a call's arguments: tensors are listed by number."""
    if not isinstance(leaf, SymbolicTensor):
        return leaf
    leaves.append(leaf)
    return {_TENSOR: len(leaves) - 1}


def make_model(described: Mapping[str, Any], source: str) -> Any:
    """Make a model from what `describe_model` returned; its weights are fresh.

    Parameters
    ----------
    described
        The description.
    source
        What it was read from, for errors.

    Raises
    ------
    ValueError
        If it describes no model, or names a class that is not known here.
    """
    from tapegrad.models import Model

    try:
        model = deserialize({key: described[key] for key in _DESCRIPTION if key in described})
        if not isinstance(model, Model):
            raise TypeError(f"it is a {type(model).__name__}, not a model")
        if "inputs" in described and not model.built:
            _call_on_zeros(model, deserialize(described["inputs"]))
    except ValueError as error:  # a sentence already: a class that is not known, a shape
        raise ValueError(f"{source}: {error}") from error
    except (TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(
            f"{source} does not describe a model: {type(error).__name__}: {error}."
        ) from error
    except MemoryError as error:
        raise ValueError(f"{source} describes a model that is too large: {error}.") from error
    return model


_TENSOR = "__tensor__"
_DESCRIPTION = ("module", "class_name", "registered_name", "config")


def _call_on_zeros(model: Any, inputs: Mapping[str, Any]) -> None:
    """Build a model by calling it on zeros of the shapes and dtypes of its first call."""
    tensors = [
        Tensor(np.zeros([1 if n is None else n for n in shape], dtype))
        for shape, dtype in inputs["tensors"]
    ]

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {_TENSOR}:
                return tensors[value[_TENSOR]]
            return {name: fill(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(fill(part) for part in value)
        return value

    args, kwargs = fill(deserialize(inputs["arguments"]))
    with no_record():
        model(*args, **kwargs)
    model._clear_losses()


def model_to_json(model: Any, **options: Any) -> str:
    """Return a model's architecture as JSON, without weights.

    Parameters
    ----------
    model
        The model.
    **options
        For `json.dumps`, such as ``indent``.

    Raises
    ------
    TypeError
        If a part cannot be described, such as a lambda.

    Examples
    --------
    >>> import tapegrad as tg
    >>> model = tg.Sequential([tg.Input((4,)), tg.layers.Dense(2)])
    >>> model_from_json(model_to_json(model)).count_params()
    10
    """
    return json.dumps(describe_model(model), **options)


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a model from what `model_to_json` returned; its weights are fresh.

    Parameters
    ----------
    json_string
        The text.
    custom_objects
        Classes and functions of your own by name, if they are not registered.

    Raises
    ------
    ValueError
        If it describes no model, or names a class that is not known here.
    """
    described = parse_json(json_string.encode(), "The JSON text")
    if not isinstance(described, dict):
        raise ValueError("The JSON text does not describe a model.")
    with custom_object_scope(dict(custom_objects or {})):
        return make_model(described, "The JSON text")


def clone_model(model: Any) -> Any:
    """Return a model of the same architecture, with weights of its own, freshly drawn.

    Classes need not be registered for this.

    Raises
    ------
    TypeError
        If a part cannot be described.

    Examples
    --------
    >>> import tapegrad as tg
    >>> model = tg.Sequential([tg.Input((4,)), tg.layers.Dense(2)])
    >>> twin = clone_model(model)
    >>> twin.layers[0].kernel is model.layers[0].kernel
    False
    """
    kinds = {type(layer).__name__: type(layer) for layer in model._all_layers()}
    with custom_object_scope(kinds):
        return make_model(describe_model(model), f"clone_model of {model.name}")
