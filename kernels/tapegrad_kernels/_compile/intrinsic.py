"""Numba's ``@intrinsic``, typed as what it is for its callers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.extending import intrinsic as _intrinsic


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of compiled code from one that writes LLVM instructions.

    The function's first parameter, the typing context, is not among the arguments
    of a call; type checkers that follow Numba's own decorator think it is.
    """
    return _intrinsic(function)
