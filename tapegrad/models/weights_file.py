"""Weights on disk: safetensors, which holds arrays and nothing that could run."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from tapegrad._core.variable import Variable
from tapegrad.utils.files import atomic_path

__all__ = ["read_weights", "write_weights"]

_OTHER_FORMATS = (".h5", ".hdf5", ".keras", ".pkl", ".pt", ".npz")


def _check_name(path: str) -> None:
    if path.endswith(_OTHER_FORMATS):
        raise ValueError(
            f"{path}: weights are kept in the safetensors format; use a name that ends in "
            ".safetensors."
        )


def write_weights(path: str | os.PathLike[str], variables: Mapping[str, Variable]) -> None:
    """Write variables by name; the file is complete or not there.

    Raises
    ------
    ValueError
        If the name asks for another format.
    FileNotFoundError
        If the folder does not exist.
    """
    from safetensors.numpy import save_file

    name = os.fspath(path)
    _check_name(name)
    arrays = {key: np.ascontiguousarray(v.numpy()).reshape(v.shape) for key, v in variables.items()}
    with atomic_path(name) as temporary:
        save_file(arrays, temporary, metadata={"format": "tapegrad"})


def read_weights(path: str | os.PathLike[str], variables: Mapping[str, Variable]) -> None:
    """Assign variables by name from a file; none is assigned unless all fit.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or its names or shapes are not those of the variables.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    name = os.fspath(path)
    _check_name(name)
    if not os.path.isfile(name):
        raise FileNotFoundError(f"There is no file {name}.")
    try:
        arrays = load_file(name)
    except (SafetensorError, ValueError, OSError, KeyError) as error:
        raise ValueError(f"{name} is damaged or not a safetensors file: {error}.") from None
    missing = [key for key in variables if key not in arrays]
    unknown = [key for key in arrays if key not in variables]
    if missing or unknown:
        parts = []
        if missing:
            parts.append(f"it lacks {_listing(missing)}")
        if unknown:
            parts.append(f"it has {_listing(unknown)}, which the model lacks")
        raise ValueError(f"{name} does not fit the model: {' and '.join(parts)}.")
    for key, variable in variables.items():
        if arrays[key].shape != variable.shape:
            raise ValueError(
                f"{name} does not fit the model: {key} has shape {arrays[key].shape} in the file "
                f"and {variable.shape} in the model."
            )
        if (arrays[key].dtype.kind == "f") != (variable.dtype.kind == "f"):
            raise ValueError(
                f"{name} does not fit the model: {key} has dtype {arrays[key].dtype} in the file "
                f"and {variable.dtype} in the model."
            )
    for key, variable in variables.items():
        variable.assign(arrays[key])


def _listing(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
