"""Activation functions that have kernels of their own.

The derivative of each is itself a primitive, so that it costs one pass and can
be differentiated again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tapegrad._core.primitive import defvjp, defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._elementwise import elementwise
from tapegrad.ops._exponential import exp
from tapegrad.ops._reduction import sum
from tapegrad.ops._trigonometric import tanh

relu_grad = elementwise(
    "relu_grad", saves="inputs", summary="`g` where ``y = relu(x)`` is positive, else 0."
)
defvjp(relu_grad, lambda h, answer, g, y: relu_grad(h, y), None)

relu_bias_grad = primitive(
    "relu_bias_grad",
    saves="inputs",
    doc="Gradients by `x` and by `bias` of ``y = relu(x + bias)``, from that by `y`.",
)


def _relu_bias_grad_rule(
    h: Any, answer: Any, g: Any, y: Any, *, needs: Sequence[bool]
) -> list[Any]:
    by_x, by_bias = h
    total = by_bias if by_x is None else by_x if by_bias is None else by_x + by_bias
    # The sum's gradient is the same in every row, which relu_grad broadcasts.
    return [relu_grad(total, y) if needs[0] else None, None]


defvjp_joint(relu_bias_grad, _relu_bias_grad_rule)

relu = elementwise(
    "relu",
    saves="output",
    summary="Rectified linear unit, ``max(x, 0)``.",
    singular="at 0 the derivative is taken as 0",
)
defvjp(relu, lambda g, answer, x: relu_grad(g, answer))

sigmoid_grad = elementwise(
    "sigmoid_grad", saves="inputs", summary="``g * y * (1 - y)`` for ``y = sigmoid(x)``."
)
defvjp(
    sigmoid_grad,
    lambda h, answer, g, y: sigmoid_grad(h, y),
    lambda h, answer, g, y: h * g * (1 - 2 * y),
)

sigmoid = elementwise(
    "sigmoid", saves="output", summary="Logistic function, ``1 / (1 + exp(-x))``."
)
defvjp(sigmoid, lambda g, answer, x: sigmoid_grad(g, answer))

softplus_grad = elementwise(
    "softplus_grad", saves="inputs", summary="``g * sigmoid(x)``, the derivative of softplus."
)
defvjp(
    softplus_grad,
    lambda h, answer, g, x: softplus_grad(h, x),
    lambda h, answer, g, x: sigmoid_grad(h * g, sigmoid(x)),
)

softplus = elementwise("softplus", saves="inputs", summary="``log(1 + exp(x))``, without overflow.")
defvjp(softplus, lambda g, answer, x: softplus_grad(g, x))

erf_grad = elementwise(
    "erf_grad", saves="inputs", summary="``g * 2 / sqrt(pi) * exp(-x**2)``, the derivative of erf."
)
defvjp(
    erf_grad,
    lambda h, answer, g, x: erf_grad(h, x),
    lambda h, answer, g, x: erf_grad(h * g, x) * x * -2,
)

erf = elementwise("erf", saves="inputs", summary="Error function, `scipy.special.erf`.")
defvjp(erf, lambda g, answer, x: erf_grad(g, x))


_gelu_grad = primitive("gelu_grad", saves="inputs", doc="`g` times the derivative of gelu at `x`.")
_gelu = primitive("gelu", saves="inputs", doc="Gaussian error linear unit.")


def _gelu_second(x: Any, approximate: bool) -> Any:
    """Second derivative of gelu."""
    if not approximate:
        # gelu' = Φ + x φ and φ' = -x φ
        return exp(x * x * -0.5) * (2 - x * x) * (1 / math.sqrt(2 * math.pi))
    scale, cubic = math.sqrt(2 / math.pi), 0.044715
    t = tanh((x + x * x * x * cubic) * scale)
    du = (1 + x * x * (3 * cubic)) * scale
    ddu = x * (6 * cubic * scale)
    sech2 = 1 - t * t
    return sech2 * du + 0.5 * x * sech2 * (ddu - 2 * t * du * du)


defvjp(
    _gelu_grad,
    lambda h, answer, g, x, approximate: _gelu_grad(h, x, approximate=approximate),
    lambda h, answer, g, x, approximate: h * g * _gelu_second(x, approximate),
)
defvjp(_gelu, lambda g, answer, x, approximate: _gelu_grad(g, x, approximate=approximate))


@operation()
def gelu(x: Any, approximate: bool = False) -> Tensor:
    """Gaussian error linear unit, ``x * Φ(x)`` with the standard normal distribution Φ.

    Parameters
    ----------
    x : array_like
    approximate : bool, default False
        Whether to use the approximation with tanh.

    Returns
    -------
    Tensor

    References
    ----------
    Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016, arXiv:1606.08415.

    Examples
    --------
    >>> import tapegrad as tg
    >>> float(tg.ops.gelu(tg.tensor(0.0)))
    0.0
    """
    return _gelu(x, approximate=approximate)


_softmax_grad = primitive(
    "softmax_grad", saves="inputs", doc="``y * (g - sum(g * y))`` for ``y = softmax(x)``."
)


def _softmax_grad_by_y(h: Any, answer: Any, g: Any, y: Any, axis: int) -> Any:
    return h * (g - sum(g * y, axis=axis, keepdims=True)) - g * sum(h * y, axis=axis, keepdims=True)


defvjp(
    _softmax_grad,
    lambda h, answer, g, y, axis: _softmax_grad(h, y, axis=axis),
    _softmax_grad_by_y,
)

_softmax = primitive("softmax", saves="output", doc="Exponentials divided by their sum.")
defvjp(_softmax, lambda g, answer, x, axis: _softmax_grad(g, answer, axis=axis))


def softmax_grad(g: Any, y: Any, axis: int = -1) -> Tensor:
    """``y * (g - sum(g * y))``: the gradient of softmax by its output `y`."""
    return _softmax_grad(g, y, axis=axis)


@operation()
def softmax(x: Any, axis: int = -1) -> Tensor:
    """Exponentials divided by their sum along an axis, without overflow.

    Parameters
    ----------
    x : array_like
        Logits.
    axis : int, default -1
        Axis along which the results sum to 1.

    Returns
    -------
    Tensor
        Of the shape and floating dtype of `x`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.softmax(tg.tensor([1000.0, 1000.0]))
    Tensor([0.5, 0.5], dtype=float64)
    """
    return _softmax(x, axis=axis)


_log_softmax_grad = primitive(
    "log_softmax_grad", saves="inputs", doc="``g - exp(y) * sum(g)`` for ``y = log_softmax(x)``."
)
defvjp(
    _log_softmax_grad,
    lambda h, answer, g, y, axis: h - sum(h * exp(y), axis=axis, keepdims=True),
    lambda h, answer, g, y, axis: -h * exp(y) * sum(g, axis=axis, keepdims=True),
)

_log_softmax = primitive("log_softmax", saves="output", doc="Logarithm of softmax.")
defvjp(_log_softmax, lambda g, answer, x, axis: _log_softmax_grad(g, answer, axis=axis))


@operation()
def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """Logarithm of softmax along an axis, exact also where softmax underflows.

    Parameters
    ----------
    x : array_like
        Logits.
    axis : int, default -1
        Axis along which the exponentials of the results sum to 1.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.log_softmax(tg.tensor([0.0, -1000.0]))
    Tensor([    0., -1000.], dtype=float64)
    """
    return _log_softmax(x, axis=axis)
