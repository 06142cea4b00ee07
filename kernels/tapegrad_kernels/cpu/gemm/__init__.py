"""Matrix products on the CPU.

================  =============================================================
module            subject
================  =============================================================
``interface``     `gemm` on NumPy arrays
``products``      `dense` and `matmul`, on stacks and vectors too
``entry``         the native side of a call: strides, cut into parts
``blocking``      loops over blocks for the caches and threads
``packing``       generators of the packers
``microkernel``   generator of the register tiles
``table``         their addresses, one table for each dtype
``tiles``         calls of them, for convolution, recurrence and attention
================  =============================================================
"""

from tapegrad_kernels.cpu.gemm.interface import gemm
from tapegrad_kernels.cpu.gemm.products import dense, matmul

__all__ = ["dense", "gemm", "matmul"]
