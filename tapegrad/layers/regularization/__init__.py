"""Layers that work against overfitting: noise and penalties while training."""

from tapegrad.layers.regularization.activity import ActivityRegularization
from tapegrad.layers.regularization.dropout import (
    Dropout,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from tapegrad.layers.regularization.noise import AlphaDropout, GaussianDropout, GaussianNoise

__all__ = [
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]
