"""Models: layers that can be trained. Names and methods of Keras 3."""

from tapegrad.layers import Input
from tapegrad.models.model import Model
from tapegrad.models.sequential import Sequential

__all__ = ["Model", "Sequential", "Input"]
