"""Indexing of every kind that NumPy knows, with gradients that accumulate."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.operators import Operators
from tapegrad._core.primitive import defvjp, primitive
from tapegrad._core.registry import operation
from tapegrad._core.state import thread
from tapegrad._core.tensor import Tensor, tensor


def _plain(part: Any) -> Any:
    """A part of an index as NumPy takes it: tensors and lists become arrays."""
    if isinstance(part, Operators):
        part = np.asarray(part)
    elif isinstance(part, list):
        part = np.asarray(part) if part else np.empty(0, np.intp)
    if isinstance(part, np.ndarray) and part.dtype.kind not in "iub":
        raise IndexError(
            f"getitem: an index must consist of integers or booleans, got dtype {part.dtype}"
        )
    return part


_getitem = primitive("getitem", saves="none", view=True)
_index_add = primitive("index_add", saves="none")
defvjp(_getitem, lambda g, answer, x, index: _index_add(g, index=index, shape=x.shape))
defvjp(_index_add, lambda g, answer, x, index, shape: _getitem(g, index=index))


@operation()
def getitem(x: Any, index: Any) -> Tensor:
    """``x[index]`` with integers, slices, ellipsis, new axes, integer and boolean arrays.

    Parameters
    ----------
    x : array_like
    index : index expression
        As NumPy takes it; tensors may stand in it.

    Returns
    -------
    Tensor

    Raises
    ------
    IndexError
        If the index is out of range or of a wrong kind.

    Notes
    -----
    An element that is selected several times gets the sum of the gradients.

    Examples
    --------
    >>> import tapegrad as tg
    >>> x = tg.tensor([1.0, 2.0, 3.0])
    >>> x[[0, 0, 2]]
    Tensor([1., 1., 3.], dtype=float64)
    >>> tg.grad(lambda x: x[[0, 0, 2]].sum())(x)
    Tensor([2., 0., 1.], dtype=float64)
    """
    if thread.recorder is not None and (found := _taken_by_values(x, index)) is not None:
        return found
    if isinstance(index, tuple):
        index = tuple([_plain(part) for part in index])
    elif not isinstance(index, int | slice):
        index = _plain(index)
    return _getitem(x if isinstance(x, Operators) else tensor(x), index=index)


@operation()
def index_add(values: Any, index: Any, shape: tuple[int, ...]) -> Tensor:
    """Zeros of `shape` with `values` added at `index`: the transpose of indexing."""
    if isinstance(index, tuple):
        index = tuple([_plain(part) for part in index])
    else:
        index = _plain(index)
    return _index_add(values, index=index, shape=tuple(shape))


_gather = primitive("gather", saves="inputs")
_scatter_add = primitive("scatter_add", saves="inputs")
defvjp(
    _gather,
    lambda g, answer, table, indices: _scatter_add(g, indices, rows=table.shape[0]),
    None,
)
defvjp(_scatter_add, lambda h, answer, g, indices, rows: _gather(h, indices), None)


def _integers(indices: Any) -> Any:
    """Indices as an operand; an empty list is one of integers."""
    return indices if isinstance(indices, Operators) else np.asarray(indices)


@operation()
def gather(table: Any, indices: Any) -> Tensor:
    """Rows of a table by index, as an embedding looks them up.

    Parameters
    ----------
    table : array_like, shape (rows, ...)
    indices : array_like of int, any shape
        From 0 to ``rows - 1``; unlike `take` and NumPy, negative ones are refused.

    Returns
    -------
    Tensor, shape (*indices.shape, ...)

    Raises
    ------
    IndexError
        If an index is out of range; the message names the first.

    Examples
    --------
    >>> import tapegrad as tg
    >>> gather(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), [1, 1])
    Tensor([[3., 4.],
            [3., 4.]], dtype=float64)
    """
    return _gather(table, _integers(indices))


@operation()
def scatter_add(values: Any, indices: Any, rows: int) -> Tensor:
    """Zeros with rows added at indices: the transpose of `gather`.

    Parameters
    ----------
    values : array_like, shape (*indices.shape, ...)
    indices : array_like of int
        From 0 to ``rows - 1``. What goes to one row is added in order, so that results have the
        same bits with any number of threads.
    rows : int
        Rows of the result.

    Returns
    -------
    Tensor, shape (rows, ...)

    Raises
    ------
    ValueError, IndexError
        If shapes do not fit or an index is out of range.

    Examples
    --------
    >>> import tapegrad as tg
    >>> scatter_add(tg.tensor([1.0, 2.0, 4.0]), [0, 2, 0], 3)
    Tensor([5., 0., 2.], dtype=float64)
    """
    return _scatter_add(values, _integers(indices), rows=int(rows))


_gather_along = primitive("gather_along_axis", saves="inputs")
_scatter_along = primitive("scatter_along_axis", saves="inputs")
defvjp(
    _gather_along,
    lambda g, answer, x, indices, axis: _scatter_along(g, indices, axis=axis, length=x.shape[axis]),
    None,
)
defvjp(
    _scatter_along,
    lambda h, answer, g, indices, axis, length: _gather_along(h, indices, axis=axis),
    None,
)


@operation()
def gather_along_axis(x: Any, indices: Any, axis: int = -1) -> Tensor:
    """One element of `x` along an axis for each index, as `argsort` returns them.

    As `take_along_axis`, but quicker, and negative indices are refused.

    Parameters
    ----------
    x : array_like
    indices : array_like of int
        Of the shape of `x` but for that axis; from 0 to ``x.shape[axis] - 1``.
    axis : int, default -1

    Returns
    -------
    Tensor, of the shape of `indices`

    Raises
    ------
    ValueError, IndexError
        If shapes do not fit or an index is out of range.

    Examples
    --------
    >>> import tapegrad as tg
    >>> gather_along_axis(tg.tensor([[1.0, 2.0, 3.0]]), [[2, 0]])
    Tensor([[3., 1.]], dtype=float64)
    """
    return _gather_along(x, _integers(indices), axis=int(axis))


@operation()
def scatter_along_axis(values: Any, indices: Any, length: int, axis: int = -1) -> Tensor:
    """Zeros with elements added at indices along an axis: the transpose of `gather_along_axis`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> scatter_along_axis(tg.tensor([1.0, 2.0, 4.0]), [2, 0, 0], 3)
    Tensor([6., 0., 1.], dtype=float64)
    """
    return _scatter_along(values, _integers(indices), axis=int(axis), length=int(length))


@operation(np.take)
def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Elements, or slices along an axis, at integer `indices`.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.take(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), [1, 1], axis=0)
    Tensor([[3., 4.],
            [3., 4.]], dtype=float64)
    """
    x = x if isinstance(x, Operators) else tensor(x)
    if _is_recorded(indices):
        if axis is None:
            return getitem(x.reshape(-1), indices)  # type: ignore[attr-defined]
        return getitem(x, (slice(None),) * (axis % x.ndim) + (indices,))  # type: ignore[attr-defined]
    chosen = np.asarray(indices)
    if chosen.dtype.kind not in "iu":
        raise IndexError(f"take: expected integer indices, got dtype {chosen.dtype}")
    if axis is None:
        return getitem(x.reshape(-1), chosen)  # type: ignore[attr-defined]
    return getitem(x, (slice(None),) * (axis % x.ndim) + (chosen,))  # type: ignore[attr-defined]


@operation(np.take_along_axis)
def take_along_axis(x: Any, indices: Any, axis: int) -> Tensor:
    """One element of `x` along an axis for each index, as `argsort` returns them."""
    x = x if isinstance(x, Operators) else tensor(x)
    ndim = x.ndim  # type: ignore[attr-defined]
    if _is_recorded(indices) and _fit_along(x, indices, axis % ndim):
        chosen = _from_start(indices, x.shape[axis])  # type: ignore[attr-defined]
        return gather_along_axis(x, chosen, axis)
    chosen = np.asarray(indices)
    parts: list[Any] = list(np.indices(chosen.shape, sparse=True))
    parts[axis % ndim] = chosen
    return getitem(x, tuple(parts))


@operation(np.diagonal)
def diagonal(x: Any, offset: int = 0) -> Tensor:
    """The diagonal of the first two axes of `x`, as the last axis of the result."""
    x = x if isinstance(x, Operators) else tensor(x)
    rows, columns = x.shape[:2]  # type: ignore[attr-defined]
    length = max(0, min(rows - max(-offset, 0), columns - max(offset, 0)))
    steps = np.arange(length)
    picked = getitem(x, (steps + max(-offset, 0), steps + max(offset, 0)))
    order = (*range(1, picked.ndim), 0)
    return picked.transpose(order) if picked.ndim > 1 else picked


@operation(np.diag)
def diag(x: Any, k: int = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal."""
    x = x if isinstance(x, Operators) else tensor(x)
    if x.ndim == 2:  # type: ignore[attr-defined]
        return diagonal(x, k)
    if x.ndim != 1:  # type: ignore[attr-defined]
        raise ValueError(f"diag: expected one or two axes, got shape {x.shape}")  # type: ignore[attr-defined]
    length = x.shape[0]  # type: ignore[attr-defined]
    steps = np.arange(length)
    size = length + abs(k)
    return index_add(x, (steps + max(-k, 0), steps + max(k, 0)), (size, size))


# ---- indices that a program must read anew in each run --------------------------------


def _is_recorded(index: Any) -> bool:
    """Whether an index is a tensor of integers in a call that is recorded."""
    if thread.recorder is None or not isinstance(index, Operators):
        return False
    return index.dtype.kind in "iu"  # type: ignore[attr-defined]


def _taken_by_values(x: Any, index: Any) -> Tensor | None:
    """``x[index]`` as an operation on the index, if there is a tensor of integers in it.

    This covers one such tensor among slices, and tensors and arrays of integers for the first axes.
    """
    parts = index if isinstance(index, tuple) else (index,)
    if not any(_is_recorded(part) for part in parts):
        return None
    x = x if isinstance(x, Operators) else tensor(x)
    slices = [part for part in parts if isinstance(part, slice)]
    if len(slices) == len(parts) - 1:
        place = next(at for at, part in enumerate(parts) if not isinstance(part, slice))
        rest = tuple([part if at != place else slice(None) for at, part in enumerate(parts)])
        return _taken(getitem(x, rest) if slices else x, parts[place], place)
    if all(_is_integers(part) for part in parts):
        shape = x.shape  # type: ignore[attr-defined]
        position: Any = 0
        fits: Any = 1
        for part, length in zip(parts, shape):
            along = _from_start(part, length)
            position = position * length + along
            fits = fits * ((along >= 0) * (along < length)).astype(np.int64)
        position = position * fits + (fits - 1)  # -1, which is refused, for what fits nowhere
        rows = x.reshape((-1, *shape[len(parts) :]))  # type: ignore[attr-defined]
        return _gather(rows, position)
    return None


def _is_integers(part: Any) -> bool:
    return isinstance(part, np.ndarray | Operators) and part.dtype.kind in "iu"  # type: ignore[union-attr]


def _taken(x: Any, indices: Any, axis: int) -> Tensor:
    """Slices of `x` along an axis."""
    order = (axis, *range(axis), *range(axis + 1, x.ndim))
    rows = _gather(x.transpose(order) if axis else x, _from_start(indices, x.shape[axis]))
    if not axis:
        return rows
    new = range(indices.ndim)
    before = range(indices.ndim, indices.ndim + axis)
    return rows.transpose((*before, *new, *range(indices.ndim + axis, rows.ndim)))


def _from_start(indices: Any, length: int) -> Any:
    """Indices that count from the start; those below ``-length`` stay out of range."""
    wide = indices.astype(np.int64)
    return wide + (wide < 0) * length


def _fit_along(x: Any, indices: Any, axis: int) -> bool:
    own, other = list(x.shape), list(indices.shape)
    return (
        len(own) == len(other) and own[:axis] + own[axis + 1 :] == other[:axis] + other[axis + 1 :]
    )
