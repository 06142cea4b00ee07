"""Cross-entropies fused with softmax and sigmoid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.primitive import defvjp, defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._activation import log_softmax, sigmoid, sigmoid_grad, softmax_grad
from tapegrad.ops._reduction import sum
from tapegrad.ops._shape import as_tensor, expand_dims

_one_hot = primitive("one_hot", differentiable=False)


@operation()
def one_hot(labels: Any, depth: int, dtype: Any = "float32") -> Tensor:
    """Rows with a one at each label and zeros elsewhere.

    Parameters
    ----------
    labels : array_like of int
    depth : int
        Length of a row; labels outside of 0 … depth - 1 give rows of zeros.
    dtype : dtype, default "float32"

    Returns
    -------
    Tensor, shape (*labels.shape, depth)

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.one_hot([1, 0], 2)
    Tensor([[0., 1.],
            [1., 0.]], dtype=float32)
    """
    return _one_hot(as_tensor(labels), depth=depth, dtype=dtype)


def _is_labels(targets: Any) -> bool:
    return targets.dtype.kind in "iu"


def _as_distribution(targets: Any, probabilities: Any) -> Any:
    """Targets as one distribution over the classes for each row."""
    if _is_labels(targets):
        return one_hot(targets, probabilities.shape[-1], probabilities.dtype)
    return targets


_cross_entropy_grad = primitive("softmax_cross_entropy_grad", saves="inputs")


def _cross_entropy_grad_rule(
    h: Any, answer: Any, g: Any, p: Any, targets: Any, *, needs: Sequence[bool]
) -> list[Any]:
    t = _as_distribution(targets, p)
    total = sum(t, axis=-1, keepdims=True)
    g = expand_dims(g, -1)
    h_p = sum(h * p, axis=-1, keepdims=True)
    return [
        sum(h * (p * total - t), axis=-1) if needs[0] else None,
        h * g * total if needs[1] else None,
        g * (h_p - h) if needs[2] else None,
    ]


defvjp_joint(_cross_entropy_grad, _cross_entropy_grad_rule)

_cross_entropy = primitive("softmax_cross_entropy", saves="both")


def _cross_entropy_rule(
    g: Any, answer: Any, logits: Any, targets: Any, *, needs: Sequence[bool]
) -> list[Any]:
    g_loss, g_probabilities = g
    probabilities = answer[1]
    by_logits = by_targets = None
    if needs[0]:
        if g_loss is not None:
            by_logits = _cross_entropy_grad(g_loss, probabilities, targets)
        if g_probabilities is not None:
            part = softmax_grad(g_probabilities, probabilities)
            by_logits = part if by_logits is None else by_logits + part
    if needs[1] and g_loss is not None:
        by_targets = -expand_dims(g_loss, -1) * log_softmax(logits)
    return [by_logits, by_targets]


defvjp_joint(_cross_entropy, _cross_entropy_rule)


@operation()
def softmax_cross_entropy(logits: Any, targets: Any) -> tuple[Tensor, Tensor]:
    """Cross-entropy between targets and softmax of logits, stable at any logits.

    Parameters
    ----------
    logits : array_like, shape (..., classes)
    targets : array_like
        Class numbers of shape ``logits.shape[:-1]``, or probabilities of the shape
        of `logits`.

    Returns
    -------
    losses : Tensor, shape (...)
        ``-sum(targets * log(softmax(logits)))`` of each row.
    probabilities : Tensor, shape (..., classes)
        ``softmax(logits)``.

    Raises
    ------
    ValueError
        If the shapes do not fit or a class number is out of range.

    Examples
    --------
    >>> import tapegrad as tg
    >>> losses, probabilities = tg.ops.softmax_cross_entropy(tg.tensor([[0.0, 0.0]]), [1])
    >>> losses
    Tensor([0.69314718], dtype=float64)
    """
    if type(targets) is not np.ndarray:
        targets = as_tensor(targets)
    return _cross_entropy(as_tensor(logits), targets)


_binary_grad = primitive("sigmoid_cross_entropy_grad", saves="inputs")


def _binary_grad_rule(
    h: Any, answer: Any, g: Any, logits: Any, targets: Any, *, needs: Sequence[bool]
) -> list[Any]:
    p = sigmoid(logits)
    return [
        h * (p - targets) if needs[0] else None,
        sigmoid_grad(h * g, p) if needs[1] else None,
        -h * g if needs[2] else None,
    ]


defvjp_joint(_binary_grad, _binary_grad_rule)

_binary = primitive("sigmoid_cross_entropy", saves="inputs")
defvjp(
    _binary,
    lambda g, answer, logits, targets: _binary_grad(g, logits, targets),
    lambda g, answer, logits, targets: -g * logits,
)


@operation()
def sigmoid_cross_entropy(logits: Any, targets: Any) -> Tensor:
    """Cross-entropy between targets and sigmoid of logits, stable at any logits.

    Parameters
    ----------
    logits : array_like
    targets : array_like
        Probabilities, of the shape of `logits`.

    Returns
    -------
    Tensor
        ``-targets * log(p) - (1 - targets) * log(1 - p)`` of each element, with
        ``p = sigmoid(logits)``.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.sigmoid_cross_entropy(tg.tensor([1000.0]), tg.tensor([1.0]))
    Tensor([0.], dtype=float64)
    """
    return _binary(as_tensor(logits), as_tensor(targets))
