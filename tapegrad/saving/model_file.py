"""Whole models in one file: the architecture as JSON, weights and state as safetensors.

====================================  ============================================================
member of a ``.tapegrad`` archive     content
====================================  ============================================================
``metadata.json``                     format, version of tapegrad, date, SHA-256 of the others
``config.json``                       classes and arguments of all layers; what `compile` was given
``weights.safetensors``               the weights by their place in the model
``optimizer.safetensors``             moments, counters and learning rates of optimizers
``generators.safetensors``            states of the random generators that layers own
====================================  ============================================================

Nothing in it is code: classes are named, and made only if they are tapegrad's or were registered.
"""

from __future__ import annotations

import datetime
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tapegrad.saving.architecture import describe_model, make_model
from tapegrad.saving.archive import parse_json, read_archive, write_archive
from tapegrad.saving.assignment import Assignment
from tapegrad.saving.compilation import compile_again, describe_compilation
from tapegrad.saving.optimizer_state import (
    add_optimizer_states,
    optimized_weights,
    optimizer_states,
)
from tapegrad.saving.tensors_file import pack_tensors, unpack_tensors
from tapegrad.utils.model_names import model_name_to_read, model_name_to_write
from tapegrad.utils.serialization import custom_object_scope

__all__ = ["load_model", "read_model_weights", "save_model"]

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
GENERATORS = "generators.safetensors"

_FORMAT = 1
_KINDS: dict[str, type] = {"layers": list, "optimized": dict}


def save_model(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    include_optimizer: bool = True,
) -> None:
    """Write a whole model: architecture, weights, what it was compiled with, state of training.

    The file is complete under its name, or what was there before is untouched. What it does not
    hold, as in Keras: the default generator, and what stateful recurrent layers carry from batch to
    batch.

    Parameters
    ----------
    model
        The model.
    filepath
        Its name, which ends in ``.tapegrad``; a name of Keras's, ending in ``.keras``, gets this
        ending instead, with a warning.
    overwrite
        Whether an existing file may be replaced.
    include_optimizer
        Whether to write what `compile` was given and the optimizer's state.

    Raises
    ------
    TypeError
        If a part cannot be described without code, such as a lambda.
    ValueError
        If the name has another ending.
    FileExistsError
        If the file exists and must not be replaced.

    Examples
    --------
    >>> import tempfile
    >>> import tapegrad as tg
    >>> model = tg.Sequential([tg.Input((4,)), tg.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model.tapegrad")
    ...     again = load_model(f"{folder}/model.tapegrad")
    >>> bool((again.get_weights()[0] == model.get_weights()[0]).all())
    True
    """
    name = model_name_to_write(os.fspath(filepath), "save")
    if not overwrite and os.path.exists(name):
        raise FileExistsError(f"{name} exists already.")
    if not model.built:
        warnings.warn(
            f"{model.name} is not built yet, so {name} holds no weights: call it on data first.",
            stacklevel=3,
        )
    config = describe_model(model) | {"layers": _layer_states(model)}
    members = {WEIGHTS: _packed(model.named_weights())}
    if include_optimizer and getattr(model, "_compiled", False):
        config["compile"] = describe_compilation(model)
        config["optimized"] = optimized_weights(model)
        members[OPTIMIZER] = pack_tensors(optimizer_states(model))
    generators = _generator_states(model)
    if generators:
        members[GENERATORS] = _packed(generators)
    content = json.dumps(config, indent=1).encode()
    write_archive(name, {CONFIG: content, **members}, _metadata())


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Make a model again from a file that `save_model`, or Keras, wrote.

    A model of tapegrad's computes the same bits as the one that was saved, and trains on as if it
    had not been away.

    Parameters
    ----------
    filepath
        A ``.tapegrad`` file; or a ``.keras`` file (which needs h5py), whose architecture and
        weights are taken over, if all its layers are known here. If there is no such ``.keras``
        file, the ``.tapegrad`` file that `save_model` wrote in its place.
    custom_objects
        Classes and functions of your own by name, if they are not registered with
        `tapegrad.saving.register_serializable`.
    compile
        Whether to compile the model as it was when it was saved.
    safe_mode
        Accepted for Keras's signature: code in a file is never run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, was changed, is no model, or names a class that is not known.
    """
    name = model_name_to_read(os.fspath(filepath))
    with custom_object_scope(dict(custom_objects or {})), _undisturbed_generator():
        if name.endswith(".keras"):
            from tapegrad.saving.keras_model import load_keras_model

            return load_keras_model(name, compile)
        return _load(name, compile)


def _load(name: str, compile: bool) -> Any:
    members = _members(name)
    source = f"{CONFIG} in {name}"
    config = parse_json(members[CONFIG], source)
    if not isinstance(config, dict) or any(
        not isinstance(config.get(name, kind()), kind) for name, kind in _KINDS.items()
    ):
        raise ValueError(f"{source} does not describe a model.")
    model = make_model(config, source)
    _set_layer_states(model, config.get("layers", []))
    assignment = Assignment(name)
    assignment.add_named(model.named_weights(), _unpacked(members, WEIGHTS, name))
    assignment.add_named(_generator_states(model), _unpacked(members, GENERATORS, name))
    if compile and config.get("compile") is not None:
        compile_again(model, config["compile"], source)
        states = _unpacked(members, OPTIMIZER, name)
        add_optimizer_states(model, config.get("optimized", {}), states, assignment)
    assignment.apply()
    return model


def read_model_weights(filepath: str) -> dict[str, np.ndarray]:
    """Return the weights in a ``.tapegrad`` file by their place in the model."""
    return _unpacked(_members(filepath), WEIGHTS, filepath)


# ---- inside --------------------------------------------------------------------------


def _members(name: str) -> dict[str, bytes]:
    metadata, members = read_archive(name, (CONFIG, WEIGHTS), (OPTIMIZER, GENERATORS))
    if metadata.get("format") != _FORMAT:
        raise ValueError(
            f"{name} has format {metadata.get('format')!r}; this version of tapegrad reads format "
            f"{_FORMAT}."
        )
    return members


def _metadata() -> dict[str, Any]:
    from tapegrad import __version__

    now = datetime.datetime.now(datetime.UTC)
    return {
        "format": _FORMAT,
        "tapegrad": __version__,
        "date": now.isoformat(timespec="seconds"),
    }


def _packed(variables: Mapping[str, Any]) -> bytes:
    return pack_tensors({name: variable.numpy() for name, variable in variables.items()})


def _unpacked(members: Mapping[str, bytes], member: str, name: str) -> dict[str, np.ndarray]:
    if member not in members:
        return {}
    return unpack_tensors(members[member], f"{member} in {name}")


def _layer_states(model: Any) -> list[list[Any]]:
    """Return the name of each layer and whether it is trained, outer ones before inner ones."""
    return [[layer.name, layer.trainable] for layer in model._all_layers()]


def _set_layer_states(model: Any, states: list[list[Any]]) -> None:
    """Set names and what is trained where a class that makes its layers itself forgot them."""
    layers = list(model._all_layers())
    if len(states) != len(layers) or _layer_states(model) == states:
        return
    for layer, (name, trainable) in zip(layers, states):
        layer.name = name
        layer.trainable = bool(trainable)  # reaches inner layers, which come later


def _generator_states(model: Any) -> dict[str, Any]:
    """Return the Variables of the generators that layers own, by number."""
    states: dict[str, Any] = {}
    for index, generator in enumerate(model._generators()):
        states |= {f"{index}/seed": generator.seed, f"{index}/stream": generator.stream}
    return states


@contextmanager
def _undisturbed_generator() -> Iterator[None]:
    """Leave the default generator as it was: what a file sets needs no initial values from it."""
    from tapegrad.random import get_generator

    generator = get_generator()
    seed, stream = generator.seed.numpy(), generator.stream.numpy()
    try:
        yield
    finally:
        generator.seed.assign(seed)
        generator.stream.assign(stream)
