"""Sums, means, products and extremes of segments, and counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.primitive import Primitive, defvjp, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._cumulative import linear_scan
from tapegrad.ops._indexing import gather, scatter_add
from tapegrad.ops._ordering import argsort
from tapegrad.ops._selection import equal, not_equal, where
from tapegrad.ops._shape import concatenate, reshape

_segment_sum = primitive("segment_sum", saves="inputs", doc="Sums of segments.")
defvjp(
    _segment_sum,
    lambda g, answer, x, segment_ids, num_segments: gather(g, segment_ids),
    None,
)


def _ids(segment_ids: Any) -> Any:
    return segment_ids if isinstance(segment_ids, Tensor) else np.asarray(segment_ids)


@operation()
def segment_sum(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """Sums of the entries along the first axis that belong to one segment.

    Parameters
    ----------
    x : array_like, shape (n, ...)
    segment_ids : array_like of int, shape (n,)
        Segment of each entry, from 0 to ``num_segments - 1``, in any order.
    num_segments : int
        Length of the result.

    Returns
    -------
    Tensor, shape (num_segments, ...)
        0 for an empty segment.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    IndexError
        If a segment is out of range; the message names the first.

    Examples
    --------
    >>> import tapegrad as tg
    >>> segment_sum(tg.tensor([1.0, 2.0, 4.0]), [0, 2, 0], 3)
    Tensor([5., 0., 2.], dtype=float64)
    """
    return _segment_sum(x, _ids(segment_ids), num_segments=int(num_segments))


_bincount = primitive("bincount", differentiable=False, doc="How often each number occurs.")


def _counts(segment_ids: Any, num_segments: int, like: Any) -> Any:
    """Entries of each segment, at least 1, in a shape that broadcasts to `like`."""
    counts = _bincount(segment_ids, length=num_segments)
    counts = where(equal(counts, 0), 1, counts).astype(like.dtype)
    return reshape(counts, (num_segments,) + (1,) * (like.ndim - 1))


@operation()
def segment_mean(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """Means of segments, 0 for an empty one; arguments and errors as in `segment_sum`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> segment_mean(tg.tensor([1.0, 2.0, 4.0]), [0, 2, 0], 3)
    Tensor([2.5, 0. , 2. ], dtype=float64)
    """
    total = segment_sum(x, segment_ids, num_segments)
    return total / _counts(_ids(segment_ids), int(num_segments), total)


def _extremum_rule(g: Any, answer: Any, x: Any, segment_ids: Any, num_segments: int) -> Any:
    # As in max and min, equal elements share the gradient.
    mask = equal(x, gather(answer, segment_ids)).astype(x.dtype)
    count = _segment_sum(mask, segment_ids, num_segments=num_segments)
    share = g / where(equal(count, 0), 1, count)
    return gather(share, segment_ids) * mask


def _extremum(name: str) -> Primitive:
    made = primitive(name, saves="both", doc="Extreme entries of segments.")
    defvjp(made, _extremum_rule, None)
    return made


_segment_max = _extremum("segment_max")
_segment_min = _extremum("segment_min")


@operation()
def segment_max(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """Largest entries of segments, -inf for an empty one; arguments as in `segment_sum`.

    Notes
    -----
    Equal largest entries share the gradient.

    Examples
    --------
    >>> import tapegrad as tg
    >>> segment_max(tg.tensor([1.0, 2.0, 4.0]), [0, 1, 0], 2)
    Tensor([4., 2.], dtype=float64)
    """
    return _segment_max(x, _ids(segment_ids), num_segments=int(num_segments))


@operation()
def segment_min(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """Smallest entries of segments, inf for an empty one; see `segment_max`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> segment_min(tg.tensor([1.0, 2.0, 4.0]), [0, 1, 0], 2)
    Tensor([1., 2.], dtype=float64)
    """
    return _segment_min(x, _ids(segment_ids), num_segments=int(num_segments))


def _running_product(x: Any, starts: Any, reverse: bool) -> Any:
    """Products of what comes before in the segment (after it with `reverse`) along the first axis.

    `starts` is 1 where a segment starts, from that side.
    """
    blank = x[:1] * 0
    shifted = concatenate([x[1:], blank] if reverse else [blank, x[:-1]], 0)
    # At a start the recurrence begins anew, from the empty product.
    return linear_scan(where(starts, 0, shifted), where(starts, 1, 0 * shifted), 0, reverse)


def _prod_rule(g: Any, answer: Any, x: Any, segment_ids: Any, num_segments: int) -> Any:
    # The product of the others, without a division: right with any number of zeros.
    if x.size == 0:
        return x
    order = argsort(segment_ids)
    grouped = gather(segment_ids, order)
    change, edge = not_equal(grouped[1:], grouped[:-1]), np.ones(1, bool)
    shape = (-1,) + (1,) * (x.ndim - 1)
    before = reshape(concatenate([edge, change], 0), shape)
    after = reshape(concatenate([change, edge], 0), shape)
    ordered = gather(x, order)
    others = _running_product(ordered, before, False) * _running_product(ordered, after, True)
    return gather(g, segment_ids) * scatter_add(others, order, x.shape[0])


_segment_prod = primitive("segment_prod", saves="inputs", doc="Products of segments.")
defvjp(_segment_prod, _prod_rule, None)


@operation()
def segment_prod(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """Products of segments, 1 for an empty one; arguments and errors as in `segment_sum`.

    Notes
    -----
    The derivative is right with any number of zeros among the factors.

    Examples
    --------
    >>> import tapegrad as tg
    >>> segment_prod(tg.tensor([3.0, 2.0, 4.0]), [0, 1, 0], 2)
    Tensor([12.,  2.], dtype=float64)
    """
    return _segment_prod(x, _ids(segment_ids), num_segments=int(num_segments))


@operation(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each number occurs, or the sum of its weights.

    Parameters
    ----------
    x : array_like of int, shape (n,)
        Not negative.
    weights : array_like, shape (n,), optional
        Summed instead of counted; they get gradients.
    minlength : int, default 0
        Least length of the result, which otherwise ends with the largest number.

    Returns
    -------
    Tensor
        int64, with weights of their floating dtype.

    Raises
    ------
    IndexError
        If a number is negative.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.bincount([0, 2, 0])
    Tensor([2, 0, 1], dtype=int64)
    """
    numbers = np.asarray(x)
    if numbers.ndim != 1:
        raise ValueError(f"bincount: got numbers of shape {numbers.shape}, expected a vector")
    length = max(int(minlength), int(numbers.max()) + 1 if numbers.size else 0)
    if weights is None:
        return _bincount(numbers, length=length)
    return segment_sum(weights, numbers, length)
