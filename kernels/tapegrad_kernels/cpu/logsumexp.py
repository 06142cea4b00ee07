"""Logarithm of a sum of exponentials."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapegrad_kernels.cpu import reductions, vector_math

__all__ = ["logsumexp"]


def logsumexp(x: NDArray[Any], *, axis: Any = None, keepdims: bool = False) -> NDArray[Any]:
    """``log(sum(exp(x)))`` over axes, shifted by the largest element so that nothing overflows.

    Parameters
    ----------
    x : ndarray
        Of floating dtype, any strides.
    axis : int or tuple of int, optional
        Axes to reduce, by default all.
    keepdims : bool, default False
        Whether the axes stay, with length 1.

    Returns
    -------
    ndarray
        -inf where all elements are -inf, inf where one is inf.

    Examples
    --------
    >>> import numpy as np
    >>> float(np.round(logsumexp(np.array([1000.0, 1000.0])), 3))
    1000.693
    """
    largest = reductions.max(x, axis=axis, keepdims=True)
    shift = np.where(np.isfinite(largest), largest, x.dtype.type(0))
    total = reductions.sum(vector_math.exp(x - shift), axis=axis, keepdims=True)
    with np.errstate(divide="ignore"):  # the logarithm of 0 is -inf, as it should be
        result = np.asarray(vector_math.log(total) + shift)
    if keepdims:
        return result
    return result.reshape(reductions.max(x, axis=axis).shape)
