"""Layers at the beginning of networks on sequences: vectors for words, and masks."""

from tapegrad.layers.embedding.embedding import Embedding
from tapegrad.layers.embedding.masking import Masking

__all__ = ["Embedding", "Masking"]
