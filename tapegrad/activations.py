"""Activation functions: names, arguments and defaults of Keras 3.

Each takes and returns a Tensor of the same shape. The results of `softmax` and `sigmoid` remember
the logits that they came from, so that a cross-entropy that follows can be computed from these:
exact where the probability itself would round to 0 or 1, and cheaper.

Example
-------
>>> from tapegrad import activations
>>> activations.relu([-1.0, 2.0]).numpy()
array([0., 2.])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from tapegrad import ops
from tapegrad._core.tensor import Tensor
from tapegrad.utils.lookup import look_up
from tapegrad.utils.tensors import as_tensor

__all__ = [
    "elu",
    "exponential",
    "gelu",
    "get",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "log_softmax",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
]

Activation = Callable[..., Tensor]


def linear(x: Any) -> Tensor:
    """Return `x` itself.

    Examples
    --------
    >>> linear([1.0]).numpy()
    array([1.])
    """
    return as_tensor(x)


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
        Values below it are replaced by ``negative_slope * (x - threshold)``.

    Examples
    --------
    >>> relu([-2.0, 3.0, 9.0], negative_slope=0.5, max_value=6.0).numpy()
    array([-1.,  3.,  6.])
    """
    x = as_tensor(x)
    if negative_slope != 0.0:
        result = ops.where(x >= threshold, x, negative_slope * (x - threshold))
    elif threshold != 0.0:
        result = ops.where(x >= threshold, x, 0.0)
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


def selu(x: Any) -> Tensor:
    """Return the scaled exponential linear unit of Klambauer et al. (2017).

    Examples
    --------
    >>> selu([-1.0, 2.0]).numpy().round(4)
    array([-1.1113,  2.1014])
    """
    return 1.05070098735548049342 * elu(x, 1.67326324235437728481)


def tanh(x: Any) -> Tensor:
    """Return the hyperbolic tangent.

    Examples
    --------
    >>> tanh([0.0]).numpy()
    array([0.])
    """
    return ops.tanh(x)


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


def hard_sigmoid(x: Any) -> Tensor:
    """Return ``min(max(x / 6 + 1/2, 0), 1)``.

    Examples
    --------
    >>> hard_sigmoid([-3.0, 0.0, 3.0]).numpy()
    array([0. , 0.5, 1. ])
    """
    return ops.clip(as_tensor(x) / 6.0 + 0.5, 0.0, 1.0)


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


def softplus(x: Any) -> Tensor:
    """Return ``log(1 + exp(x))``.

    Examples
    --------
    >>> softplus([0.0]).numpy().round(4)
    array([0.6931])
    """
    return ops.softplus(x)


def softsign(x: Any) -> Tensor:
    """Return ``x / (1 + |x|)``.

    Examples
    --------
    >>> softsign([1.0]).numpy()
    array([0.5])
    """
    x = as_tensor(x)
    return x / (1.0 + ops.absolute(x))


def exponential(x: Any) -> Tensor:
    """Return ``exp(x)``.

    Examples
    --------
    >>> exponential([0.0]).numpy()
    array([1.])
    """
    return ops.exp(x)


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


_NAMES: dict[str, Activation] = {
    function.__name__: function
    for function in (
        linear,
        relu,
        relu6,
        leaky_relu,
        elu,
        selu,
        tanh,
        sigmoid,
        hard_sigmoid,
        silu,
        gelu,
        softplus,
        softsign,
        exponential,
        softmax,
        log_softmax,
    )
} | {"swish": silu}


def get(identifier: Any) -> Activation:
    """Return an activation for a name, a callable (also a layer), or None, which is `linear`.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` is nothing of the above.

    Examples
    --------
    >>> get("relu") is relu
    True
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        return look_up(identifier, _NAMES, "activation")
    if callable(identifier):
        return cast(Activation, identifier)
    raise TypeError(
        f"An activation is a name, a callable or None, not {type(identifier).__name__}."
    )
