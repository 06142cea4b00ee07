"""Models and weights on disk. No file holds code, and none is half written.

===========================  ======================================================================
file                         written and read by
===========================  ======================================================================
``.tapegrad``                `save_model`, `load_model`: architecture, weights, state of training
``.safetensors``             `save_weights`, `load_weights`
``.weights.h5``              the same, in Keras 3's layout (needs h5py)
``.keras``, ``.h5``          read only: `load_weights`; ``.keras`` by `load_model` too (needs h5py)
PyTorch's ``.safetensors``   read only: `load_torch_weights`
===========================  ======================================================================
"""

from tapegrad.saving.architecture import clone_model, model_from_json, model_to_json
from tapegrad.saving.model_file import load_model, save_model
from tapegrad.saving.torch_weights import load_torch_weights
from tapegrad.saving.weights import load_weights, save_weights
from tapegrad.utils.serialization import (
    custom_object_scope,
    deserialize,
    get_registered_name,
    get_registered_object,
    register_serializable,
    serialize,
)

CustomObjectScope = custom_object_scope
deserialize_keras_object = deserialize
register_keras_serializable = register_serializable
serialize_keras_object = serialize

__all__ = [
    "CustomObjectScope",
    "clone_model",
    "custom_object_scope",
    "deserialize",
    "deserialize_keras_object",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_torch_weights",
    "load_weights",
    "model_from_json",
    "model_to_json",
    "register_keras_serializable",
    "register_serializable",
    "save_model",
    "save_weights",
    "serialize",
    "serialize_keras_object",
]
