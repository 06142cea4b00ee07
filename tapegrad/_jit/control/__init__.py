"""Control flow that depends on values and can be recorded."""

from tapegrad._jit.control.branch import cond
from tapegrad._jit.control.loop import while_loop
from tapegrad._jit.control.sequence import scan

__all__ = ["cond", "scan", "while_loop"]
