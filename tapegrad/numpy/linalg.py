"""Differentiable functions of `numpy.linalg`."""

from __future__ import annotations

from tapegrad import ops as _ops
from tapegrad.numpy._in_kind import in_kind as _in_kind

norm = _in_kind(_ops.norm)

__all__ = ["norm"]
