"""Shapes and strides before a launch: broadcasting, merging of axes, axis arguments.

Kernels get arrays with as few axes as possible. Two neighbouring axes that every
operand walks in one stride are merged, so that contiguous arrays of any shape
need one kernel with one axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad_kernels.cuda.arrays import view

Strides = list[tuple[int, ...]]


def broadcast_shape(name: str, shapes: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The shape that `shapes` broadcast to.

    Raises
    ------
    ValueError
        If they do not; the message names the operation and all shapes.

    Examples
    --------
    >>> broadcast_shape("add", [(3, 1), (4,)])
    (3, 4)
    """
    try:
        return np.broadcast_shapes(*(tuple(shape) for shape in shapes))
    except ValueError:
        listed = " and ".join(str(tuple(shape)) for shape in shapes)
        raise ValueError(
            f"{name}: shapes {listed} do not broadcast; axes must be equal or 1, "
            "counted from the last"
        ) from None


def broadcast_strides(array: Any, shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of `array` when it is seen with the larger `shape`; 0 where it repeats."""
    missing = len(shape) - len(array.shape)
    own = zip(array.shape, array.strides, shape[missing:], strict=True)
    return (0,) * missing + tuple(
        0 if length == 1 and wanted != 1 else stride for length, stride, wanted in own
    )


def merge_axes(shape: Sequence[int], strides: Strides) -> tuple[tuple[int, ...], Strides]:
    """Drop axes of length 1 and merge neighbours that all operands walk in one stride.

    Parameters
    ----------
    shape : sequence of int
        Common shape of all operands.
    strides : list of tuple of int
        Of each operand.

    Returns
    -------
    shape, strides
        The same elements in the same order, with at least one axis.

    Examples
    --------
    >>> merge_axes((2, 1, 3), [(24, 24, 8), (24, 0, 8)])
    ((6,), [(8,), (8,)])
    >>> merge_axes((2, 3), [(24, 8), (0, 8)])
    ((2, 3), [(24, 8), (0, 8)])
    """
    lengths: list[int] = []
    merged: list[list[int]] = [[] for _ in strides]
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        if lengths and all(
            own[-1] == theirs[axis] * length for own, theirs in zip(merged, strides, strict=True)
        ):
            lengths[-1] *= length
            for own, theirs in zip(merged, strides, strict=True):
                own[-1] = theirs[axis]
        else:
            lengths.append(length)
            for own, theirs in zip(merged, strides, strict=True):
                own.append(theirs[axis])
    if not lengths:
        return (1,), [(0,) for _ in strides]
    return tuple(lengths), [tuple(own) for own in merged]


def normalize_axes(name: str, axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Axes as sorted non-negative numbers; None means all.

    Raises
    ------
    ValueError
        If an axis is out of range or given twice. (``numpy.exceptions.AxisError``
        is a ValueError and an IndexError, as in NumPy.)

    Examples
    --------
    >>> normalize_axes("sum", -1, 3)
    (2,)
    """
    if axis is None:
        return tuple(range(ndim))
    given = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    axes = []
    for number in given:
        number = int(number)
        if not -ndim <= number < ndim:
            raise np.exceptions.AxisError(
                f"{name}: axis {number} is out of range for an array with {ndim} axes"
            )
        axes.append(number % ndim)
    if len(set(axes)) != len(axes):
        raise ValueError(f"{name}: an axis is given twice in {tuple(given)}")
    return tuple(sorted(axes))


def permute(array: Any, axes: Sequence[int]) -> Any:
    """View with the axes in another order."""
    return view(array, [array.shape[i] for i in axes], [array.strides[i] for i in axes])


def split_axes(array: Any, axes: Sequence[int]) -> tuple[Any, tuple[int, ...]] | None:
    """View as ``[kept, kept, reduced]`` for kernels that combine along `axes`.

    Returns
    -------
    view : device array with three axes
        None if no such view exists; a copy with the reduced axes last has one.
    kept_shape : tuple of int
        Shape of what remains without `axes`.
    """
    kept = [axis for axis in range(array.ndim) if axis not in axes]
    kept_shape = tuple(array.shape[axis] for axis in kept)

    def merged(chosen: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        shape, strides = merge_axes(
            [array.shape[axis] for axis in chosen], [tuple(array.strides[axis] for axis in chosen)]
        )
        return shape, strides[0]

    outer_shape, outer_strides = merged(kept)
    inner_shape, inner_strides = merged(axes)
    if len(outer_shape) > 2 or len(inner_shape) > 1:
        return None
    if len(outer_shape) == 1:
        outer_shape, outer_strides = (1, *outer_shape), (0, *outer_strides)
    return view(array, outer_shape + inner_shape, outer_strides + inner_strides), kept_shape
