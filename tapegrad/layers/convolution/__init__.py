"""Convolutions: plain, transposed, depthwise and separable, of sequences and images."""

from tapegrad.layers.convolution.convolution import Conv1D, Conv2D
from tapegrad.layers.convolution.depthwise import DepthwiseConv1D, DepthwiseConv2D
from tapegrad.layers.convolution.separable import SeparableConv1D, SeparableConv2D
from tapegrad.layers.convolution.transposed import Conv1DTranspose, Conv2DTranspose

# The longer names that Keras has as well.
Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D

__all__ = [
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
]
