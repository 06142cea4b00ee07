"""Convolution on the CPU, channels last: images NHWC, weights HWIO.

===================  ==========================================================
module               subject
===================  ==========================================================
``interface``        `conv2d` and its two gradients, on NumPy arrays
``one_dimensional``  the same over sequences
``geometry``         arguments checked, sizes
``plan``             the choice of an algorithm, and of its blocks
``record``           what a call tells the native side
``driver``           cutting a call into parts for threads
``packing``          weights in the order in which the micro-kernels read them
``correlation``      forward, and input gradients of stride 1: implicit gemm
``scatter``          input gradients of any stride: tiles added where they belong
``kernel_grad``      gradients of the weights: implicit gemm over positions
===================  ==========================================================

All three are made of the universal micro-kernel of `tapegrad_kernels.cpu.gemm`.
"""

from tapegrad_kernels.cpu.convolution.interface import (
    conv2d,
    conv2d_input_grad,
    conv2d_kernel_grad,
    conv2d_with_bias,
)
from tapegrad_kernels.cpu.convolution.one_dimensional import (
    conv1d,
    conv1d_input_grad,
    conv1d_kernel_grad,
)

__all__ = [
    "conv1d",
    "conv1d_input_grad",
    "conv1d_kernel_grad",
    "conv2d",
    "conv2d_input_grad",
    "conv2d_kernel_grad",
    "conv2d_with_bias",
]
