"""Cumulative operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.primitive import defvjp, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._indexing import getitem
from tapegrad.ops._shape import as_tensor, flip, reshape

_cumsum = primitive("cumsum", saves="none", doc="Running sums along an axis.")
defvjp(_cumsum, lambda g, answer, x, axis: flip(_cumsum(flip(g, axis), axis=axis), axis))


@operation(np.cumsum)
def cumsum(x: Any, axis: int | None = None) -> Tensor:
    """Running sums along an axis, of the flattened array if it is None.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.cumsum(tg.tensor([1.0, 2.0, 3.0]))
    Tensor([1., 3., 6.], dtype=float64)
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return _cumsum(x, axis=int(axis))


@operation(np.diff)
def diff(x: Any, n: int = 1, axis: int = -1) -> Tensor:
    """Differences of neighbours along an axis, taken `n` times."""
    x = as_tensor(x)
    lead = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        x = getitem(x, (*lead, slice(1, None))) - getitem(x, (*lead, slice(None, -1)))
    return x
