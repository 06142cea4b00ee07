"""Layers. Names, arguments, defaults and shapes (channels last) of Keras 3."""

from tapegrad.layers.activation import Activation
from tapegrad.layers.base import Layer
from tapegrad.layers.dense import Dense
from tapegrad.layers.dropout import Dropout
from tapegrad.layers.flatten import Flatten
from tapegrad.layers.input import Input, InputLayer

__all__ = ["Layer", "Input", "InputLayer", "Dense", "Activation", "Dropout", "Flatten"]
