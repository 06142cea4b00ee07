"""How kernels are compiled: the decorator, the disk cache, threads, CPU features.

=====================  ========================================================
module                 subject
=====================  ========================================================
``kernel``             ``@kernel`` for functions, ``@block`` for workers that are
                       called through their address
``cache``              the private folder of compiled kernels
``features``           vector width of the CPU that is compiled for
``threads``            thread layer, number of threads
``pointers``           addresses of arrays and typed loads and stores
``launch``             runs a block over a range, on one thread or on all
``warmup``             compiles everything ahead of the first use
=====================  ========================================================
"""

from tapegrad_kernels._compile.kernel import Block, block, kernel, native_entry
from tapegrad_kernels._compile.threads import get_num_threads, set_num_threads, thread_layer
from tapegrad_kernels._compile.warmup import on_warmup, warmup

__all__ = [
    "Block",
    "block",
    "get_num_threads",
    "kernel",
    "native_entry",
    "on_warmup",
    "set_num_threads",
    "thread_layer",
    "warmup",
]
