"""Functions that listings use around a model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tapegrad.utils.categorical import to_categorical
from tapegrad.utils.seeding import set_random_seed

if TYPE_CHECKING:
    from tapegrad.plot import plot_model
    from tapegrad.saving import (
        CustomObjectScope,
        custom_object_scope,
        deserialize_keras_object,
        get_registered_name,
        get_registered_object,
        register_keras_serializable,
        serialize_keras_object,
    )
    from tapegrad.utils.batches import pack_x_y_sample_weight, unpack_x_y_sample_weight
    from tapegrad.utils.dataset_splitting import split_dataset
    from tapegrad.utils.downloading import get_file
    from tapegrad.utils.images import array_to_img, img_to_array, load_img, save_img
    from tapegrad.utils.normalizing import normalize
    from tapegrad.utils.progress import Progbar
    from tapegrad.utils.py_dataset import PyDataset, Sequence
    from tapegrad.utils.sequences import pad_sequences
    from tapegrad.utils.session import clear_session
    from tapegrad.utils.timeseries import timeseries_dataset_from_array

__all__ = [
    "to_categorical",
    "normalize",
    "pad_sequences",
    "timeseries_dataset_from_array",
    "split_dataset",
    "PyDataset",
    "Sequence",
    "get_file",
    "array_to_img",
    "img_to_array",
    "load_img",
    "save_img",
    "Progbar",
    "set_random_seed",
    "clear_session",
    "plot_model",
    "pack_x_y_sample_weight",
    "unpack_x_y_sample_weight",
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_registered_name",
    "get_registered_object",
    "register_keras_serializable",
    "serialize_keras_object",
]

# Loaded at their first use: everything imports some module of this package, few need these.
_MODULES = {
    "CustomObjectScope": "saving",
    "Progbar": "utils.progress",
    "PyDataset": "utils.py_dataset",
    "Sequence": "utils.py_dataset",
    "array_to_img": "utils.images",
    "clear_session": "utils.session",
    "custom_object_scope": "saving",
    "deserialize_keras_object": "saving",
    "get_file": "utils.downloading",
    "get_registered_name": "saving",
    "get_registered_object": "saving",
    "img_to_array": "utils.images",
    "load_img": "utils.images",
    "normalize": "utils.normalizing",
    "pack_x_y_sample_weight": "utils.batches",
    "pad_sequences": "utils.sequences",
    "plot_model": "plot",
    "register_keras_serializable": "saving",
    "save_img": "utils.images",
    "serialize_keras_object": "saving",
    "split_dataset": "utils.dataset_splitting",
    "timeseries_dataset_from_array": "utils.timeseries",
    "unpack_x_y_sample_weight": "utils.batches",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(importlib.import_module(f"tapegrad.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'tapegrad.utils' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
