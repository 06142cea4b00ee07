"""Gradients kept within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad import ops
from tapegrad.optimizers.transformations.base import Transformation

if TYPE_CHECKING:
    from tapegrad.optimizers.groups import Group

__all__ = [
    "ClipByGlobalNorm",
    "ClipByNorm",
    "ClipByValue",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
]


def _checked_bound(owner: str, name: str, bound: float) -> float:
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not bound > 0:
        raise ValueError(f"{owner}: {name} must be a number above 0, but is {bound!r}.")
    return float(bound)


class ClipByValue(Transformation):
    """Every element is kept between −c and c.

    ``u ← min(max(u, -c), c)``. Elements that are NaN stay so. The direction of the update changes.

    Parameters
    ----------
    max_delta
        c, above 0.

    Raises
    ------
    ValueError
        If the bound is not above 0.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.Variable([0.0, 0.0])
    >>> tg.optimizers.chain(clip_by_value(1.0)).apply([tg.tensor([0.5, -3.0])], [x])
    >>> x.numpy()
    array([ 0.5, -1. ], dtype=float32)
    """

    def __init__(self, max_delta: float) -> None:
        self.max_delta = _checked_bound("clip_by_value", "max_delta", max_delta)

    def transform(self, groups: Sequence[Group], count: Any) -> None:
        """Limit every element."""
        for group in groups:
            ops.clip_by_value_update(group.updates, -self.max_delta, self.max_delta)


class ClipByNorm(Transformation):
    """The update of each variable, as one vector, is shortened to a norm where it is longer.

    ``u ← u · c / max(‖u‖, c)``, for each variable by itself.

    Parameters
    ----------
    max_norm
        c, above 0.

    Raises
    ------
    ValueError
        If the norm is not above 0.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x, y = tg.Variable([0.0, 0.0]), tg.Variable(0.0)
    >>> tg.optimizers.chain(clip_by_norm(1.0)).apply(
    ...     [tg.tensor([3.0, 4.0]), tg.tensor(0.5)], [x, y]
    ... )
    >>> x.numpy(), float(y)
    (array([0.6, 0.8], dtype=float32), 0.5)
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = _checked_bound("clip_by_norm", "max_norm", max_norm)

    def transform(self, groups: Sequence[Group], count: Any) -> None:
        """Shorten the update of each variable."""
        for group in groups:
            ops.clip_by_norm_update(group.updates, self.max_norm, offsets=group.offsets)


class ClipByGlobalNorm(Transformation):
    """All updates together, as one vector, are shortened to a norm if they are longer.

    ``u ← u · c / max(‖u‖, c)``, with the norm over all variables (R. Pascanu, T. Mikolov and
    Y. Bengio, *On the difficulty of training recurrent neural networks*, ICML 2013). If it is not
    finite, all updates become NaN.

    Parameters
    ----------
    max_norm
        c, above 0.

    Raises
    ------
    ValueError
        If the norm is not above 0.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x, y = tg.Variable(0.0), tg.Variable(0.0)
    >>> tg.optimizers.chain(clip_by_global_norm(1.0)).apply(
    ...     [tg.tensor(3.0), tg.tensor(4.0)], [x, y]
    ... )
    >>> round(float(x), 4), round(float(y), 4)
    (0.6, 0.8)
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = _checked_bound("clip_by_global_norm", "max_norm", max_norm)

    def transform(self, groups: Sequence[Group], count: Any) -> None:
        """Shorten all updates together."""
        if len(groups) == 1:
            ops.clip_by_global_norm_update(groups[0].updates, self.max_norm)
            return
        squares: Any = 0.0
        for group in groups:
            norm = ops.astype(ops.global_norm(group.updates), "float64").to("cpu")
            squares = squares + norm * norm
        norm = ops.sqrt(squares)
        factor = self.max_norm / ops.maximum(norm, self.max_norm)
        factor = ops.where(ops.isfinite(norm), factor, np.nan)
        for group in groups:
            ops.scale_update(group.updates, factor)


clip_by_value = ClipByValue
clip_by_norm = ClipByNorm
clip_by_global_norm = ClipByGlobalNorm
