"""Layers that give what passes a fixed mean, variance or length."""

from tapegrad.layers.normalization.batch_normalization import BatchNormalization
from tapegrad.layers.normalization.group_normalization import GroupNormalization
from tapegrad.layers.normalization.layer_normalization import (
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from tapegrad.layers.normalization.spectral_normalization import SpectralNormalization

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "SpectralNormalization",
    "UnitNormalization",
]
