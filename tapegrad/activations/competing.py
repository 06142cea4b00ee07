"""Activation functions along an axis, in which each result depends on several values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.utils.tensors import as_tensor

__all__ = [
    "glu",
    "log_softmax",
    "softmax",
    "sparsemax",
]


def softmax(x: Any, axis: int = -1) -> Tensor:
    """Return ``exp(x) / sum(exp(x))`` along an axis; the result remembers `x` for a loss.

    Parameters
    ----------
    x
        Logits of at least one axis.
    axis
        The axis along which the result sums to 1.

    Examples
    --------
    >>> softmax([0.0, 0.0]).numpy()
    array([0.5, 0.5])
    """
    logits = as_tensor(x)
    result = ops.softmax(logits, axis=axis)
    if axis in (-1, logits.ndim - 1):
        result._origin = ("softmax", logits)
    return result


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """Return the logarithm of `softmax`, computed without it.

    Examples
    --------
    >>> log_softmax([0.0, 0.0]).numpy().round(4)
    array([-0.6931, -0.6931])
    """
    return ops.log_softmax(x, axis=axis)


def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """Return ``max(x - t, 0)`` along an axis, with Keras's threshold `t`.

    With the `k` largest values ``z_1 ≥ … ≥ z_k`` for which ``1 + k z_k > z_1 + … + z_k``, and
    their running sums ``s_j``, the threshold is ``t = (s_1 + … + s_k - 1) / k``.

    Parameters
    ----------
    x
        Logits of at least one axis.
    axis
        The axis along which values compete.

    Notes
    -----
    Martins and Astudillo (2016) have ``t = (s_k - 1) / k``, by which the result sums to 1. Keras
    adds all running sums, and so does this function, for the same numbers: the two are the same
    only where one value remains.

    Examples
    --------
    >>> sparsemax([-1.0, 0.0, 1.0]).numpy()
    array([0., 0., 1.])
    """
    logits = as_tensor(x)
    descending = ops.flip(ops.sort(logits, axis=axis), axis=axis)
    sums = ops.cumsum(descending, axis=axis)
    lengths = [1] * logits.ndim
    lengths[axis] = logits.shape[axis]
    ranks = np.arange(1, logits.shape[axis] + 1, dtype=logits.dtype).reshape(lengths)
    support = 1.0 + ranks * descending > sums
    count = ops.sum(support.astype(logits.dtype), axis=axis, keepdims=True)
    total = ops.sum(ops.where(support, sums, 0.0), axis=axis, keepdims=True)
    return ops.relu(logits - (total - 1.0) / count)


def glu(x: Any, axis: int = -1) -> Tensor:
    """Return the first half of `x` times the `sigmoid` of the second (Dauphin et al., 2017).

    Parameters
    ----------
    x
        Of even length along `axis`; the result has half of it.
    axis
        The axis that is halved.

    Raises
    ------
    ValueError
        If the length is odd.

    Examples
    --------
    >>> glu([3.0, 0.0]).numpy()
    array([1.5])
    """
    x = as_tensor(x)
    if x.shape[axis] % 2:
        raise ValueError(
            f"glu: axis {axis} of shape {x.shape} has the odd length {x.shape[axis]}, expected an "
            "even one, to be halved."
        )
    values, gates = ops.split(x, 2, axis=axis)
    return values * ops.sigmoid(gates)
