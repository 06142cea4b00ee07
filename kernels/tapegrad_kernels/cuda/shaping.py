"""Shape, indexing and selection on device arrays.

Whatever NumPy does by a view is a view here too: NumPy itself computes its shape,
strides and offset, on a stand-in that has the array's shape but no memory of its
own. Indexing with arrays turns into gathering by positions that are computed on
the host, and its transpose into sums over the positions that coincide, each in
the order of the elements, so that the same input gives the same bits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numba
import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import DTypeLike

from tapegrad_kernels.cuda import arrays, elementwise
from tapegrad_kernels.cuda.shim import Specimen, cuda, grid_for, kernel, specimens


def _as_numpy_does(x: Any, view: Callable[[Any], Any]) -> Any:
    """The view of `x` that NumPy makes of an array with its shape and strides."""
    base = np.empty(1, x.dtype)
    stand_in = as_strided(base, tuple(x.shape), tuple(x.strides))
    seen = view(stand_in)
    offset = seen.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return arrays.view(x, seen.shape, seen.strides, offset if seen.size else 0)


def reshape(x: Any, *, shape: int | Sequence[int]) -> Any:
    """`x` with another shape of the same size; one entry may be -1."""
    wanted = [int(shape)] if isinstance(shape, (int, np.integer)) else [int(n) for n in shape]
    if wanted.count(-1) == 1:
        known = math.prod(n for n in wanted if n != -1)
        if known and x.size % known == 0:
            wanted[wanted.index(-1)] = x.size // known
    if min(wanted, default=0) < 0 or math.prod(wanted) != x.size:
        raise ValueError(
            f"reshape: an array of shape {tuple(x.shape)} has {x.size} elements and cannot take "
            f"the shape {shape}"
        )
    x = elementwise.contiguous(x)
    return arrays.view(x, wanted, arrays.contiguous_strides(wanted, x.dtype.itemsize))


def transpose(x: Any, *, axes: Sequence[int] | None = None) -> Any:
    """`x` with its axes permuted, reversed without `axes`."""
    return _as_numpy_does(x, lambda a: np.transpose(a, axes))


def swapaxes(x: Any, *, axis1: int, axis2: int) -> Any:
    """`x` with two axes exchanged."""
    return _as_numpy_does(x, lambda a: np.swapaxes(a, axis1, axis2))


def moveaxis(x: Any, *, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """`x` with the axes `source` moved to `destination`."""
    return _as_numpy_does(x, lambda a: np.moveaxis(a, source, destination))


def expand_dims(x: Any, *, axis: int | Sequence[int]) -> Any:
    """`x` with new axes of length 1."""
    return _as_numpy_does(x, lambda a: np.expand_dims(a, axis))


def squeeze(x: Any, *, axis: int | Sequence[int] | None = None) -> Any:
    """`x` without axes of length 1."""
    chosen = axis if axis is None or isinstance(axis, int) else tuple(axis)
    return _as_numpy_does(x, lambda a: np.squeeze(a, chosen))


def ravel(x: Any) -> Any:
    """`x` as a vector, in C order."""
    return reshape(x, shape=-1) if x.size else reshape(x, shape=0)


def broadcast_to(x: Any, *, shape: int | Sequence[int]) -> Any:
    """A view of `x` repeated to `shape`; not to be written to."""
    wanted = shape if isinstance(shape, int) else tuple(shape)
    return _as_numpy_does(x, lambda a: np.broadcast_to(a, wanted))


def flip(x: Any, *, axis: int | Sequence[int] | None = None) -> Any:
    """`x` in reversed order along one, several or all axes."""
    chosen = axis if axis is None or isinstance(axis, int) else tuple(axis)
    return _as_numpy_does(x, lambda a: np.flip(a, chosen))


def diagonal(x: Any, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonals of the matrices in two axes, as the last axis of the result."""
    return _as_numpy_does(x, lambda a: np.diagonal(a, offset, axis1, axis2))


def _assign_part(out: Any, index: Any, value: Any) -> None:
    """``out[index] = value`` for integers and slices."""
    part = _as_numpy_does(out, lambda a: a[index])
    dtype = value.dtype if arrays.is_device_array(value) else out.dtype
    elementwise.map_into(part, elementwise.identity, [value], [dtype])


def concatenate(*xs: Any, axis: int | None = 0) -> Any:
    """The arrays joined along an existing axis; flattened first if `axis` is None.

    Raises
    ------
    ValueError
        If they differ in another axis.
    """
    if not xs:
        raise ValueError("concatenate: needs at least one array")
    elementwise.check_operands("concatenate", xs)
    if axis is None:
        xs = tuple(ravel(x) for x in xs)
    ndim = xs[0].ndim
    along = 0 if axis is None else int(axis)
    if not -ndim <= along < ndim:
        raise np.exceptions.AxisError(f"concatenate: axis {along} is out of range for {ndim} axes")
    along %= ndim
    shapes = [tuple(x.shape) for x in xs]
    first = shapes[0]
    for shape in shapes:
        if len(shape) != ndim or any(shape[i] != first[i] for i in range(ndim) if i != along):
            raise ValueError(
                f"concatenate: shapes {first} and {shape} differ in an axis other than {along}"
            )
    total = sum(shape[along] for shape in shapes)
    dtype = np.result_type(*(x.dtype for x in xs))
    out = arrays.empty((*first[:along], total, *first[along + 1 :]), dtype)
    start = 0
    for x, shape in zip(xs, shapes, strict=True):
        if x.size:
            _assign_part(out, (slice(None),) * along + (slice(start, start + shape[along]),), x)
        start += shape[along]
    return out


def stack(*xs: Any, axis: int = 0) -> Any:
    """The arrays joined along a new axis."""
    return concatenate(*(expand_dims(x, axis=axis) for x in xs), axis=axis)


def split(x: Any, *, indices_or_sections: int | Sequence[int], axis: int = 0) -> tuple[Any, ...]:
    """`x` cut along an axis, into equal sections or before the given indices."""
    return _pieces(x, np.split, indices_or_sections, axis)


def array_split(
    x: Any, *, indices_or_sections: int | Sequence[int], axis: int = 0
) -> tuple[Any, ...]:
    """`x` cut along an axis; the sections may differ by one in length."""
    return _pieces(x, np.array_split, indices_or_sections, axis)


def _pieces(x: Any, cut: Callable[..., Any], where: Any, axis: int) -> tuple[Any, ...]:
    def count(a: Any) -> int:
        return len(cut(a, where, axis=axis))

    number = count(as_strided(np.empty(1, x.dtype), tuple(x.shape), tuple(x.strides)))
    return tuple(
        _as_numpy_does(x, lambda a, i=i: cut(a, where, axis=axis)[i]) for i in range(number)
    )


def pad(
    x: Any,
    *,
    pad_width: int | Sequence[int] | Sequence[Sequence[int]],
    mode: Any = "constant",
    constant_values: Any = 0,
) -> Any:
    """`x` with a border of one number.

    Raises
    ------
    NotImplementedError
        For other modes than ``"constant"``.
    """
    if mode != "constant" or np.ndim(constant_values) != 0:
        raise NotImplementedError("pad: on CUDA the border is one number (mode='constant')")
    widths = np.broadcast_to(np.asarray(pad_width, np.int64), (x.ndim, 2))
    shape = [n + int(a) + int(b) for n, (a, b) in zip(x.shape, widths, strict=True)]
    out = arrays.full(shape, constant_values, x.dtype)
    if x.size:
        inside = tuple(slice(int(a), int(a) + n) for n, (a, _) in zip(x.shape, widths, strict=True))
        _assign_part(out, inside, x)
    return out


def _is_basic(index: Any) -> bool:
    """Whether an index has integers, slices, ellipsis and new axes alone."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None
        or part is Ellipsis
        or isinstance(part, slice)
        or (isinstance(part, (int, np.integer)) and not isinstance(part, bool))
        for part in parts
    )


def _on_host(index: Any) -> Any:
    """An index with its device arrays brought to the host."""
    if isinstance(index, tuple):
        return tuple(_on_host(part) for part in index)
    return arrays.to_host(index) if arrays.is_device_array(index) else index


def _positions(shape: Sequence[int], index: Any) -> np.ndarray[Any, Any]:
    """Place in C order of each element that an index selects from an array of `shape`."""
    shape = tuple(shape)
    steps = arrays.contiguous_strides(shape, 1)
    places: Any = 0
    for axis, (length, step) in enumerate(zip(shape, steps, strict=True)):
        # A view that repeats the numbers of this axis: only what is selected is written out.
        along = np.arange(length).reshape((-1,) + (1,) * (len(shape) - axis - 1))
        places = places + np.broadcast_to(along, shape)[index] * step
    return np.asarray(places, np.int64)


@functools.cache
def _gather_kernel() -> Any:
    @kernel
    def gather(x, positions, out):  # type: ignore[no-untyped-def]
        for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
            out[i] = x[positions[i]]

    return gather


@functools.cache
def _sum_groups_kernel(dtype: str) -> Any:
    zero = np.dtype(dtype).type(0)

    @kernel
    def sum_groups(g, order, starts, targets, out):  # type: ignore[no-untyped-def]
        for group in range(cuda.grid(1), targets.size, cuda.gridsize(1)):
            total = zero
            for place in range(starts[group], starts[group + 1]):
                total += g[order[place]]
            out[targets[group]] = total

    return sum_groups


def getitem(x: Any, *, index: Any) -> Any:
    """``x[index]``: a view for slices, a copy for arrays of integers or booleans.

    Raises
    ------
    IndexError
        If the index is out of range, by NumPy's own check.
    """
    index = _on_host(index)
    if _is_basic(index):
        return _as_numpy_does(x, lambda a: a[index if isinstance(index, tuple) else (index,)])
    positions = _positions(x.shape, index)
    out = arrays.empty(positions.shape, x.dtype)
    if out.size:
        _gather_kernel()[grid_for(out.size)](
            arrays.flat(elementwise.contiguous(x)),
            arrays.to_device(positions.reshape(-1)),
            arrays.flat(out),
        )
    return out


def _sum_at(g: Any, positions: np.ndarray[Any, Any], out: Any) -> None:
    """Add each element of `g` at its position of the zeros `out`, coinciding ones in order."""
    given = np.ascontiguousarray(positions.reshape(-1))
    order = np.argsort(given, kind="stable")
    targets, starts = np.unique(given[order], return_index=True)
    starts = np.append(starts, given.size).astype(np.int64)
    _sum_groups_kernel(out.dtype.name)[grid_for(targets.size)](
        arrays.flat(elementwise.contiguous(g)),
        arrays.to_device(order.astype(np.int64)),
        arrays.to_device(starts),
        arrays.to_device(targets),
        arrays.flat(out),
    )


def index_add(g: Any, *, index: Any, shape: int | Sequence[int]) -> Any:
    """Zeros of `shape` with `g` added at `index`: the transpose of `getitem`."""
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    index = _on_host(index)
    out = arrays.zeros(wanted, g.dtype)
    if _is_basic(index):
        _assign_part(out, index if isinstance(index, tuple) else (index,), g)
        return out
    positions = _positions(wanted, index)
    if positions.size:
        _sum_at(broadcast_to(g, shape=positions.shape), positions, out)
    return out


def put_at(x: Any, values: Any, *, index: Any) -> Any:
    """A copy of `x` in which ``x[index]`` is replaced; of equal places the last wins."""
    out = elementwise.copy(x)
    index = _on_host(index)
    if _is_basic(index):
        _assign_part(out, index if isinstance(index, tuple) else (index,), values)
        return out
    positions = _positions(x.shape, index)
    if positions.size == 0:
        return out
    chosen = arrays.empty(positions.shape, x.dtype)
    dtype = values.dtype if arrays.is_device_array(values) else x.dtype
    elementwise.map_into(chosen, elementwise.identity, [values], [dtype])
    backwards = positions.reshape(-1)[::-1]
    targets, last = np.unique(backwards, return_index=True)
    order = positions.size - 1 - last
    _sum_groups_kernel(x.dtype.name)[grid_for(targets.size)](
        arrays.flat(chosen),
        arrays.to_device(order.astype(np.int64)),
        arrays.to_device(np.arange(targets.size + 1)),
        arrays.to_device(targets),
        arrays.flat(out),
    )
    return out


def take(x: Any, *, indices: Any, axis: int | None = None) -> Any:
    """The elements or slices of `x` at integer `indices` along an axis."""
    indices = np.asarray(_on_host(indices))
    if axis is None:
        return getitem(ravel(x), index=indices)
    return getitem(x, index=(slice(None),) * (axis % x.ndim) + (indices,))


def where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where `condition` holds and `y` elsewhere, broadcast against each other."""
    return elementwise.select(condition, x, y)


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """`x` limited to the range from `min` to `max`; None leaves a side open."""
    result = x
    if min is not None:
        result = elementwise.apply("maximum", result, min)
    if max is not None:
        result = elementwise.apply("minimum", result, max)
    return elementwise.copy(x) if result is x else result


def zeros_like(x: Any) -> Any:
    """Zeros with the shape and dtype of `x`."""
    return arrays.zeros(tuple(x.shape), x.dtype)


def ones_like(x: Any) -> Any:
    """Ones with the shape and dtype of `x`."""
    return arrays.ones(tuple(x.shape), x.dtype)


def full_like(x: Any, *, fill_value: Any, dtype: DTypeLike | None = None) -> Any:
    """An array of the shape of `x`, filled with one number."""
    return arrays.full(tuple(x.shape), fill_value, x.dtype if dtype is None else dtype)


def identity(x: Any) -> Any:
    """`x` itself."""
    return x


def assign(target: Any, value: Any) -> None:
    """Write `value`, broadcast and converted, into `target`."""
    dtype = value.dtype if arrays.is_device_array(value) else target.dtype
    elementwise.map_into(target, elementwise.identity, [value], [dtype])


def increment(counter: Any) -> None:
    """Add 1 to a counter, in place."""
    dtype = counter.dtype
    add = elementwise.device_operation("add", dtype.name)
    elementwise.map_into(counter, add, [counter, 1], [dtype, dtype])


def gather_flat(buffer: Any, *xs: Any, offsets: Sequence[int]) -> None:
    """Copy arrays into the segments of a 1-D buffer that start at `offsets`."""
    item = buffer.dtype.itemsize
    for x, offset in zip(xs, offsets, strict=True):
        shape = tuple(x.shape)
        segment = arrays.view(buffer, shape, arrays.contiguous_strides(shape, item), offset * item)
        elementwise.map_into(segment, elementwise.identity, [x], [x.dtype])


def one_hot(labels: Any, *, depth: int, dtype: DTypeLike) -> Any:
    """Rows with a one at each label and zeros elsewhere, of shape ``labels.shape + (depth,)``."""
    classes = arrays.to_device(np.arange(depth, dtype=labels.dtype))
    matches = elementwise.apply("equal", expand_dims(labels, axis=-1), classes)
    return elementwise.astype(matches, dtype=dtype)


__all__ = [
    "array_split",
    "assign",
    "broadcast_to",
    "clip",
    "concatenate",
    "diagonal",
    "expand_dims",
    "flip",
    "full_like",
    "gather_flat",
    "getitem",
    "identity",
    "increment",
    "index_add",
    "moveaxis",
    "one_hot",
    "ones_like",
    "pad",
    "put_at",
    "ravel",
    "reshape",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "take",
    "transpose",
    "where",
    "zeros_like",
]


@specimens
def _indexing_specimens() -> Iterator[Specimen]:
    places = numba.int64[::1]
    for dtype in ("float32", "float64"):
        vector = getattr(numba, dtype)[::1]
        yield Specimen(f"gather {dtype}", _gather_kernel(), (vector, places, vector))
        yield Specimen(
            f"index_add {dtype}",
            _sum_groups_kernel(dtype),
            (vector, places, places, places, vector),
        )
