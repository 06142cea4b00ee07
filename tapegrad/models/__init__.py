"""Models: layers that can be trained. Names and methods of Keras 3."""

from tapegrad.layers import Input
from tapegrad.models.model import Model
from tapegrad.models.sequential import Sequential
from tapegrad.saving import clone_model, load_model, model_from_json, save_model

__all__ = [
    "Model",
    "Sequential",
    "Input",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
