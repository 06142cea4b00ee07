"""Activation functions that are linear on one side: relu and its kin."""

from __future__ import annotations

from typing import Any

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.utils.tensors import as_tensor

__all__ = [
    "celu",
    "elu",
    "gelu",
    "leaky_relu",
    "mish",
    "relu",
    "relu6",
    "selu",
    "silu",
    "softplus",
    "sparse_plus",
    "squareplus",
]


def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Tensor:
    """Return ``max(x, 0)``, or its variant with a slope, a ceiling or another threshold.

    Parameters
    ----------
    x
        Any shape.
    negative_slope
        The slope below the threshold.
    max_value
        The largest value returned.
    threshold
        Values up to it are replaced by ``negative_slope * (x - threshold)``.

    Examples
    --------
    >>> relu([-2.0, 3.0, 9.0], negative_slope=0.5, max_value=6.0).numpy()
    array([-1.,  3.,  6.])
    """
    x = as_tensor(x)
    if negative_slope != 0.0:
        result = ops.where(x > threshold, x, negative_slope * (x - threshold))
    elif threshold != 0.0:
        result = ops.where(x > threshold, x, 0.0)
    else:
        result = ops.relu(x)
    return result if max_value is None else ops.minimum(result, max_value)


def relu6(x: Any) -> Tensor:
    """Return ``min(max(x, 0), 6)``.

    Examples
    --------
    >>> relu6([-1.0, 3.0, 9.0]).numpy()
    array([0., 3., 6.])
    """
    return relu(x, max_value=6.0)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """Return `x` where it is positive, and ``negative_slope * x`` elsewhere (Maas et al., 2013).

    Examples
    --------
    >>> leaky_relu([-1.0, 3.0]).numpy()
    array([-0.2,  3. ])
    """
    return relu(x, negative_slope=negative_slope)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """Return `x` where it is positive, and ``alpha * (exp(x) - 1)`` elsewhere.

    The exponential linear unit of Clevert et al. (2016).

    Examples
    --------
    >>> elu([-1.0, 2.0]).numpy().round(4)
    array([-0.6321,  2.    ])
    """
    x = as_tensor(x)
    # exp only of what is not positive: elsewhere it could overflow, and a product of infinity and
    # zero would make the gradient NaN.
    return ops.where(x > 0, x, alpha * ops.expm1(ops.minimum(x, 0.0)))


def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """Return `x` where it is positive, and ``alpha * (exp(x / alpha) - 1)`` elsewhere.

    The continuously differentiable exponential linear unit of Barron (2017).

    Examples
    --------
    >>> celu([-1.0, 2.0], alpha=2.0).numpy().round(4)
    array([-0.7869,  2.    ])
    """
    x = as_tensor(x)
    return ops.where(x > 0, x, alpha * ops.expm1(ops.minimum(x, 0.0) / alpha))


def selu(x: Any) -> Tensor:
    """Return the scaled exponential linear unit of Klambauer et al. (2017).

    Examples
    --------
    >>> selu([-1.0, 2.0]).numpy().round(4)
    array([-1.1113,  2.1014])
    """
    return 1.05070098735548049342 * elu(x, 1.67326324235437728481)


def softplus(x: Any) -> Tensor:
    """Return ``log(1 + exp(x))``.

    Examples
    --------
    >>> softplus([0.0]).numpy().round(4)
    array([0.6931])
    """
    return ops.softplus(x)


def squareplus(x: Any, b: float = 4) -> Tensor:
    """Return ``(x + sqrt(x**2 + b)) / 2``, a smooth relu without exponentials.

    Parameters
    ----------
    x
        Any shape.
    b
        How round the bend at 0 is; 0 gives relu.

    Examples
    --------
    >>> squareplus([0.0, 3.0], b=16).numpy()
    array([2., 4.])
    """
    x = as_tensor(x)
    return 0.5 * (x + ops.sqrt(ops.square(x) + float(b)))


def sparse_plus(x: Any) -> Tensor:
    """Return 0 up to -1, ``(x + 1)**2 / 4`` between -1 and 1, and `x` from there on.

    Examples
    --------
    >>> sparse_plus([-2.0, 0.0, 2.0]).numpy()
    array([0.  , 0.25, 2.  ])
    """
    x = as_tensor(x)
    return ops.where(x < 1.0, 0.25 * ops.square(ops.clip(x, -1.0, 1.0) + 1.0), x)


def silu(x: Any) -> Tensor:
    """Return ``x * sigmoid(x)``, also called swish.

    Examples
    --------
    >>> silu([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.7311])
    """
    x = as_tensor(x)
    return x * ops.sigmoid(x)


def gelu(x: Any, approximate: bool = False) -> Tensor:
    """Return `x` times the normal distribution function of `x` (Hendrycks and Gimpel, 2016).

    Parameters
    ----------
    x
        Any shape.
    approximate
        Whether to use the form with tanh instead of the error function.

    Examples
    --------
    >>> gelu([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.8413])
    """
    return ops.gelu(x, approximate=approximate)


def mish(x: Any) -> Tensor:
    """Return ``x * tanh(softplus(x))`` (Misra, 2019).

    Examples
    --------
    >>> mish([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.8651])
    """
    x = as_tensor(x)
    return x * ops.tanh(ops.softplus(x))
