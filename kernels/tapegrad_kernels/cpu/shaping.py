"""Shape, indexing and selection: thin covers of NumPy with the parameters as keywords.

Arrays are positional and everything else is a keyword, as primitives call their
kernels. Where NumPy gives a view, so do these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tapegrad_kernels.cpu.indexing.rows import combine_rows, wrapped

Array = NDArray[Any]

_CHEAP_TO_FILL = 4096
"""Elements that are filled in the time that NumPy needs to make a view of stride 0."""


def reshape(x: Array, *, shape: int | Sequence[int]) -> Array:
    """`x` with another shape of the same size; one entry may be -1."""
    return np.reshape(x, shape)


def transpose(x: Array, *, axes: Sequence[int] | None = None) -> Array:
    """`x` with its axes permuted, reversed without `axes`."""
    return np.transpose(x, axes)


def swapaxes(x: Array, *, axis1: int, axis2: int) -> Array:
    """`x` with two axes exchanged."""
    return np.swapaxes(x, axis1, axis2)


def moveaxis(x: Array, *, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    """`x` with the axes `source` moved to `destination`."""
    return np.moveaxis(x, source, destination)


def expand_dims(x: Array, *, axis: int | Sequence[int]) -> Array:
    """`x` with new axes of length 1."""
    return np.expand_dims(x, axis)


def squeeze(x: Array, *, axis: int | Sequence[int] | None = None) -> Array:
    """`x` without axes of length 1."""
    return np.squeeze(x, axis if axis is None or isinstance(axis, int) else tuple(axis))


def ravel(x: Array) -> Array:
    """`x` as a vector, in C order."""
    return np.ravel(x)


def broadcast_to(x: Array, *, shape: int | Sequence[int]) -> Array:
    """`x` repeated to `shape`: a read-only view, or a copy where one is cheaper than a view."""
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    if x.shape == lengths:
        return x
    if x.ndim == 0 and math.prod(lengths) <= _CHEAP_TO_FILL and min(lengths, default=0) >= 0:
        filled = np.empty(lengths, x.dtype)
        filled[...] = x
        return filled
    return np.broadcast_to(x, lengths)


def concatenate(*xs: Array, axis: int | None = 0) -> Array:
    """The arrays joined along an existing axis; flattened first if `axis` is None."""
    return np.concatenate(xs, axis=axis)


def stack(*xs: Array, axis: int = 0) -> Array:
    """The arrays joined along a new axis."""
    return np.stack(xs, axis=axis)


def split(
    x: Array, *, indices_or_sections: int | Sequence[int], axis: int = 0
) -> tuple[Array, ...]:
    """`x` cut along an axis, into equal sections or before the given indices."""
    return tuple(np.split(x, indices_or_sections, axis=axis))


def array_split(
    x: Array, *, indices_or_sections: int | Sequence[int], axis: int = 0
) -> tuple[Array, ...]:
    """`x` cut along an axis; the sections may differ by one in length."""
    return tuple(np.array_split(x, indices_or_sections, axis=axis))


def pad(
    x: Array,
    *,
    pad_width: int | Sequence[int] | Sequence[Sequence[int]],
    mode: Any = "constant",
    constant_values: Any = 0,
) -> Array:
    """`x` with a border, by the modes of `numpy.pad`."""
    if mode == "constant":
        return np.pad(x, pad_width, mode, constant_values=constant_values)
    return np.pad(x, pad_width, mode)


def getitem(x: Array, *, index: Any) -> Array:
    """``x[index]`` as an array: a view for slices, a copy for arrays of indices."""
    return np.asarray(x[index])


def selects_once(index: Any) -> bool:
    """Whether no element can be selected twice: integers, slices, new axes, boolean masks."""
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        if part is None or part is Ellipsis or isinstance(part, (slice, int, bool, np.integer)):
            continue
        if isinstance(part, (np.ndarray, np.bool_)) and part.dtype == np.bool_:
            continue
        return False
    return True


def only_rows(index: Any) -> Array | None:
    """The integer array that is the whole index, if it is one."""
    if isinstance(index, tuple) and len(index) == 1:
        index = index[0]
    if isinstance(index, np.ndarray) and index.dtype.kind in "iu" and index.ndim:
        return index
    return None


def _add_rows(g: Array, index: Array, shape: tuple[int, ...]) -> Array:
    """`index_add` along the first axis."""
    chosen = wrapped("index_add", index, shape[0])
    expected = index.shape + shape[1:]
    values = g if g.shape == expected else np.broadcast_to(g, expected)
    result = np.zeros(shape, g.dtype)
    combine_rows("add", np.asarray(values, order="C"), chosen, result)
    return result


def index_add(g: Array, *, index: Any, shape: int | Sequence[int]) -> Array:
    """Zeros of `shape` with `g` added at `index`: the transpose of `getitem`.

    Parameters
    ----------
    g : ndarray
        Of the shape that ``zeros(shape)[index]`` has, or one that broadcasts to it.
    index : index expression
        Anything that NumPy takes between brackets. Where an element is selected more than
        once, the contributions add up.
    shape : int or sequence of int
        Shape of the result.

    Examples
    --------
    >>> index_add(np.array([1.0, 2.0, 4.0]), index=np.array([0, 2, 0]), shape=(3,))
    array([5., 0., 2.])
    """
    rows = only_rows(index)
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    if rows is not None and np.asarray(g).dtype.char in "fd" and lengths:
        return _add_rows(np.asarray(g), rows, lengths)
    result = np.zeros(shape, np.asarray(g).dtype)
    if selects_once(index):
        result[index] = g
    else:
        np.add.at(result, index, g)
    return result


def put_at(x: Array, values: Array, *, index: Any) -> Array:
    """A copy of `x` in which ``x[index]`` is replaced by `values`."""
    result = np.array(x)
    result[index] = values
    return result


def take(x: Array, *, indices: Any, axis: int | None = None) -> Array:
    """The elements or slices of `x` at integer `indices` along an axis."""
    return np.asarray(np.take(x, indices, axis=axis))


def take_along_axis(x: Array, *, indices: Any, axis: int | None) -> Array:
    """One element of `x` for each index along an axis, as `argsort` returns them."""
    return np.take_along_axis(x, indices, axis)


def where(condition: ArrayLike, x: ArrayLike, y: ArrayLike) -> Array:
    """`x` where `condition` holds and `y` elsewhere, broadcast against each other."""
    return np.where(condition, x, y)


def clip(x: Array, min: Any = None, max: Any = None) -> Array:
    """`x` limited to the range from `min` to `max`; None leaves a side open."""
    if min is None and max is None:
        return np.array(x)
    return np.asarray(np.clip(x, min, max))


def diff(x: Array, *, n: int = 1, axis: int = -1) -> Array:
    """Differences of neighbours along an axis, `n` times."""
    return np.diff(x, n=n, axis=axis)


def flip(x: Array, *, axis: int | Sequence[int] | None = None) -> Array:
    """`x` in reversed order along one, several or all axes."""
    return np.flip(x, axis if axis is None or isinstance(axis, int) else tuple(axis))


def roll(x: Array, *, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Array:
    """`x` shifted along axes; what leaves at one end enters at the other."""
    return np.roll(x, shift, axis)


def tril(x: Array, *, k: int = 0) -> Array:
    """`x` with zeros above the `k`-th diagonal of its last two axes."""
    return np.tril(x, k)


def triu(x: Array, *, k: int = 0) -> Array:
    """`x` with zeros below the `k`-th diagonal of its last two axes."""
    return np.triu(x, k)


def diagonal(x: Array, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The diagonals of the matrices in two axes, as the last axis of the result."""
    return np.diagonal(x, offset, axis1, axis2)


def astype(x: Array, *, dtype: DTypeLike) -> Array:
    """`x` in another dtype; `x` itself if it has that dtype already."""
    return np.asarray(x).astype(dtype, copy=False)


def copy(x: Array) -> Array:
    """A C-contiguous copy of `x`."""
    return np.array(x, order="C")


def tile(x: Array, *, reps: int | Sequence[int]) -> Array:
    """`x` repeated as a whole along each axis."""
    return np.tile(x, reps)


def repeat(x: Array, *, repeats: int | Sequence[int], axis: int | None = None) -> Array:
    """`x` with each element, or each slice along an axis, repeated."""
    return np.repeat(x, repeats, axis=axis)


def zeros_like(x: Array) -> Array:
    """Zeros with the shape and dtype of `x`."""
    return np.zeros_like(x, subok=False)


def ones_like(x: Array) -> Array:
    """Ones with the shape and dtype of `x`."""
    return np.ones_like(x, subok=False)


def argmax(x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Index of the first largest element, along an axis or in the flattened array."""
    return np.asarray(np.argmax(x, axis=axis, keepdims=keepdims))


def argmin(x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Index of the first smallest element, along an axis or in the flattened array."""
    return np.asarray(np.argmin(x, axis=axis, keepdims=keepdims))


def all(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Whether all elements along the axes are true."""
    return np.asarray(np.all(x, axis=axis, keepdims=keepdims))


def any(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Whether any element along the axes is true."""
    return np.asarray(np.any(x, axis=axis, keepdims=keepdims))


def einsum(*xs: Array, subscripts: str) -> Array:
    """Einstein's summation over the arrays, by NumPy with the order of products optimised."""
    return np.asarray(np.einsum(subscripts, *xs, optimize=True))


__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "array_split",
    "astype",
    "broadcast_to",
    "clip",
    "concatenate",
    "copy",
    "diagonal",
    "diff",
    "einsum",
    "expand_dims",
    "flip",
    "getitem",
    "index_add",
    "moveaxis",
    "ones_like",
    "pad",
    "put_at",
    "ravel",
    "repeat",
    "reshape",
    "roll",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "take",
    "take_along_axis",
    "tile",
    "transpose",
    "tril",
    "triu",
    "where",
    "zeros_like",
]
