"""Recorded calls as native programs."""

from tapegrad._jit.control import cond, scan, while_loop
from tapegrad._jit.function import JitFunction, jit
from tapegrad._jit.program import Program

__all__ = ["JitFunction", "Program", "cond", "jit", "scan", "while_loop"]
