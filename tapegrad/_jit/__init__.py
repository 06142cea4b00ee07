"""Recorded calls as native programs."""

from tapegrad._jit.function import JitFunction, jit

__all__ = ["JitFunction", "jit"]
