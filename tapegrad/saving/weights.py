"""A model's weights to a file and back, in the format that the file's name says."""

from __future__ import annotations

import os
from typing import Any

from tapegrad.saving.assignment import Assignment
from tapegrad.saving.keras_file import read_keras_weights, write_keras_weights
from tapegrad.saving.model_file import read_model_weights
from tapegrad.saving.tensors_file import read_tensors, write_tensors

__all__ = ["load_weights", "save_weights"]

# What parameters are called in PyTorch, and never here, where names have slashes.
_OF_TORCH = (".weight", ".bias", ".running_mean", ".running_var", ".num_batches_tracked")

_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt")


def save_weights(model: Any, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write a model's weights.

    The file appears under its name when it is complete; one that was there before is replaced in
    one step.

    Parameters
    ----------
    model
        A built model or layer.
    filepath
        ``….safetensors``, or ``….weights.h5`` for a file that Keras 3 reads (which needs h5py).
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    ValueError
        If the model is not built, or the name asks for another format.
    FileExistsError
        If the file exists and must not be replaced.
    """
    name = os.fspath(filepath)
    if not model.built:
        raise ValueError(f"{model.name} is not built yet, so there are no weights to save.")
    if not name.endswith((".safetensors", ".weights.h5")) and _suffix(name) in _OTHERS:
        raise ValueError(
            f"{name}: weights are kept in the safetensors format, use a name that ends in "
            ".safetensors (or .weights.h5, to be read by Keras)."
        )
    if not overwrite and os.path.exists(name):
        raise FileExistsError(f"{name} exists already.")
    if name.endswith(".weights.h5"):
        write_keras_weights(model, name)
    else:
        write_tensors(name, {key: v.numpy() for key, v in model.named_weights().items()})


def load_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    skip_mismatch: bool = False,
    by_name: bool = False,
) -> None:
    """Read a model's weights; they are as before unless all fit.

    Parameters
    ----------
    model
        A built model or layer.
    filepath
        What `save_weights` or `save_model` wrote, or a file of Keras: ``.weights.h5``, ``.keras``,
        or the older ``.h5`` (which need h5py).
    skip_mismatch
        Whether weights that do not fit are left as they are, with a warning.
    by_name
        For files of Keras: whether layers are matched by name instead of by place; the others are
        left as they are.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the model is not built, the file is damaged or belongs to another model.
    """
    name = os.fspath(filepath)
    if not model.built:
        raise ValueError(
            f"{model.name} is not built yet: call it on data, or build(input_shape), before "
            "load_weights."
        )
    if name.endswith((".h5", ".hdf5", ".keras")):
        read_keras_weights(model, name, skip_mismatch, by_name)
        return
    if by_name:
        raise ValueError(
            f"load_weights: by_name is for files of Keras (.weights.h5, .keras, .h5); in {name} "
            "weights have the names of their places in the model."
        )
    if name.endswith(_PICKLES):
        raise ValueError(
            f"{name} may hold code (pickle), so it is not read; PyTorch's weights are read by "
            "tapegrad.saving.load_torch_weights after safetensors.torch.save_file("
            "module.state_dict(), 'weights.safetensors')."
        )
    if name.endswith(".tapegrad"):
        arrays = read_model_weights(name)
    else:
        arrays = read_tensors(name)
    foreign = next((key for key in arrays if key.endswith(_OF_TORCH)), None)
    if foreign is not None:
        raise ValueError(
            f"{name} holds the state dict of a PyTorch module, as in {foreign!r}; read it with "
            "tapegrad.saving.load_torch_weights(model, path)."
        )
    assignment = Assignment(name, skip_mismatch)
    assignment.add_named(model.named_weights(), arrays)
    assignment.apply()


_OTHERS = (".h5", ".hdf5", ".keras", ".tapegrad", ".npz", ".npy", *_PICKLES)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1]
