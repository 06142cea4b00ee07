"""Activation functions that level off, shrink, or leave values as they are."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.utils.tensors import as_tensor

__all__ = [
    "exponential",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "linear",
    "log_sigmoid",
    "sigmoid",
    "soft_shrink",
    "softsign",
    "sparse_sigmoid",
    "tanh",
    "tanh_shrink",
    "threshold",
]


def linear(x: Any) -> Tensor:
    """Return `x` itself.

    Examples
    --------
    >>> linear([1.0]).numpy()
    array([1.])
    """
    return as_tensor(x)


def exponential(x: Any) -> Tensor:
    """Return ``exp(x)``.

    Examples
    --------
    >>> exponential([0.0]).numpy()
    array([1.])
    """
    return ops.exp(x)


def sigmoid(x: Any) -> Tensor:
    """Return ``1 / (1 + exp(-x))``; the result remembers `x` for a loss that follows.

    Examples
    --------
    >>> sigmoid([0.0]).numpy()
    array([0.5])
    """
    logits = as_tensor(x)
    result = ops.sigmoid(logits)
    result._origin = ("sigmoid", logits)
    return result


def log_sigmoid(x: Any) -> Tensor:
    """Return the logarithm of `sigmoid`, exact also where that underflows.

    Examples
    --------
    >>> log_sigmoid([0.0, -1000.0]).numpy().round(4)
    array([-6.931e-01, -1.000e+03])
    """
    return -ops.softplus(-as_tensor(x))


def hard_sigmoid(x: Any) -> Tensor:
    """Return ``min(max(x / 6 + 1/2, 0), 1)``.

    Examples
    --------
    >>> hard_sigmoid([-3.0, 0.0, 3.0]).numpy()
    array([0. , 0.5, 1. ])
    """
    return ops.clip(as_tensor(x) / 6.0 + 0.5, 0.0, 1.0)


def sparse_sigmoid(x: Any) -> Tensor:
    """Return ``min(max((x + 1) / 2, 0), 1)``, the derivative of `sparse_plus`.

    Examples
    --------
    >>> sparse_sigmoid([-2.0, 0.0, 2.0]).numpy()
    array([0. , 0.5, 1. ])
    """
    return ops.clip(0.5 * (as_tensor(x) + 1.0), 0.0, 1.0)


def hard_silu(x: Any) -> Tensor:
    """Return ``x * hard_sigmoid(x)``, also called hard swish (Howard et al., 2019).

    Examples
    --------
    >>> hard_silu([-3.0, 0.0, 3.0]).numpy()
    array([-0.,  0.,  3.])
    """
    x = as_tensor(x)
    return x * hard_sigmoid(x)


def tanh(x: Any) -> Tensor:
    """Return the hyperbolic tangent.

    Examples
    --------
    >>> tanh([0.0]).numpy()
    array([0.])
    """
    return ops.tanh(x)


def hard_tanh(x: Any) -> Tensor:
    """Return ``min(max(x, -1), 1)``.

    Examples
    --------
    >>> hard_tanh([-3.0, 0.5, 3.0]).numpy()
    array([-1. ,  0.5,  1. ])
    """
    return ops.clip(x, -1.0, 1.0)


def tanh_shrink(x: Any) -> Tensor:
    """Return ``x - tanh(x)``.

    Examples
    --------
    >>> tanh_shrink([1.0]).numpy().round(4)
    array([0.2384])
    """
    x = as_tensor(x)
    return x - ops.tanh(x)


def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """Return `x` brought nearer to 0 by `threshold`, and 0 where it is no larger than that.

    Examples
    --------
    >>> soft_shrink([-2.0, 0.25, 1.0]).numpy()
    array([-1.5,  0. ,  0.5])
    """
    x = as_tensor(x)
    return ops.where(x > threshold, x - threshold, ops.where(x < -threshold, x + threshold, 0.0))


def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """Return `x` where its size exceeds `threshold`, and 0 elsewhere.

    Examples
    --------
    >>> hard_shrink([-2.0, 0.25, 1.0]).numpy()
    array([-2.,  0.,  1.])
    """
    x = as_tensor(x)
    return ops.where(ops.absolute(x) > threshold, x, 0.0)


def softsign(x: Any) -> Tensor:
    """Return ``x / (1 + |x|)``.

    Examples
    --------
    >>> softsign([1.0]).numpy()
    array([0.5])
    """
    x = as_tensor(x)
    return x / (1.0 + ops.absolute(x))


def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """Return `x` where it exceeds `threshold`, and `default_value` elsewhere.

    Examples
    --------
    >>> threshold([-1.0, 0.5, 2.0], 1.0, 0.0).numpy()
    array([0., 0., 2.])
    """
    x = as_tensor(x)
    return ops.where(x > threshold, x, default_value)
