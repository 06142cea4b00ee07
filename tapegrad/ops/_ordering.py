"""Sorting and choosing the largest. NaN counts as the largest number, as in NumPy's order."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.primitive import defvjp, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor
from tapegrad.ops._indexing import gather_along_axis, scatter_along_axis
from tapegrad.ops._shape import as_tensor, reshape

_argsort = primitive("argsort", differentiable=False, doc="Indices that sort along an axis.")
_sort = primitive("sort", saves="inputs", doc="Values sorted along an axis.")
defvjp(
    _sort,
    lambda g, answer, x, axis, descending: scatter_along_axis(
        g, _argsort(x, axis=axis, descending=descending), x.shape[axis], axis
    ),
)

_top_k = primitive(
    "top_k", differentiable=False, doc="The largest elements of every row, and where they stand."
)


def _flat(x: Any, axis: int | None) -> tuple[Any, int]:
    x = as_tensor(x)
    return (reshape(x, (-1,)), 0) if axis is None else (x, int(axis))


def _check_kind(name: str, kind: Any, order: Any) -> None:
    if order is not None:
        raise TypeError(f"{name}: order={order!r} is for arrays of records, which tensors are not")
    if kind not in (None, "quicksort", "mergesort", "heapsort", "stable"):
        raise ValueError(f"{name}: kind={kind!r} is no kind of sort that NumPy knows")


@operation(np.argsort)
def argsort(
    x: Any,
    axis: int | None = -1,
    kind: str | None = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Tensor:
    """Indices that sort along an axis; equal elements keep their order.

    Parameters
    ----------
    x : array_like
    axis : int or None, default -1
        None sorts the flattened array.
    kind, order, stable
        As in NumPy; every sort is stable.
    descending : bool, default False
        Largest first; equal elements keep their order here too.

    Returns
    -------
    Tensor of int64
        NaN comes last, with `descending` first.

    Raises
    ------
    ValueError
        If the axis does not exist.

    Examples
    --------
    >>> import tapegrad as tg
    >>> argsort(tg.tensor([2.0, 1.0, 2.0]), descending=True)
    Tensor([0, 2, 1], dtype=int64)
    """
    _check_kind("argsort", kind, order)
    x, axis = _flat(x, axis)
    return _argsort(x, axis=axis, descending=bool(descending))


@operation(np.sort)
def sort(
    x: Any,
    axis: int | None = -1,
    kind: str | None = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Tensor:
    """Elements sorted along an axis; the arguments are those of `argsort`.

    Notes
    -----
    The gradient goes to where an element came from; of equal ones, in the order of `argsort`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> sort(tg.tensor([2.0, 1.0, 3.0]))
    Tensor([1., 2., 3.], dtype=float64)
    """
    _check_kind("sort", kind, order)
    x, axis = _flat(x, axis)
    return _sort(x, axis=axis, descending=bool(descending))


@operation()
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The `k` largest elements of every row, and where they stand.

    Parameters
    ----------
    x : array_like, shape (..., n)
    k : int
        From 0 to n.
    sorted : bool, default True
        Largest first. The order is not promised otherwise.

    Returns
    -------
    values : Tensor, shape (..., k)
        NaN counts as the largest number. The gradient goes to the chosen elements.
    indices : Tensor of int64, shape (..., k)
        Of equal elements the first comes first.

    Raises
    ------
    ValueError
        If `k` does not fit.

    Examples
    --------
    >>> import tapegrad as tg
    >>> values, indices = top_k(tg.tensor([3.0, 5.0, 3.0, 1.0]), 2)
    >>> values, indices
    (Tensor([5., 3.], dtype=float64), Tensor([1, 0], dtype=int64))
    """
    x = as_tensor(x)
    indices = _top_k(x, k=int(k), sorted=bool(sorted))[1]
    return gather_along_axis(x, indices), indices
