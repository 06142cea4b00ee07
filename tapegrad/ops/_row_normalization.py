"""Normalizations along axes of each sample: layer, RMS and unit.

As for those with statistics of channels, each gradient is a kernel and a primitive of its
own, and derivatives of the gradients go through elementary operations.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from tapegrad._core.operators import Axis
from tapegrad._core.primitive import defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops import _normalization_formulas as formulas
from tapegrad.ops._normalization_formulas import differentiate, to_the_end
from tapegrad.ops._shape import as_tensor, transpose


def _by_rows(name: str, formula: Any, inputs: int) -> Any:
    """A primitive of rows, whose gradient takes `dy` and the first `inputs` arguments."""
    grad = primitive(f"{name}_grad", saves="inputs", doc=f"Gradients of {name}.")

    def grad_rule(
        h: Any, answer: Any, *arguments: Any, needs: Sequence[bool], **params: Any
    ) -> list[Any]:
        weights = h if isinstance(h, tuple) else (h,)
        return differentiate(functools.partial(formula, **params), weights, arguments, needs)

    defvjp_joint(grad, grad_rule)
    forward = primitive(name, saves="inputs", doc=f"{name} over trailing axes.")

    def rule(
        g: Any, answer: Any, *arguments: Any, needs: Sequence[bool], **params: Any
    ) -> Sequence[Any]:
        parts = grad(g, *arguments[:inputs], **params)
        return parts if isinstance(parts, tuple) else (parts,)

    defvjp_joint(forward, rule)
    return forward


_layer_norm = _by_rows("layer_norm", formulas.layer_norm_gradient, 2)
_rms_norm = _by_rows("rms_norm", formulas.rms_norm_gradient, 2)
_unit_norm = _by_rows("unit_norm", formulas.unit_norm_gradient, 1)


@operation()
def layer_norm(
    x: Any, gamma: Any = None, beta: Any = None, axis: Axis = -1, epsilon: float = 1e-3
) -> Tensor:
    """Layer normalization: mean 0 and variance 1 along axes of each sample.

    Parameters
    ----------
    x : array_like
        Numbers.
    gamma, beta : array_like, optional
        Factors and summands, of the lengths of the normalized axes in their order; ones and
        zeros by default.
    axis : int or tuple of int, default -1
        Axes that are normalized together.
    epsilon : float, default 1e-3
        Added to the variance.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Raises
    ------
    ValueError
        If a shape does not fit or an axis does not exist.

    References
    ----------
    Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.layer_norm(tg.tensor([[1.0, 3.0]]), epsilon=0.0)
    Tensor([[-1.,  1.]], dtype=float64)
    """
    x, ndim, back = to_the_end(as_tensor(x), axis, "layer_norm")
    y = _layer_norm(x, gamma, beta, epsilon=epsilon, ndim=ndim)
    return y if back is None else transpose(y, back)


@operation()
def rms_norm(x: Any, gamma: Any = None, axis: Axis = -1, epsilon: float = 1e-6) -> Tensor:
    """RMS normalization: division by the root of the mean square along axes.

    Parameters
    ----------
    x : array_like
        Numbers.
    gamma : array_like, optional
        Factors, of the lengths of the normalized axes; ones by default.
    axis : int or tuple of int, default -1
        Axes that are normalized together.
    epsilon : float, default 1e-6
        Added to the mean square.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    References
    ----------
    Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, arXiv:1910.07467.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.rms_norm(tg.tensor([1.0, 7.0]), epsilon=0.0)
    Tensor([0.2, 1.4], dtype=float64)
    """
    x, ndim, back = to_the_end(as_tensor(x), axis, "rms_norm")
    y = _rms_norm(x, gamma, epsilon=epsilon, ndim=ndim)
    return y if back is None else transpose(y, back)


@operation()
def unit_norm(x: Any, axis: Axis = -1, epsilon: float = 1e-12) -> Tensor:
    """Division by the Euclidean length along axes, so that it becomes 1.

    Parameters
    ----------
    x : array_like
        Numbers.
    axis : int or tuple of int, default -1
        Axes along which the length is taken.
    epsilon : float, default 1e-12
        Least divisor.

    Returns
    -------
    Tensor
        Of the shape of `x`; what is zero along the axes stays zero, with the derivative
        ``1 / epsilon``.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.unit_norm(tg.tensor([3.0, 4.0]))
    Tensor([0.6, 0.8], dtype=float64)
    """
    x, ndim, back = to_the_end(as_tensor(x), axis, "unit_norm")
    y = _unit_norm(x, epsilon=epsilon, ndim=ndim)
    return y if back is None else transpose(y, back)
