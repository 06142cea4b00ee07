"""Softmax, its logarithm, and the cross-entropies that are fused with it.

Each visits a row once: largest element, exponentials, sum and result while the
row is in the cache. Subtracting the largest element first makes all of them safe
for logits of any size.

-Inf is a logit like another, of probability 0. A row that has no other, or that
contains +Inf or NaN, gives NaN, as in SciPy and PyTorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapegrad_kernels._compile import on_warmup
from tapegrad_kernels.cpu._map import FLOAT32, FLOAT64, REAL_NAMES, Elementwise, map2, map3
from tapegrad_kernels.cpu._real import as_real
from tapegrad_kernels.cpu._softmax_kernels import first_outside, run_rows

Array = NDArray[Any]

_REALS = frozenset((FLOAT32, FLOAT64))


def _are_plain(arrays: tuple[Any, ...]) -> bool:
    """Whether arrays can be used as they are: of one shape and type, C-contiguous."""
    first = arrays[0]
    if type(first) is not np.ndarray or first.dtype not in _REALS or first.ndim == 0:
        return False
    return all(
        type(array) is np.ndarray
        and array.flags.c_contiguous
        and array.dtype == first.dtype
        and array.shape == first.shape
        for array in arrays
    )


def _along(operation: str, kernel: str, axis: int, *arrays: ArrayLike) -> Array:
    """Run a row kernel along any axis of arrays of one shape."""
    if axis == -1 and _are_plain(arrays):
        x: Any = arrays[0]
        y = np.empty(x.shape, x.dtype)
        if y.size:
            width = x.shape[-1]
            run_rows(kernel, y.size // width, width, *arrays, y)
        return y
    first = np.asarray(arrays[0])
    if first.ndim == 0:
        raise ValueError(f"{operation}: got a 0-d array, expected at least one axis")
    if not -first.ndim <= axis < first.ndim:
        raise ValueError(
            f"{operation}: axis {axis} does not exist in an array of {first.ndim} axes"
        )
    last = axis in (-1, first.ndim - 1)
    dtype: np.dtype[Any] | None = None
    if len(arrays) > 1:
        shapes = [np.shape(array) for array in arrays]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{operation}: the gradient has shape {shapes[0]} and the output {shapes[1]}; "
                "they must be equal"
            )
        kinds = [np.asarray(array) for array in arrays]
        dtype = as_real(operation, np.empty(0, np.result_type(*kinds))).dtype
    rows = [
        as_real(operation, array if last else np.moveaxis(np.asarray(array), axis, -1), dtype)
        for array in arrays
    ]
    y = np.empty(rows[0].shape, rows[0].dtype)
    if y.size:
        width = rows[0].shape[-1]
        run_rows(kernel, y.size // width, width, *rows, y)
    return y if last else np.moveaxis(y, -1, axis)


def softmax(x: ArrayLike, *, axis: int = -1) -> Array:
    """``exp(x) / sum(exp(x))`` along an axis.

    Parameters
    ----------
    x : array_like
        Logits, with at least one axis.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    ndarray
        Probabilities of the shape of `x`, float32 for float32 and otherwise float64.

    Examples
    --------
    >>> softmax(np.array([0.0, 0.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    return _along("softmax", "softmax", axis, x)


def softmax_grad(g: ArrayLike, y: ArrayLike, *, axis: int = -1) -> Array:
    """``y * (g - sum(g * y))``: gradient of `softmax` by its output `y`."""
    return _along("softmax_grad", "softmax_grad", axis, g, y)


def log_softmax(x: ArrayLike, *, axis: int = -1) -> Array:
    """``x - log(sum(exp(x)))`` along an axis; arguments as in `softmax`.

    Examples
    --------
    >>> log_softmax(np.array([1000.0, 1000.0]))
    array([-0.69314718, -0.69314718])
    """
    return _along("log_softmax", "log_softmax", axis, x)


def log_softmax_grad(g: ArrayLike, y: ArrayLike, *, axis: int = -1) -> Array:
    """``g - exp(y) * sum(g)``: gradient of `log_softmax` by its output `y`."""
    return _along("log_softmax_grad", "log_softmax_grad", axis, g, y)


def _checked_targets(operation: str, targets: ArrayLike, shape: tuple[int, ...], dtype: Any) -> Any:
    """Labels as int64 inside the classes, or probabilities of the given dtype."""
    t = np.asarray(targets)
    if t.dtype.kind in "iu" and t.shape == shape[:-1]:
        labels = np.asarray(t, np.int64, order="C")
        wrong = int(first_outside(labels.reshape(-1), shape[-1]))
        if wrong >= 0:
            position = tuple(int(i) for i in np.unravel_index(wrong, t.shape))
            raise ValueError(
                f"{operation}: label {t.reshape(-1)[wrong]} at index {position} is out of range "
                f"for {shape[-1]} classes; labels are the integers from 0 to {shape[-1] - 1}"
            )
        return labels, True
    if t.shape == shape and t.dtype.kind in "fiub":
        return np.asarray(t, dtype, order="C"), False
    raise ValueError(
        f"{operation}: targets of shape {t.shape} and dtype {t.dtype} do not fit logits of shape "
        f"{shape}; expected integer labels of shape {shape[:-1]} or probabilities of shape {shape}"
    )


def softmax_cross_entropy(logits: ArrayLike, targets: ArrayLike) -> tuple[Array, Array]:
    """Cross-entropy between targets and the softmax of logits, along the last axis.

    Parameters
    ----------
    logits : array_like, shape (..., classes)
        Real numbers.
    targets : array_like
        Integer labels of shape ``logits.shape[:-1]``, or probabilities of the shape of
        `logits`. A class of target probability 0 adds 0, also where its logit is -Inf.

    Returns
    -------
    losses : ndarray, shape (...)
        ``-log(p[label])``, or ``-sum(targets * log(p))``.
    probabilities : ndarray, shape (..., classes)
        The softmax, which the gradient needs.

    Raises
    ------
    ValueError
        If a label is out of range, or the shapes do not fit.

    Examples
    --------
    >>> losses, p = softmax_cross_entropy(np.array([[0.0, 0.0]]), np.array([1]))
    >>> losses, p
    (array([0.69314718]), array([[0.5, 0.5]]))
    """
    x = as_real("softmax_cross_entropy", logits)
    if x.ndim == 0:
        raise ValueError("softmax_cross_entropy: got 0-d logits, expected an axis of classes")
    t, are_labels = _checked_targets("softmax_cross_entropy", targets, x.shape, x.dtype)
    losses = np.zeros(x.shape[:-1], x.dtype)
    p = np.empty(x.shape, x.dtype)
    if x.size:
        name = "cross_entropy_labels" if are_labels else "cross_entropy_probabilities"
        run_rows(name, losses.size, x.shape[-1], x, t, losses, p)
    return losses, p


def softmax_cross_entropy_grad(g: ArrayLike, probabilities: ArrayLike, targets: ArrayLike) -> Array:
    """Gradient of the losses of `softmax_cross_entropy` by the logits.

    Parameters
    ----------
    g : array_like, shape (...)
        Gradient by the losses; broadcast to their shape.
    probabilities : array_like, shape (..., classes)
        The second result of `softmax_cross_entropy`.
    targets : array_like
        As given to it.

    Returns
    -------
    ndarray, shape (..., classes)
        ``g[..., None] * (probabilities * sum(targets) - targets)``, with one-hot rows for
        labels.
    """
    p = as_real("softmax_cross_entropy_grad", probabilities)
    t, are_labels = _checked_targets("softmax_cross_entropy_grad", targets, p.shape, p.dtype)
    scale = np.asarray(g, p.dtype)
    if scale.shape != p.shape[:-1]:
        scale = np.broadcast_to(scale, p.shape[:-1])
    scale = np.asarray(scale, order="C")
    dx = np.empty(p.shape, p.dtype)
    if p.size:
        name = "cross_entropy_labels_grad" if are_labels else "cross_entropy_probabilities_grad"
        run_rows(name, scale.size, p.shape[-1], scale, p, t, dx)
    return dx


_sigmoid_cross_entropy = Elementwise("sigmoid_cross_entropy", 2, 8_192)
_sigmoid_cross_entropy_grad = Elementwise("sigmoid_cross_entropy_grad", 3, 8_192)


def sigmoid_cross_entropy(logits: ArrayLike, targets: ArrayLike) -> Array:
    """Binary cross-entropy between targets and the sigmoid of logits, element by element.

    Parameters
    ----------
    logits, targets : array_like
        Real numbers, broadcast against each other. Targets are probabilities.

    Returns
    -------
    ndarray
        ``-targets * log(p) - (1 - targets) * log(1 - p)`` for ``p = sigmoid(logits)``,
        without overflow for logits of any size.

    Examples
    --------
    >>> sigmoid_cross_entropy(np.array([0.0, 1000.0]), np.array([1.0, 0.0]))
    array([6.93147181e-01, 1.00000000e+03])
    """
    return map2(_sigmoid_cross_entropy, logits, targets)


def sigmoid_cross_entropy_grad(g: ArrayLike, logits: ArrayLike, targets: ArrayLike) -> Array:
    """``g * (sigmoid(logits) - targets)``: gradient of `sigmoid_cross_entropy` by the logits."""
    return map3(_sigmoid_cross_entropy_grad, g, logits, targets)


def _warm_softmax(real: str) -> None:
    x = np.zeros((1, 2), real)
    softmax_grad(x, softmax(x))
    log_softmax_grad(x, log_softmax(x))


def _warm_cross_entropy(real: str) -> None:
    x = np.zeros((1, 2), real)
    for targets in (np.zeros(1, np.int64), x):
        losses, p = softmax_cross_entropy(x, targets)
        softmax_cross_entropy_grad(losses, p, targets)


for _real in REAL_NAMES:
    on_warmup(f"softmax {_real}")(lambda real=_real: _warm_softmax(real))
    on_warmup(f"softmax_cross_entropy {_real}")(lambda real=_real: _warm_cross_entropy(real))
    for _kernel in (_sigmoid_cross_entropy, _sigmoid_cross_entropy_grad):
        on_warmup(f"{_kernel.name} {_real}")(lambda kernel=_kernel, real=_real: kernel.warm(real))

__all__ = [
    "log_softmax",
    "log_softmax_grad",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_grad",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_grad",
    "softmax_grad",
]
