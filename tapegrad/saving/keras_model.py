"""Whole models from Keras's ``.keras`` files: first the architecture, then the weights.

Classes have the same names and arguments here, so a description is followed as it stands; what
this library does not have is refused by name.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from tapegrad._core.registry import operations
from tapegrad.layers import InputLayer, Layer, Operation
from tapegrad.saving.archive import open_archive, parse_json, read_member
from tapegrad.saving.keras_file import read_keras_optimizer, read_keras_weights
from tapegrad.utils.lookup import snake_case, suggestion
from tapegrad.utils.serialization import get_registered_object

__all__ = ["load_keras_model"]

# Where Keras's names are looked for here; the end of Keras's module says which comes first.
_TABLES = (
    "layers",
    "models",
    "initializers",
    "regularizers",
    "constraints",
    "losses",
    "metrics",
    "schedules",
    "optimizers",
    "activations",
)

# Arguments that describe what Keras's other backends can do, or what a layer finds out by itself.
_NOT_NEEDED = frozenset(
    (
        "batch_input_shape",
        "build_input_shape",
        "key_shape",
        "query_shape",
        "ragged",
        "sparse",
        "value_shape",
        "synchronized",
    )
)


class _Unknown(ValueError):
    """Something that this library does not have."""


def load_keras_model(path: str, compile: bool) -> Any:
    """Make a model from a ``.keras`` file.

    Parameters
    ----------
    path
        The file.
    compile
        Whether to compile it as it was when it was saved, with the optimizer's state.

    Raises
    ------
    ModuleNotFoundError
        If h5py is not installed.
    ValueError
        If the file is damaged, or has a layer or an argument that is not known here.
    """
    with open_archive(path) as archive:
        config = parse_json(read_member(archive, "config.json", path), f"config.json in {path}")
    try:
        model = _make(config)
        if not isinstance(model, Layer):
            raise TypeError("it is not a model")
        _build(model, config.get("build_config"))
    except _Unknown as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from None
    except ValueError as error:
        raise ValueError(f"config.json in {path}: {error}") from error
    except (TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(
            f"config.json in {path} does not describe a model: {type(error).__name__}: {error}."
        ) from error
    read_keras_weights(model, path)
    if compile and config.get("compile_config"):
        _compile(model, config["compile_config"], path)
        read_keras_optimizer(model, path)
    return model


def _build(model: Any, config: Any) -> None:
    """Build a model that did not know its input's shape when it was made."""
    if model.built or not isinstance(config, Mapping):
        return
    shape = config.get("input_shape")
    if shape is not None:
        model.build(_as_shape(shape))


def _as_shape(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {name: _as_shape(part) for name, part in shape.items()}
    if all(n is None or isinstance(n, int) for n in shape):
        return tuple(shape)
    return [_as_shape(part) for part in shape]


def _compile(model: Any, config: Mapping[str, Any], path: str) -> None:
    try:
        known = inspect.signature(model.compile).parameters
        given = {name: _make(value) for name, value in config.items() if name in known}
        # How steps are run is a matter of the machine, not of the model.
        for name in ("jit_compile", "steps_per_execution", "run_eagerly"):
            given.pop(name, None)
        model.compile(**given)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} cannot be compiled as it was; load it with compile=False: {error}"
        ) from error


# ---- objects -------------------------------------------------------------------------


def _make(data: Any) -> Any:
    """Return what a description of Keras's stands for."""
    if isinstance(data, list):
        return [_make(part) for part in data]
    if not isinstance(data, dict):
        return data
    name = data.get("class_name")
    if not isinstance(name, str):
        return {key: _make(part) for key, part in data.items()}
    if name == "__tuple__":
        return tuple(_make(part) for part in data["items"])
    config: Any = data.get("config")
    if name in ("DTypePolicy", "__typespec__"):
        return config["name"]
    if name in ("__numpy__", "__tensor__"):
        return np.asarray(config["value"], dtype=config["dtype"])
    if name == "__slice__":
        return slice(*[_make(config[part]) for part in ("start", "stop", "step")])
    if name in ("__lambda__", "__bytes__"):
        raise _Unknown(f"it holds a {name.strip('_')}, which is not read.")
    if name == "function":
        return _function(str(config), data)
    if not isinstance(config, dict):
        return {key: _make(part) for key, part in data.items()}
    if ".ops" in str(data.get("module")):
        return _operation(name, config)
    kind = _class(name, data)
    if "input_layers" in config:
        return _make_graph(kind, config)
    if name == "Sequential":
        return _make_sequential(kind, config)
    return kind.from_config(_arguments(kind, config))


def _class(name: str, data: Mapping[str, Any]) -> Any:
    if name == "Functional":
        name = "Model"
    for registered in (data.get("registered_name"), name):
        found = get_registered_object(registered) if registered else None
        if found is not None:
            return found
    names: list[str] = []
    for table in sorted(_TABLES, key=lambda part: part not in str(data.get("module"))):
        module = _table(table)
        if name in module.__all__:
            return getattr(module, name)
        names += module.__all__
    raise _Unknown(
        f"{name} is not known here; if it is a class of your own, pass it in "
        f"custom_objects={{{name!r}: …}}.{suggestion(name, names)}"
    )


def _table(name: str) -> Any:
    return importlib.import_module(f"tapegrad.{'optimizers.' if name == 'schedules' else ''}{name}")


def _function(name: str, data: Mapping[str, Any]) -> Any:
    found = get_registered_object(data.get("registered_name") or name)
    found = found or get_registered_object(name)
    if found is not None:
        return found
    for table in ("activations", "losses", "metrics"):
        if name in _table(table).__all__:
            return getattr(_table(table), name)
    raise _Unknown(
        f"the function {name} is not known here; pass it in custom_objects={{{name!r}: …}}."
    )


def _arguments(kind: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for a class; those that only say nothing of importance are left out."""
    known: set[str] = set()
    for base in kind.__mro__:
        if "__init__" in vars(base):
            parameters = inspect.signature(base.__init__).parameters.values()
            known |= {parameter.name for parameter in parameters}
            if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
                break
    known |= {"name", "dtype", "trainable"} if issubclass(kind, Layer) else set()
    given: dict[str, Any] = {}
    for name, value in config.items():
        if name in known:
            given[name] = _make(value)
        elif value is None or value is False or name in _NOT_NEEDED:
            continue
        else:
            raise _Unknown(f"{kind.__name__} has the argument {name}={value!r}, unknown here.")
    return given


def _operation(name: str, config: Mapping[str, Any]) -> Any:
    """Return what calls an operation; Keras keeps its options apart from its tensors."""
    options = {key: _make(value) for key, value in config.items() if key != "name"}
    short = snake_case(name)
    short = _OPERATIONS.get(short, short)
    if short not in operations:
        raise _Unknown(f"the operation {name} is not known here.")
    layer = Operation(short)
    if short == "getitem":  # JSON knows no tuples
        return lambda x, key: layer(x, tuple(key) if isinstance(key, list) else key)
    return lambda *args, **kwargs: layer(*args, **kwargs, **options)


# Operations that have another name here.
_OPERATIONS = {"get_item": "getitem", "true_divide": "divide"}


# ---- networks ------------------------------------------------------------------------


def _make_sequential(kind: Any, config: Mapping[str, Any]) -> Any:
    model = kind(name=config.get("name"))
    for layer in config["layers"]:
        model.add(_make(layer))
    if not config.get("trainable", True):
        model.trainable = False
    return model


def _make_graph(kind: Any, config: Mapping[str, Any]) -> Any:
    """Make the layers of a graph and call them as often as they were called, each in its turn."""
    layers: dict[str, Any] = {}
    calls: list[tuple[str, int, Any]] = []
    results: dict[tuple[str, int], list[Any]] = {}
    for description in config["layers"]:
        layer = _make(description)
        name = description.get("name") or layer.name
        layers[name] = layer
        if isinstance(layer, InputLayer):
            results[name, 0] = [layer.output]
        for index, node in enumerate(description.get("inbound_nodes", [])):
            calls.append((name, index, node))
    while calls:
        # A call may come before those that it needs: layers are listed, not calls.
        later = []
        for name, index, node in calls:
            try:
                args, kwargs = _fill(node["args"], results), _fill(node["kwargs"], results)
            except _NotYet:
                later.append((name, index, node))
                continue
            kwargs = {key: value for key, value in kwargs.items() if value is not None}
            outputs = layers[name](*args, **kwargs)
            results[name, index] = _flat(outputs)
        if len(later) == len(calls):
            raise ValueError(f"the inputs of layer {later[0][0]} are not in the network.")
        calls = later
    inputs = _ends(config["input_layers"], results)
    outputs = _ends(config["output_layers"], results)
    model = kind(inputs=inputs, outputs=outputs, name=config.get("name"))
    if not config.get("trainable", True):
        model.trainable = False
    return model


class _NotYet(Exception):
    """A tensor that no call has made yet."""


def _fill(data: Any, results: Mapping[tuple[str, int], list[Any]]) -> Any:
    """Return the arguments of a call with symbolic tensors in their places."""
    if isinstance(data, list):
        return [_fill(part, results) for part in data]
    if not isinstance(data, dict):
        return data
    if data.get("class_name") == "__keras_tensor__":
        name, node, index = data["config"]["keras_history"]
        if (name, node) not in results:
            raise _NotYet
        return results[name, node][index]
    if data.get("class_name") == "__tuple__":
        return tuple(_fill(part, results) for part in data["items"])
    if "class_name" in data:
        return _make(data)
    return {key: _fill(part, results) for key, part in data.items()}


def _ends(data: Any, results: Mapping[tuple[str, int], list[Any]]) -> Any:
    """Return the inputs or outputs, in the structure in which they are listed."""
    if isinstance(data, dict):
        return {key: _ends(part, results) for key, part in data.items()}
    if len(data) == 3 and isinstance(data[0], str):
        return results[data[0], data[1]][data[2]]
    return [_ends(part, results) for part in data]


def _flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, dict):
        return [leaf for part in outputs.values() for leaf in _flat(part)]
    if isinstance(outputs, list | tuple):
        return [leaf for part in outputs for leaf in _flat(part)]
    return [outputs]
