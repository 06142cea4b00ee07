"""The mask that a tensor carries: which of its elements count.

Layers that skip padding say so by a boolean mask, which travels on the tensor itself, so that
layers, losses and metrics further on find it without being told.
"""

from __future__ import annotations

from typing import Any

from tapegrad._core.tensor import Tensor, tensor

__all__ = ["get_mask", "set_mask"]


def get_mask(value: Any) -> Tensor | None:
    """Return the mask that a tensor carries, or None.

    Examples
    --------
    >>> import tapegrad as tg
    >>> get_mask(tg.tensor([1.0])) is None
    True
    """
    # The slot is empty until a mask is set: tensors without one pay nothing for it.
    return getattr(value, "_mask", None)


def set_mask(value: Tensor, mask: Any) -> Tensor:
    """Let a tensor carry a mask, and return the tensor.

    Parameters
    ----------
    value
        The tensor.
    mask
        Booleans with the first axes of `value`, True for what counts; None takes the mask away.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = set_mask(tg.tensor([[1.0], [0.0]]), [[True], [False]])
    >>> get_mask(x).tolist()
    [[True], [False]]
    """
    value._mask = mask if mask is None or type(mask) is Tensor else tensor(mask)
    return value
