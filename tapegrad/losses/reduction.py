"""From values, weights and a mask to what a loss returns, divided as Keras divides.

With values v, weights w and a mask m of n entries, c of them true:

- ``"mean"`` is ``sum(v * w) / n``, and with a mask ``sum(v * w * m) / c``;
- ``"mean_with_sample_weight"`` is ``sum(v * w * m) / sum(w * m)``;
- ``"sum"`` is ``sum(v * w * m)``.
"""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.utils.tensors import as_float_tensor

__all__ = ["REDUCTIONS", "reduce_values", "same_rank"]

REDUCTIONS = {
    "sum_over_batch_size": "mean",
    "mean": "mean",
    "sum": "sum",
    "mean_with_sample_weight": "mean_with_sample_weight",
    "none": "none",
}


def same_rank(first: Any, second: Any) -> tuple[Any, Any]:
    """Return both with as many axes, if a trailing axis of size 1 makes the difference.

    The longer one loses it, unless the other is a vector, which gains it.

    Parameters
    ----------
    first, second
        Tensors or arrays.

    Examples
    --------
    >>> import numpy as np
    >>> [x.shape for x in same_rank(np.zeros((4, 3, 1)), np.zeros((4, 3)))]
    [(4, 3), (4, 3)]
    >>> [x.shape for x in same_rank(np.zeros((4, 1)), np.zeros(4))]
    [(4, 1), (4, 1)]
    """
    if first.ndim == second.ndim + 1 and first.shape[-1] == 1:
        if second.ndim == 1:
            return first, second.reshape((*second.shape, 1))
        return first.reshape(first.shape[:-1]), second
    if second.ndim == first.ndim + 1:
        second, first = same_rank(second, first)
    return first, second


def leading(shorter: Any, shape: tuple[int, ...]) -> Any:
    """Return an array with axes of size 1 behind its own, as many as `shape` has."""
    return shorter.reshape(shorter.shape + (1,) * (len(shape) - shorter.ndim))


def reduce_values(
    values: Tensor, sample_weight: Any, mask: Tensor | None, reduction: str, owner: str
) -> Tensor:
    """Return values weighted, masked and reduced.

    Parameters
    ----------
    values
        One value a sample, or one a sample and time step.
    sample_weight
        None, a number, or weights whose axes are the first ones of `values`.
    mask
        None, or booleans whose axes are the first ones of `values`.
    reduction
        ``"mean"``, ``"mean_with_sample_weight"``, ``"sum"`` or ``"none"``.
    owner
        The loss, for errors.

    Raises
    ------
    ValueError
        If weights or mask do not fit the values.
    """
    weights = None
    if sample_weight is not None:
        weights = as_float_tensor(sample_weight, values.dtype)
    if mask is not None:
        weights = _masked(weights, mask, reduction, values.dtype, owner)
    if weights is None:
        if reduction in ("mean", "mean_with_sample_weight"):
            return ops.mean(values) if values.size else ops.sum(values)
        return ops.sum(values) if reduction == "sum" else values
    values, weights = same_rank(values, weights)
    what = "sample_weight" if mask is None else "sample_weight or the mask"
    weighted = values * _fitted(weights, values.shape, owner, what)
    if reduction == "none" or not weighted.shape:
        return weighted
    total = ops.sum(weighted)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight":
        divisor = ops.sum(weights)
        return total / ops.where(ops.equal(divisor, 0.0), 1.0, divisor).astype(values.dtype)
    return total / float(max(1, weighted.size))


def _masked(weights: Tensor | None, mask: Tensor, reduction: str, dtype: Any, owner: str) -> Tensor:
    """Return weights that are 0 where masked, scaled so that a mean is one over what is left."""
    kept = mask.astype(dtype)
    if reduction == "mean":
        kept = kept * (float(mask.size) / ops.maximum(ops.sum(kept), 1.0))
    if weights is None:
        return kept
    kept, given = same_rank(kept, weights)
    if kept.ndim < given.ndim:
        kept = leading(kept, given.shape)
    return kept * _fitted(given, kept.shape, owner, "sample_weight")


def _fitted(weights: Tensor, shape: tuple[int, ...], owner: str, what: str) -> Tensor:
    """Return weights with as many axes as the values, or raise ValueError."""
    if weights.ndim == 0 or not shape:
        return weights
    if weights.ndim <= len(shape) and all(
        size in (1, given) for size, given in zip(weights.shape, shape)
    ):
        return leading(weights, shape) if weights.ndim < len(shape) else weights
    raise ValueError(
        f"{owner}: {what} has shape {weights.shape}, which does not begin the shape of the "
        f"values, {shape}."
    )
