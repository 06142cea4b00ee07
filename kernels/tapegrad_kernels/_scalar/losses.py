"""Cross-entropy of a single logit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tapegrad_kernels._scalar.basis import Basis


def build(basis: Basis, functions: SimpleNamespace) -> SimpleNamespace:
    """Define the losses of one number over a device's functions.

    Parameters
    ----------
    basis : Basis
        The device's operations for one real type.
    functions : SimpleNamespace
        What `tapegrad_kernels._scalar.functions.build` made of it.

    Returns
    -------
    SimpleNamespace
        ``sigmoid_cross_entropy(logit, target)``, which is ``-target * log(p) - (1 - target) *
        log(1 - p)`` for ``p = sigmoid(logit)`` without its overflow, and
        ``sigmoid_cross_entropy_grad(g, logit, target)`` by the logit.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad_kernels._scalar import functions
    >>> from tapegrad_kernels._scalar.basis import python_basis
    >>> basis = python_basis(np.float64)
    >>> f = build(basis, functions.build(basis))
    >>> float(f.sigmoid_cross_entropy(np.float64(1000.0), np.float64(0.0)))
    1000.0
    """
    real: Any = basis.real
    define = basis.define
    exp, log1p_unit, sigmoid = functions.exp, functions.log1p_unit, functions.sigmoid
    zero = real(0.0)

    @define
    def sigmoid_cross_entropy(logit, target):  # type: ignore[no-untyped-def]
        positive = zero if logit < zero else logit
        return (positive - logit * target) + log1p_unit(exp(-abs(logit)))

    @define
    def sigmoid_cross_entropy_grad(g, logit, target):  # type: ignore[no-untyped-def]
        return g * (sigmoid(logit) - target)

    return SimpleNamespace(
        sigmoid_cross_entropy=sigmoid_cross_entropy,
        sigmoid_cross_entropy_grad=sigmoid_cross_entropy_grad,
    )
