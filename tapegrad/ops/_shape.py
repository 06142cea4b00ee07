"""Shapes: reordering, joining, cutting and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core import builtin
from tapegrad._core.operators import Operators
from tapegrad._core.primitive import defvjp, defvjp_joint, primitive
from tapegrad._core.registry import operation
from tapegrad._core.tensor import Tensor, tensor
from tapegrad.ops._indexing import getitem


def as_tensor(x: Any) -> Any:
    """`x` if it is a tensor or Variable, else a tensor of it."""
    return x if isinstance(x, Operators) else tensor(x)


@operation()
def astype(x: Any, dtype: Any) -> Tensor:
    """`x` converted to `dtype`; a conversion to integers cuts the gradient."""
    return builtin._astype(as_tensor(x), dtype=np.dtype(dtype))


@operation(np.broadcast_to)
def broadcast_to(x: Any, shape: Any) -> Tensor:
    """`x` repeated along axes of length 1, and new leading axes, to the given shape."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return builtin._broadcast_to(as_tensor(x), shape=shape)


_reshape = primitive("reshape", saves="none", view=True)
defvjp(_reshape, lambda g, answer, x, shape: _reshape(g, shape=x.shape))


@operation(np.reshape)
def reshape(x: Any, shape: Any) -> Tensor:
    """The elements of `x`, in row-major order, in another shape.

    Parameters
    ----------
    x : array_like
    shape : int or sequence of int
        One length may be -1: it follows from the others.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the number of elements differs.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.reshape(tg.tensor([1.0, 2.0, 3.0, 4.0]), (2, -1)).shape
    (2, 2)
    """
    shape = (int(shape),) if not isinstance(shape, tuple | list) else tuple(map(int, shape))
    return _reshape(as_tensor(x), shape=shape)


@operation(np.ravel)
def ravel(x: Any) -> Tensor:
    """The elements of `x` in one axis, in row-major order."""
    return reshape(x, (-1,))


_transpose = primitive("transpose", saves="none", view=True)
defvjp(
    _transpose,
    lambda g, answer, x, axes: _transpose(
        g, axes=tuple(sorted(range(len(axes)), key=axes.__getitem__))
    ),
)


@operation(np.transpose)
def transpose(x: Any, axes: Sequence[int] | None = None) -> Tensor:
    """The axes of `x` in another order.

    Parameters
    ----------
    x : array_like
    axes : sequence of int, optional
        For each axis of the result the axis of `x` that it is; by default
        reversed.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If `axes` is no permutation of the axes.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.transpose(tg.tensor([[1.0, 2.0, 3.0]])).shape
    (3, 1)
    """
    x = as_tensor(x)
    ndim = x.ndim
    order = tuple(range(ndim))[::-1] if axes is None else tuple(int(axis) for axis in axes)
    order = tuple(axis + ndim if axis < 0 else axis for axis in order)
    if sorted(order) != list(range(ndim)):
        raise ValueError(f"transpose: {axes} is no permutation of the {ndim} axes of {x.shape}")
    return _transpose(x, axes=order)


@operation(np.swapaxes)
def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """`x` with two axes exchanged."""
    x = as_tensor(x)
    order = list(range(x.ndim))
    try:
        order[axis1], order[axis2] = order[axis2], order[axis1]
    except IndexError:
        raise ValueError(
            f"swapaxes: axis {axis1} or {axis2} does not exist in shape {x.shape}"
        ) from None
    return transpose(x, order)


@operation(np.moveaxis)
def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """`x` with axes moved to other positions; the rest keep their order."""
    x = as_tensor(x)
    sources = [s % x.ndim for s in np.atleast_1d(source).tolist()]
    targets = [d % x.ndim for d in np.atleast_1d(destination).tolist()]
    rest = [axis for axis in range(x.ndim) if axis not in sources]
    for target, moved in sorted(zip(targets, sources, strict=True)):
        rest.insert(target, moved)
    return transpose(x, rest)


@operation(np.expand_dims)
def expand_dims(x: Any, axis: int | tuple[int, ...]) -> Tensor:
    """`x` with new axes of length 1 at the positions that they have in the result."""
    x = as_tensor(x)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    ndim = x.ndim + len(axes)
    if any(not -ndim <= a < ndim for a in axes) or len({a % ndim for a in axes}) != len(axes):
        raise ValueError(f"expand_dims: axis {axis} is out of range for a result of {ndim} axes")
    new = {a % ndim for a in axes}
    lengths = iter(x.shape)
    return reshape(x, tuple(1 if i in new else next(lengths) for i in range(ndim)))


@operation(np.squeeze)
def squeeze(x: Any, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """`x` without its axes of length 1, or without those named.

    Raises
    ------
    ValueError
        If a named axis has another length.
    """
    x = as_tensor(x)
    if axis is None:
        return reshape(x, tuple(n for n in x.shape if n != 1))
    named = axis if isinstance(axis, tuple | list) else (axis,)
    for a in named:
        if not -x.ndim <= a < x.ndim or x.shape[a] != 1:
            raise ValueError(f"squeeze: axis {a} of shape {x.shape} has not length 1")
    gone = {a % x.ndim for a in named}
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in gone))


_concatenate = primitive("concatenate", saves="none")


def _concatenate_rule(
    g: Any, answer: Any, *arrays: Any, needs: Sequence[bool], axis: int
) -> list[Any]:
    parts: list[Any] = []
    start = 0
    for array, needed in zip(arrays, needs, strict=True):
        stop = start + array.shape[axis]
        index = (slice(None),) * (axis % g.ndim) + (slice(start, stop),)
        parts.append(getitem(g, index) if needed else None)
        start = stop
    return parts


defvjp_joint(_concatenate, _concatenate_rule)


@operation(np.concatenate)
def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Tensor:
    """Join arrays along an axis that they have.

    Parameters
    ----------
    arrays : sequence of array_like
        Of equal shapes but for the length of `axis`.
    axis : int or None, default 0
        None joins the flattened arrays.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If shapes differ elsewhere, or there is no array.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.concatenate([tg.tensor([1.0]), tg.tensor([2.0, 3.0])])
    Tensor([1., 2., 3.], dtype=float64)
    """
    parts = [as_tensor(a) for a in arrays]
    if not parts:
        raise ValueError("concatenate: expected at least one array, got none")
    if axis is None:
        parts, axis = [reshape(part, (-1,)) for part in parts], 0
    return _concatenate(*parts, axis=int(axis))


@operation(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """Join arrays of one shape along a new axis.

    Raises
    ------
    ValueError
        If shapes differ, or there is no array.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.stack([tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])]).shape
    (2, 2)
    """
    parts = [as_tensor(a) for a in arrays]
    if len({part.shape for part in parts}) > 1:
        raise ValueError(
            f"stack: expected one shape, got {', '.join(str(part.shape) for part in parts)}"
        )
    return concatenate([expand_dims(part, axis) for part in parts], axis)


@operation(np.vstack)
def vstack(arrays: Sequence[Any]) -> Tensor:
    """Join arrays along the first axis; vectors count as rows."""
    parts = [as_tensor(a) for a in arrays]
    return concatenate([reshape(p, (1, -1)) if p.ndim < 2 else p for p in parts], 0)


@operation(np.hstack)
def hstack(arrays: Sequence[Any]) -> Tensor:
    """Join arrays along the second axis, vectors along their only one."""
    parts = [reshape(p, (1,)) if p.ndim == 0 else p for p in map(as_tensor, arrays)]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1)


def _cuts(x: Any, sections: Any, axis: int, *, equal: bool, name: str) -> list[int]:
    length = x.shape[axis]
    if not isinstance(sections, int):
        return [int(cut) for cut in sections]
    if sections <= 0 or (equal and length % sections):
        raise ValueError(
            f"{name}: axis {axis} of length {length} cannot be cut into {sections} equal sections"
        )
    base, longer = divmod(length, sections)
    sizes = [base + 1] * longer + [base] * (sections - longer)
    return np.cumsum(sizes[:-1]).tolist()


def _split_at(x: Any, cuts: list[int], axis: int) -> list[Tensor]:
    lead = (slice(None),) * (axis % x.ndim)
    bounds = zip([None, *cuts], [*cuts, None], strict=True)
    return [getitem(x, (*lead, slice(start, stop))) for start, stop in bounds]


@operation(np.split)
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Cut `x` along an axis.

    Parameters
    ----------
    x : array_like
    indices_or_sections : int or sequence of int
        Number of equal sections, or where to cut.
    axis : int, default 0

    Returns
    -------
    list of Tensor

    Raises
    ------
    ValueError
        If the axis cannot be cut into equal sections.

    Examples
    --------
    >>> import tapegrad as tg
    >>> [part.tolist() for part in tg.ops.split(tg.tensor([1.0, 2.0, 3.0, 4.0]), 2)]
    [[1.0, 2.0], [3.0, 4.0]]
    """
    x = as_tensor(x)
    return _split_at(x, _cuts(x, indices_or_sections, axis, equal=True, name="split"), axis)


@operation(np.array_split)
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Cut `x` along an axis into sections whose lengths differ by one at most."""
    x = as_tensor(x)
    return _split_at(x, _cuts(x, indices_or_sections, axis, equal=False, name="array_split"), axis)


_pad = primitive("pad", saves="none")
defvjp(
    _pad,
    lambda g, answer, x, pad_width, constant_values: getitem(
        g,
        tuple(slice(before, before + n) for (before, _), n in zip(pad_width, x.shape, strict=True)),
    ),
)


@operation(np.pad)
def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Tensor:
    """Put a border around `x`.

    Parameters
    ----------
    x : array_like
    pad_width : int, (before, after), or one such pair for each axis
        Number of elements to add at both ends of each axis.
    mode : str, default "constant"
        ``"constant"``, or a mode of `numpy.pad` that repeats elements of `x`:
        ``"edge"``, ``"reflect"``, ``"symmetric"``, ``"wrap"``.
    constant_values : float, default 0
        Value of the border for ``"constant"``.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If a width is negative or the mode is unknown.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.pad(tg.tensor([1.0, 2.0]), (1, 2))
    Tensor([0., 1., 2., 0., 0.], dtype=float64)
    """
    x = as_tensor(x)
    widths = np.broadcast_to(np.asarray(pad_width, dtype=np.int64), (x.ndim, 2))
    if (widths < 0).any():
        raise ValueError(f"pad: widths must not be negative, got {pad_width}")
    pairs = tuple((int(before), int(after)) for before, after in widths)
    if mode == "constant":
        return _pad(x, pad_width=pairs, constant_values=constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(f"pad: mode {mode!r} is not constant, edge, reflect, symmetric or wrap")
    for axis, pair in enumerate(pairs):
        if pair != (0, 0):
            chosen = np.pad(np.arange(x.shape[axis]), pair, mode=mode)  # type: ignore[call-overload]
            x = getitem(x, (slice(None),) * axis + (chosen,))
    return x


@operation(np.flip)
def flip(x: Any, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """`x` with the order of its elements reversed along axes, by default all."""
    x = as_tensor(x)
    if axis is None:
        axes = set(range(x.ndim))
    else:
        axes = {a % x.ndim for a in (axis if isinstance(axis, tuple | list) else (axis,))}
    return getitem(
        x, tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))
    )


@operation(np.roll)
def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """`x` shifted along axes; what leaves at one end enters at the other."""
    x = as_tensor(x)
    if axis is None:
        return reshape(roll(reshape(x, (-1,)), shift, 0), x.shape)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    shifts = shift if isinstance(shift, tuple | list) else (shift,) * len(axes)
    for s, a in zip(shifts, axes, strict=True):
        chosen = np.roll(np.arange(x.shape[a]), s)
        x = getitem(x, (slice(None),) * (a % x.ndim) + (chosen,))
    return x


@operation(np.repeat)
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Each element, or each slice along an axis, repeated in place.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.repeat(tg.tensor([1.0, 2.0]), 2)
    Tensor([1., 1., 2., 2.], dtype=float64)
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    chosen = np.repeat(np.arange(x.shape[axis]), repeats)
    return getitem(x, (slice(None),) * (axis % x.ndim) + (chosen,))


@operation(np.tile)
def tile(x: Any, reps: Any) -> Tensor:
    """`x` repeated as a whole along each axis.

    Examples
    --------
    >>> import tapegrad as tg
    >>> tg.ops.tile(tg.tensor([1.0, 2.0]), 2)
    Tensor([1., 2., 1., 2.], dtype=float64)
    """
    x = as_tensor(x)
    counts = (reps,) if isinstance(reps, int) else tuple(reps)
    ndim = max(x.ndim, len(counts))
    shape = (1,) * (ndim - x.ndim) + x.shape
    counts = (1,) * (ndim - len(counts)) + counts
    # Beside each axis a new one in front of it, along which it is broadcast.
    spread = reshape(x, tuple(n for length in shape for n in (1, length)))
    full = broadcast_to(
        spread, tuple(n for c, length in zip(counts, shape, strict=True) for n in (c, length))
    )
    return reshape(full, tuple(c * n for c, n in zip(counts, shape, strict=True)))


@operation(np.atleast_1d)
def atleast_1d(x: Any) -> Tensor:
    """`x` with at least one axis."""
    x = as_tensor(x)
    return reshape(x, (1,)) if x.ndim == 0 else x


@operation(np.atleast_2d)
def atleast_2d(x: Any) -> Tensor:
    """`x` with at least two axes; a vector becomes a row."""
    x = as_tensor(x)
    return reshape(x, (1, -1)) if x.ndim < 2 else x
