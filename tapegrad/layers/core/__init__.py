"""Layers of general use: products of one's choice, functions, and nothing at all."""

from tapegrad.layers.core.einsum_dense import EinsumDense
from tapegrad.layers.core.lambda_layer import Identity, Lambda
from tapegrad.layers.core.wrapper import Wrapper

__all__ = ["EinsumDense", "Identity", "Lambda", "Wrapper"]
