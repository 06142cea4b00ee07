"""Weights in Keras's own files: ``.weights.h5``, and the one inside ``.keras``."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tapegrad.layers.base import Layer
from tapegrad.saving.archive import open_archive, read_member
from tapegrad.saving.assignment import Assignment, listing
from tapegrad.saving.keras_paths import KerasWeights, keras_weights
from tapegrad.saving.legacy_h5 import add_legacy, is_legacy
from tapegrad.saving.tensors_file import read_file
from tapegrad.utils.files import atomic_path

__all__ = ["read_keras_optimizer", "read_keras_weights", "write_keras_weights"]

_INSIDE_KERAS = "model.weights.h5"

# Groups at the root of a file that hold the state of training, not of the model.
_NOT_OF_THE_MODEL = ("optimizer", "loss_tracker", "metrics")

# The number of steps and the learning rate.
_WITHOUT_SLOTS = 2

# What files of earlier versions of Keras call the parts that _COMPOSED names.
_EARLIER_NAMES = {
    "_layer_checkpoint_dependencies": "layers",
    "_query_dense": "query_dense",
    "_key_dense": "key_dense",
    "_value_dense": "value_dense",
    "_output_dense": "output_dense",
}


def read_keras_weights(
    model: Layer, path: str | os.PathLike[str], skip_mismatch: bool = False, by_name: bool = False
) -> None:
    """Assign a model's weights from a file of Keras; none is assigned unless all fit.

    Layers are matched by their place: the first Dense of the file is that of the model, and so on.

    Parameters
    ----------
    model
        A built model of the same structure.
    path
        A file ``.weights.h5`` or ``.keras`` of Keras 3, or ``.h5`` as Keras 2 wrote it.
    skip_mismatch
        Whether weights that do not fit are left as they are, with a warning.
    by_name
        Whether layers are matched by their names instead; layers of other names are left.

    Raises
    ------
    ModuleNotFoundError
        If h5py is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or its layers or shapes are not those of the model.
    """
    source = os.fspath(path)
    assignment = Assignment(source, skip_mismatch)
    with _opened(source) as file:
        if is_legacy(file):
            add_legacy(file, model, assignment, by_name)
        else:
            _add_weights(file, model, assignment, by_name)
    assignment.apply()


def read_keras_optimizer(model: Any, path: str) -> None:
    """Take over the state of the optimizer in a file of Keras 3, if there is one that fits.

    Optimizers number their variables alike. State of an optimizer that never took a step, or had
    other options, is left: training then begins anew, with a warning.
    """
    with _opened(path) as file:
        group = file.get("optimizer/vars")
        values = [] if group is None else [group[str(index)] for index in range(len(group))]
        if len(values) <= _WITHOUT_SLOTS or model.optimizer is None:
            return
        model.optimizer.build(model.trainable_variables)
        named = model.optimizer.named_variables()
        if [value.shape for value in values] != [variable.shape for variable in named.values()]:
            warnings.warn(
                f"{path}: the state of the optimizer does not fit {model.optimizer.name} here, so "
                "it begins anew.",
                stacklevel=5,
            )
            return
        assignment = Assignment(path)
        for (name, variable), value in zip(named.items(), values):
            assignment.add(f"the optimizer's {name}", variable, value)
    assignment.apply()


def write_keras_weights(model: Layer, path: str | os.PathLike[str]) -> None:
    """Write a model's weights to a ``.weights.h5`` file that Keras 3 reads into an equal model."""
    h5py = _h5py("writing .weights.h5 files")
    named = keras_weights(model)
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for group, name in named.layers.items():
            file.create_group(group).attrs["name"] = name
        for key, variable in named.variables.items():
            file[key] = variable.numpy()
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _h5py(purpose: str) -> Any:
    try:
        import h5py
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f'{purpose} needs h5py, which is not installed: pip install "tapegrad[keras]".',
            name="h5py",
        ) from None
    return h5py


@contextmanager
def _opened(source: str) -> Iterator[Any]:
    """Open the HDF5 file at a path, or the one in the ``.keras`` archive at a path."""
    h5py = _h5py("Reading Keras's files")
    if source.endswith(".keras"):
        with open_archive(source) as archive:
            content = read_member(archive, _INSIDE_KERAS, source)
    else:
        content = read_file(source)
    try:
        # From memory: a file that changes meanwhile, or points at others, has no effect.
        file = h5py.File(io.BytesIO(content), "r")
    except OSError as error:
        raise ValueError(f"{source} is damaged or not an HDF5 file: {error}.") from None
    with file:
        try:
            yield file
        except (OSError, KeyError, RuntimeError) as error:
            raise ValueError(f"{source} is damaged: {error}.") from None


def _datasets(file: Any) -> dict[str, Any]:
    """Return the datasets of a file of Keras 3 by path, in the names of its latest version.

    They are not read yet. Links are not followed, so nothing outside the file is reached.
    """
    found: dict[str, Any] = {}

    def note(path: str, item: Any) -> None:
        parts = path.split("/")
        if not hasattr(item, "shape") or len(parts) < 2 or parts[-2] != "vars":
            return
        if parts[0] in _NOT_OF_THE_MODEL or any("seed_generator" in part for part in parts):
            return
        if item.is_virtual or item.external:
            raise ValueError(f"{path} refers to other files, which is not allowed.")
        found[_latest(path)] = item

    file.visititems(note)
    return found


def _latest(path: str) -> str:
    """Return a path in one spelling for all versions of Keras."""
    return "/".join(_EARLIER_NAMES.get(part, part) for part in path.split("/"))


def _add_weights(file: Any, model: Layer, assignment: Assignment, by_name: bool) -> None:
    datasets = _datasets(file)
    named = keras_weights(model)
    named.variables = {_latest(key): variable for key, variable in named.variables.items()}
    named.layers = {_latest(group): name for group, name in named.layers.items()}
    if by_name:
        datasets = _renamed(datasets, named)
        present = {_group(key) for key in datasets}
        named.variables = {k: v for k, v in named.variables.items() if _group(k) in present}
    wanted = {_group(key) for key in named.variables}
    given = {_group(key) for key in datasets}
    for group in wanted - given:
        assignment.refuse(f"it has no weights for {_described(group, named)}")
    if given - wanted:
        names = listing(
            sorted(group.removesuffix("/vars") or "the model" for group in given - wanted)
        )
        assignment.refuse(f"it has weights for {names}, which the model lacks")
    for group in named.layers:
        if group in wanted & given:
            _add_group(group, datasets, named, assignment)


def _add_group(
    group: str, datasets: Mapping[str, Any], named: KerasWeights, assignment: Assignment
) -> None:
    """Note the weights of one layer."""
    variables = {k: v for k, v in named.variables.items() if _group(k) == group}
    values = {key: value for key, value in datasets.items() if _group(key) == group}
    if len(values) != len(variables):
        assignment.refuse(
            f"{_described(group, named)} has {len(values)} weights in the file and "
            f"{len(variables)} in the model"
        )
        return
    for key, variable in variables.items():
        if key not in values:
            assignment.refuse(f"it has no weight {key}")
        else:
            assignment.add(
                f"the {variable.name} of {_described(group, named)}", variable, values[key]
            )


def _renamed(datasets: dict[str, Any], named: KerasWeights) -> dict[str, Any]:
    """Return the datasets of layers whose names the model has too, under the model's paths."""
    places = {
        name: group.removesuffix("vars")
        for group, name in named.layers.items()
        if group.count("/") == 2  # layers/<place>/vars
    }
    moved: dict[str, Any] = {}
    for key, dataset in datasets.items():
        top = "/".join(key.split("/")[:2])
        group = dataset.file.get(f"{top}/vars")
        name = None if group is None else group.attrs.get("name")
        if name in places:
            moved[places[name] + key.removeprefix(top + "/")] = dataset
    return moved


def _group(key: str) -> str:
    return key.rpartition("/")[0]


def _described(group: str, named: KerasWeights) -> str:
    place = group.removesuffix("vars").removesuffix("/")
    return f"layer {named.layers[group]}" + (f" ({place} in the file)" if place else "")
