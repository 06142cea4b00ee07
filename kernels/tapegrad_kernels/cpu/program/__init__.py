"""Kernels as rows of a table, so that many of them run in one native call.

Called from Python, a kernel checks its arrays, makes room for the result and enters
machine code. A *program* does the first two once: it holds a table of rows
``(address of a block, address of its record, start, stop)`` and runs all of them in one
call, without Python and without the GIL.

=====================  ========================================================
module                 subject
=====================  ========================================================
``operand``            an array before it has an address
``builder``            collects the rows of one operation: what a lowering writes with
``lowering``           the table of lowerings: for each kernel, which rows it is
``layout``             rows of all operations in one array of words, with patches
``executor``           the native loop over the rows
``copying``            copies, conversions and fills between any strides
``loops``              NumPy's own loops over strided arrays, called natively
``chains``             elementwise operations fused into one loop
families               ``products``, ``elementwise``, … : the lowerings
=====================  ========================================================

The names and arguments of lowerings are those of the kernels in `tapegrad_kernels.cpu`,
and their results have the same bits.
"""

from tapegrad_kernels.cpu.program.builder import Builder, Row
from tapegrad_kernels.cpu.program.layout import Frame, Layout
from tapegrad_kernels.cpu.program.lowering import NotNative, lowering_of, lowers
from tapegrad_kernels.cpu.program.operand import ARENA, STATUS, Operand

__all__ = [
    "ARENA",
    "STATUS",
    "Builder",
    "Frame",
    "Layout",
    "NotNative",
    "Operand",
    "Row",
    "lowering_of",
    "lowers",
]
