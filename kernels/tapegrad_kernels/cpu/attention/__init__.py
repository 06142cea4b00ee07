"""Scaled dot-product attention in blocks, forward and backward.

==============  ================================================================
module          subject
==============  ================================================================
``interface``   the public functions, and how a call is cut into tasks
``operands``    checks arguments, finds the matrices of each head
``forward``     what a task of the forward pass does
``backward``    what a task of the backward pass does
``panels``      packing, multiplying, masking: what both are made of
``steps``       softmax on a tile of scores, in vectors
``layout``      the record that the kernels read
==============  ================================================================
"""

from tapegrad_kernels.cpu.attention.interface import attention, attention_grad

__all__ = ["attention", "attention_grad"]
