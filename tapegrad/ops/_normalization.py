"""Normalizations with statistics of channels: batch and group.

Each gradient is a kernel and a primitive of its own. Derivatives of the gradients, which
only an outer tape asks for, go through elementary operations.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from tapegrad._core.primitive import defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops import _normalization_formulas as formulas
from tapegrad.ops._normalization_formulas import differentiate, to_the_end
from tapegrad.ops._reduction import sum
from tapegrad.ops._selection import where
from tapegrad.ops._shape import as_tensor, broadcast_to, expand_dims, reshape, transpose

moving_average_update: Any = primitive("moving_average_update", mutates=(0,))
"""``moving_average_update(variable, value, momentum)`` gives a Variable the value
``momentum * variable + (1 - momentum) * value``."""


# ---- statistics as results: batch and group ------------------------------------------


def _with_statistics(name: str, formula: Any) -> tuple[Any, Any]:
    """A primitive that returns (y, mean, variance), and that of its gradient."""
    grad = primitive(
        f"{name}_grad", saves="inputs", doc=f"Gradients of the first result of {name}."
    )

    def grad_rule(
        h: Any,
        answer: Any,
        dy: Any,
        x: Any,
        gamma: Any,
        mean: Any,
        variance: Any,
        *,
        needs: Sequence[bool],
        **params: Any,
    ) -> list[Any]:
        # The mean is an origin only, of which the results do not depend.
        wanted = [needs[0], needs[1], needs[2], needs[4]]
        whole = functools.partial(formula, **params)
        parts = differentiate(whole, h, [dy, x, gamma, variance], wanted)
        return [*parts[:3], None, parts[3]]

    defvjp_joint(grad, grad_rule)
    forward = primitive(name, doc=f"{name}: the normalized array, means and variances.")

    def rule(
        g: Any,
        answer: Any,
        x: Any,
        gamma: Any = None,
        beta: Any = None,
        *,
        needs: Sequence[bool],
        **params: Any,
    ) -> list[Any]:
        g_y, g_mean, g_variance = g
        _, mean, variance = answer
        parts: list[Any] = [None, None, None]
        if g_y is not None:
            parts = list(grad(g_y, x, gamma, mean, variance, **params))
        if needs[0]:
            by_statistics = _statistics_gradient(g_mean, g_variance, x, mean, params)
            if by_statistics is not None:
                parts[0] = by_statistics if parts[0] is None else parts[0] + by_statistics
        return [part if needed else None for part, needed in zip(parts, needs, strict=False)]

    defvjp_joint(forward, rule)
    return forward, grad


def _statistics_gradient(
    g_mean: Any, g_variance: Any, x: Any, mean: Any, params: dict[str, Any]
) -> Any:
    """Gradient by `x` of the mean and the variance; None if neither counts."""
    if g_mean is None and g_variance is None:
        return None
    shape, count = x.shape, max(x.size // max(mean.size, 1), 1)
    if "groups" in params:
        groups = params["groups"]
        x = reshape(x, formulas.split_channels(shape, groups))
        each = (shape[0], 1, groups, 1)
        mean = reshape(mean, each)
        g_mean = None if g_mean is None else reshape(g_mean, each)
        g_variance = None if g_variance is None else reshape(g_variance, each)
    total = None if g_mean is None else broadcast_to(g_mean * (1 / count), x.shape)
    if g_variance is not None:
        by_variance = g_variance * (2 / count) * (x - mean)
        total = by_variance if total is None else total + by_variance
    return reshape(total, shape)


_batch_norm, _ = _with_statistics("batch_norm", formulas.batch_norm_gradient)
_group_norm, _ = _with_statistics("group_norm", formulas.group_norm_gradient)


# ---- given statistics ----------------------------------------------------------------

_inference_grad = primitive(
    "batch_norm_inference_grad", saves="inputs", doc="Gradients of batch_norm_inference."
)


def _inference_grad_rule(
    h: Any, answer: Any, *arguments: Any, needs: Sequence[bool], epsilon: float
) -> list[Any]:
    formula = functools.partial(formulas.batch_norm_inference_gradient, epsilon=epsilon)
    return differentiate(formula, h, arguments, needs)


defvjp_joint(_inference_grad, _inference_grad_rule)

_inference = primitive(
    "batch_norm_inference", saves="inputs", doc="Batch normalization with given statistics."
)


def _inference_rule(
    g: Any,
    answer: Any,
    x: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    variance: Any,
    *,
    needs: Sequence[bool],
    epsilon: float,
) -> Sequence[Any]:
    return _inference_grad(g, x, gamma, mean, variance, epsilon=epsilon)


defvjp_joint(_inference, _inference_rule)


@operation()
def batch_norm(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: int = -1,
    epsilon: float = 1e-3,
    mask: Any = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch normalization in training: mean 0 and variance 1 of each channel.

    Parameters
    ----------
    x : array_like
        Numbers; all axes but `axis` are normalized over.
    gamma, beta : array_like, shape (channels,), optional
        Factors and summands; ones and zeros by default.
    axis : int, default -1
        Axis of the channels.
    epsilon : float, default 1e-3
        Added to the variance.
    mask : array_like of bool, optional
        Of the shape of `x` without `axis`: where it is false, the numbers do not count for
        the statistics.

    Returns
    -------
    y : Tensor
        ``(x - mean) / sqrt(variance + epsilon) * gamma + beta``.
    mean, variance : Tensor, shape (channels,)
        Those of this batch, differentiable. The variance is divided by the number of
        elements; `moving_average_update` keeps averages of both for inference.

    Raises
    ------
    ValueError
        If a shape does not fit or `epsilon` is negative.

    References
    ----------
    Ioffe and Szegedy, "Batch Normalization", ICML 2015, arXiv:1502.03167.

    Examples
    --------
    >>> import tapegrad as tg
    >>> y, mean, variance = tg.ops.batch_norm(tg.tensor([[1.0], [3.0]]), epsilon=0.0)
    >>> y.T, mean, variance
    (Tensor([[-1.,  1.]], dtype=float64), Tensor([2.], dtype=float64), Tensor([1.], dtype=float64))
    """
    x = as_tensor(x)
    x, _, back = to_the_end(x, axis, "batch_norm")
    if mask is None:
        y, mean, variance = _batch_norm(x, gamma, beta, epsilon=epsilon)
    else:
        mean, variance = _masked_statistics(x, as_tensor(mask))
        y = _inference(x, gamma, beta, mean, variance, epsilon=epsilon)
    return (y if back is None else transpose(y, back)), mean, variance


def _masked_statistics(x: Any, mask: Any) -> tuple[Any, Any]:
    """Mean and variance of each channel over the positions where `mask` is true."""
    if mask.shape != x.shape[:-1]:
        raise ValueError(
            f"batch_norm: the mask has shape {mask.shape}, expected {x.shape[:-1]}, that of x "
            "without the axis of the channels"
        )
    axes = tuple(range(x.ndim - 1))
    chosen = expand_dims(mask.astype("bool"), -1)
    count = sum(chosen.astype(x.dtype), axis=axes)
    count = where(count > 0, count, 1)
    mean = sum(where(chosen, x, 0), axis=axes) / count
    distance = where(chosen, x - mean, 0)
    return mean, sum(distance * distance, axis=axes) / count


@operation()
def batch_norm_inference(
    x: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    variance: Any,
    axis: int = -1,
    epsilon: float = 1e-3,
) -> Tensor:
    """Batch normalization with given statistics, by which it can be differentiated too.

    Parameters
    ----------
    x : array_like
        Numbers.
    gamma, beta : array_like, shape (channels,), or None
        Factors and summands; None for ones and zeros.
    mean, variance : array_like, shape (channels,)
        Usually moving averages.
    axis : int, default -1
        Axis of the channels.
    epsilon : float, default 1e-3
        Added to the variance.

    Returns
    -------
    Tensor
        ``(x - mean) / sqrt(variance + epsilon) * gamma + beta``.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.tensor([[3.0, 5.0]])
    >>> tg.ops.batch_norm_inference(x, None, None, [1.0, 1.0], [4.0, 16.0], epsilon=0.0)
    Tensor([[1., 1.]], dtype=float64)
    """
    x, _, back = to_the_end(as_tensor(x), axis, "batch_norm_inference")
    y = _inference(x, gamma, beta, mean, variance, epsilon=epsilon)
    return y if back is None else transpose(y, back)


@operation()
def group_norm(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    groups: int = 32,
    axis: int = -1,
    epsilon: float = 1e-3,
) -> Tensor:
    """Group normalization: each sample over its positions and a group of channels.

    Parameters
    ----------
    x : array_like, samples along the first axis
        Numbers.
    gamma, beta : array_like, shape (channels,), optional
        Factors and summands; ones and zeros by default.
    groups : int, default 32
        A divisor of the number of channels; with that number itself this is instance
        normalization.
    axis : int, default -1
        Axis of the channels, not the first.
    epsilon : float, default 1e-3
        Added to the variance.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Raises
    ------
    ValueError
        If `groups` does not divide the number of channels or a shape does not fit.

    References
    ----------
    Wu and He, "Group Normalization", ECCV 2018, arXiv:1803.08494.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.group_norm(tg.tensor([[1.0, 3.0, 0.0, 8.0]]), groups=2, epsilon=0.0)
    Tensor([[-1.,  1., -1.,  1.]], dtype=float64)
    """
    x, _, back = to_the_end(as_tensor(x), axis, "group_norm")
    y = _group_norm(x, gamma, beta, groups=int(groups), epsilon=epsilon)[0]
    return y if back is None else transpose(y, back)
