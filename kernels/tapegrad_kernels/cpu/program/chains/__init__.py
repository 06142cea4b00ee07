"""Chains of elementwise operations, each fused into one loop.

A chain is described by its inputs and steps (`description`). Its loop is written as Numba
source (`source`) with the operations of a table (`vocabulary`, `operations`), compiled in the
background and kept on disk (`compiler`). Until it is there, `interpreter` runs the chain in
blocks that stay in the cache. All of them give the bits of the separate kernels.
"""

from tapegrad_kernels.cpu.program.chains.compiler import compile_chain, is_compiled, wait
from tapegrad_kernels.cpu.program.chains.description import (
    MOST_ARRAYS,
    MOST_STEPS,
    Chain,
    Number,
    Step,
)
from tapegrad_kernels.cpu.program.chains.lowering import lower_chain
from tapegrad_kernels.cpu.program.chains.vocabulary import is_fusible

__all__ = [
    "MOST_ARRAYS",
    "MOST_STEPS",
    "Chain",
    "Number",
    "Step",
    "compile_chain",
    "is_compiled",
    "is_fusible",
    "lower_chain",
    "wait",
]
