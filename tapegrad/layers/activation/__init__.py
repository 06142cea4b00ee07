"""Activation functions as layers."""

from tapegrad.layers.activation.activation import Activation
from tapegrad.layers.activation.rectified import ELU, LeakyReLU, PReLU, ReLU
from tapegrad.layers.activation.softmax import Softmax

__all__ = ["ELU", "Activation", "LeakyReLU", "PReLU", "ReLU", "Softmax"]
