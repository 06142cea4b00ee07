"""Layers that prepare data: scales, means and variances, categories."""

from tapegrad.layers.preprocessing.categories import CategoryEncoding, Discretization
from tapegrad.layers.preprocessing.normalization import Normalization
from tapegrad.layers.preprocessing.rescaling import Rescaling

__all__ = ["CategoryEncoding", "Discretization", "Normalization", "Rescaling"]
