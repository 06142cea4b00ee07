"""What operations with windows share: their arguments, and the rules of convolutions.

A convolution, its gradient by the input and its gradient by the filters are each
bilinear, and each is the derivative of the other two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core.primitive import Primitive, defvjp_joint
from tapegrad.ops._linear_algebra import ACTIVATION_GRADIENTS, through_activation
from tapegrad.ops._shape import as_tensor, astype, reshape


def define_rules(
    forwards: Sequence[Primitive], input_grad: Primitive, kernel_grad: Primitive
) -> None:
    """Define the derivatives of a convolution and of its two gradients.

    Parameters
    ----------
    forwards : sequence of Primitive
        Of (x, w) or (x, w, bias); the first is called without a bias.
    input_grad, kernel_grad : Primitive
        Of (dy, w) with ``x_shape`` and of (x, dy) with ``w_shape``.
    """
    convolve = forwards[0]

    def forward_rule(
        g: Any,
        answer: Any,
        x: Any,
        w: Any,
        bias: Any = None,
        *,
        needs: Sequence[bool],
        activation: str | None,
        **window: Any,
    ) -> list[Any]:
        g, by_bias = through_activation(g, answer, activation, len(needs) > 2 and needs[2])
        return [
            input_grad(g, w, x_shape=x.shape, **window) if needs[0] else None,
            kernel_grad(x, g, w_shape=w.shape, **window) if needs[1] else None,
            by_bias,
        ]

    def input_grad_rule(
        h: Any, answer: Any, dy: Any, w: Any, *, needs: Sequence[bool], x_shape: Any, **window: Any
    ) -> list[Any]:
        return [
            convolve(h, w, activation=None, **window) if needs[0] else None,
            kernel_grad(h, dy, w_shape=w.shape, **window) if needs[1] else None,
        ]

    def kernel_grad_rule(
        h: Any, answer: Any, x: Any, dy: Any, *, needs: Sequence[bool], w_shape: Any, **window: Any
    ) -> list[Any]:
        return [
            input_grad(dy, h, x_shape=x.shape, **window) if needs[0] else None,
            convolve(x, h, activation=None, **window) if needs[1] else None,
        ]

    for forward in forwards:
        defvjp_joint(forward, forward_rule)
    defvjp_joint(input_grad, input_grad_rule)
    defvjp_joint(kernel_grad, kernel_grad_rule)


def check_activation(operation: str, activation: str | None) -> None:
    """Raise ValueError for an activation that no kernel has fused."""
    if activation not in ACTIVATION_GRADIENTS:
        raise ValueError(
            f"{operation}: activation {activation!r} is none of linear, relu, tanh, sigmoid; "
            "apply others to the result"
        )


def operands_of(x: Any, *others: Any) -> list[Any]:
    """Tensors of one floating dtype, NumPy's promotion of all."""
    tensors = [as_tensor(a) for a in (x, *others) if a is not None]
    dtypes = {t.dtype for t in tensors}
    if len(dtypes) > 1 or next(iter(dtypes)) not in (np.float32, np.float64):
        common = np.result_type(*dtypes)
        if common not in (np.float32, np.float64):
            common = np.dtype(np.float32 if common == np.float16 else np.float64)
        tensors = [astype(t, common) for t in tensors]
    return tensors


def pair(value: Any) -> Any:
    """Two numbers, in a form that has a hash."""
    return (value, value) if isinstance(value, int) else tuple(value)


def pads(padding: Any) -> Any:
    """Padding in a form that has a hash."""
    if isinstance(padding, (str, int)):
        return padding.lower() if isinstance(padding, str) else padding
    return tuple(tuple(side) if isinstance(side, (tuple, list)) else side for side in padding)


def as_row(operation_name: str, x: Any, w: Any) -> tuple[Any, Any]:
    """Sequences as images of one row."""
    x, w = as_tensor(x), as_tensor(w)
    if x.ndim != 3 or w.ndim != 3:
        raise ValueError(
            f"{operation_name}: x has the shape {x.shape} and w {w.shape}; expected 3 axes each, "
            "x (batch, length, channels)"
        )
    return (
        reshape(x, (x.shape[0], 1, *x.shape[1:])),
        reshape(w, (1, *w.shape)),
    )


def row_padding(padding: Any, span: int) -> Any:
    """Padding of sequences as that of images of one row."""
    if isinstance(padding, str):
        if padding.lower() == "causal":
            return ((0, 0), (span - 1, 0))
        return padding
    return ((0, 0), (padding, padding) if isinstance(padding, int) else tuple(padding))
