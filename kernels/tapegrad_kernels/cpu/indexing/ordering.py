"""Sorting: order, sorted values, the largest few.

Numbers are compared by integer keys that have their order: the bits of a float, those of a
negative one reversed. -0 and 0 are equal, and NaN is larger than everything, as in NumPy's order.
Rows are sorted by their digits, the lowest first (radix sort [1]_), which keeps equal elements in
their order; the largest few are kept in a heap.

.. [1] D. E. Knuth, *The Art of Computer Programming*, vol. 3, section 5.2.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tapegrad_kernels._compile import Block, block, kernel, on_warmup
from tapegrad_kernels._compile.pointers import POINTER_TO, int64_at, uint64_at
from tapegrad_kernels.cpu import _basis
from tapegrad_kernels.cpu._map import REAL_NAMES
from tapegrad_kernels.cpu._real import as_real
from tapegrad_kernels.cpu.indexing._call import (
    CHUNK,
    Array,
    back,
    checked_axis,
    last_axis,
    run,
)

_DIGIT = 8
"""Bits of a digit."""
_VALUES = 1 << _DIGIT
_SHORT = 48
"""Rows up to which insertion is quicker than counting digits."""
LONG = 4096
"""Rows from which counting digits is quicker than NumPy's sort of values."""
_STRETCH = 64
"""Elements of which the largest is looked for before any is compared with the heap."""


def _make_key(real: str) -> Any:
    """A function from a number to an unsigned integer of 64 bits with its order."""
    zero: Any = np.dtype(real).type(0.0)
    # A float32 has 32 bits, so that digits above are all the same and cost no pass.
    high = np.uint64(1 << (31 if real == "float32" else 63))
    mask = np.uint64((1 << (32 if real == "float32" else 64)) - 1)
    bits: Any = _basis.bits

    @kernel(inline=True)
    def key(x):  # type: ignore[no-untyped-def]
        word = np.uint64(bits(x + zero)) & mask  # -0 + 0 is 0
        word = word ^ mask if word & high else word | high
        return mask if x != x else word

    return key


@kernel(inline=True)
def _insert(keys, order, length):  # type: ignore[no-untyped-def]
    for i in range(1, length):
        word, place, j = keys[i], order[i], i
        while j > 0 and keys[j - 1] > word:
            keys[j], order[j] = keys[j - 1], order[j - 1]
            j -= 1
        keys[j], order[j] = word, place


@kernel(inline=True)
def _radix(keys, order, spare_keys, spare_order, counts, length, digits):  # type: ignore[no-untyped-def]
    # Sorts by one digit after the other; returns whether the result is in the spare arrays.
    low = np.uint64(_VALUES - 1)
    for i in range(digits * _VALUES):
        counts[i] = 0
    for i in range(length):
        word = keys[i]
        for digit in range(digits):
            counts[digit * _VALUES + np.int64((word >> np.uint64(_DIGIT * digit)) & low)] += 1
    turned = False
    for digit in range(digits):
        shift, base = np.uint64(_DIGIT * digit), digit * _VALUES
        if counts[base + np.int64((keys[0] >> shift) & low)] == length:
            continue  # all alike
        total = 0
        for value in range(base, base + _VALUES):
            count = counts[value]
            counts[value] = total
            total += count
        for i in range(length):
            word = keys[i]
            value = base + np.int64((word >> shift) & low)
            place = counts[value]
            counts[value] = place + 1
            spare_keys[place], spare_order[place] = word, order[i]
        keys, spare_keys = spare_keys, keys
        order, spare_order = spare_order, order
        turned = not turned
    return turned


@block("argsort")
def argsort_block(record, start, stop):  # type: ignore[no-untyped-def]
    # Of keys, whatever they were made of. `work` holds spare arrays and counts of each task.
    packed = int64_at(record)
    length, digits, each = packed[3], packed[4], packed[5]
    size = 2 * length + 8 * _VALUES
    for row in range(start, stop):
        keys = uint64_at(packed[0] + 8 * row * length)
        order = int64_at(packed[1] + 8 * row * length)
        for i in range(length):
            order[i] = i
        if length <= _SHORT:
            _insert(keys, order, length)
            continue
        spare = packed[2] + 8 * size * (row // each)
        spare_keys, spare_order = uint64_at(spare), int64_at(spare + 8 * length)
        counts = int64_at(spare + 16 * length)
        if _radix(keys, order, spare_keys, spare_order, counts, length, digits):
            for i in range(length):
                order[i] = spare_order[i]


def _make_blocks(real: str) -> dict[str, Block]:
    at = POINTER_TO[real]
    key = _make_key(real)
    top = np.uint64((1 << (32 if real == "float32" else 64)) - 1)

    @block(f"sort_keys.{real}")
    def make_keys(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, keys = at(packed[0]), uint64_at(packed[1])
        flip = top if packed[2] else np.uint64(0)
        for i in range(start, stop):
            keys[i] = key(x[i]) ^ flip

    @kernel(inline=True)
    def worse(keys, places, i, j):  # type: ignore[no-untyped-def]
        # Whether element i of the heap comes after element j in the result.
        return keys[i] < keys[j] or (keys[i] == keys[j] and places[i] > places[j])

    @kernel(inline=True)
    def sift(keys, places, base, i, count):  # type: ignore[no-untyped-def]
        while True:
            child = 2 * i + 1
            if child >= count:
                break
            if child + 1 < count and worse(keys, places, base + child + 1, base + child):
                child += 1
            if not worse(keys, places, base + child, base + i):
                break
            a, b = base + i, base + child
            keys[a], keys[b] = keys[b], keys[a]
            places[a], places[b] = places[b], places[a]
            i = child

    @block(f"top_k.{real}")
    def top_k_rows(record, start, stop):  # type: ignore[no-untyped-def]
        packed = int64_at(record)
        x, places, keys = at(packed[0]), int64_at(packed[1]), uint64_at(packed[2])
        values, length, k = at(packed[3]), packed[4], packed[5]
        for row in range(start, stop):
            first, base = row * length, row * k
            for i in range(k):
                keys[base + i] = key(x[first + i])
                places[base + i] = i
            for i in range(k // 2 - 1, -1, -1):
                sift(keys, places, base, i, k)
            for left in range(k, length, _STRETCH):
                right = min(left + _STRETCH, length)
                best = np.uint64(0)
                for i in range(first + left, first + right):
                    best = max(best, key(x[i]))
                if best <= keys[base]:
                    continue
                for i in range(left, right):
                    word = key(x[first + i])
                    if word > keys[base]:  # an equal one further on comes after
                        keys[base], places[base] = word, i
                        sift(keys, places, base, 0, k)
            for last in range(k - 1, 0, -1):
                a, b = base, base + last
                keys[a], keys[b] = keys[b], keys[a]
                places[a], places[b] = places[b], places[a]
                sift(keys, places, base, 0, last)
            for i in range(base, base + k):
                values[i] = x[first + places[i]]

    return {"keys": make_keys, "top_k": top_k_rows}


_BLOCKS = {
    (name, np.dtype(real)): made for real in REAL_NAMES for name, made in _make_blocks(real).items()
}
_MANY = 16
"""A row's share from which the largest few are found by sorting: one in so many elements."""


def block_of(name: str, dtype: np.dtype[Any]) -> Block:
    """A block of float32 or float64."""
    return _BLOCKS[name, dtype]


def spare_length(length: int) -> int:
    """Spare words that `argsort_block` needs for a task of rows of `length`."""
    return 2 * length + 8 * _VALUES


def digits_of(dtype: np.dtype[Any]) -> int:
    """Digits of a key."""
    return 8 * dtype.itemsize // _DIGIT


def by_sorting(k: int, length: int) -> bool:
    """Whether the largest few of rows are found by sorting them."""
    return k == length or (k * _MANY > length and length > _SHORT)


def _argsort_rows(rows: Array, descending: bool) -> Array:
    order = np.empty(rows.shape, np.int64)
    if rows.size:
        length = rows.shape[-1]
        count = rows.size // length
        each = max(1, CHUNK // length)
        keys = np.empty(rows.size, np.int64)
        run(_BLOCKS["keys", rows.dtype], rows.size, CHUNK, rows, keys, p=descending)
        work = np.empty(-(-count // each) * spare_length(length), np.int64)
        digits = digits_of(rows.dtype)
        run(argsort_block, count, each, keys, order, work, p=length, q=digits, r=each)
    return order


def argsort(x: ArrayLike, *, axis: int | None = -1, descending: bool = False) -> Array:
    """Indices that sort along an axis; equal elements keep their order.

    Parameters
    ----------
    x : array_like
        Numbers.
    axis : int or None, default -1
        None sorts the flattened array.
    descending : bool, default False
        Largest first; equal elements keep their order here too. NaN counts as the largest
        number: it comes last, or with `descending` first.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    ValueError
        If the axis does not exist.

    Examples
    --------
    >>> argsort([2.0, 1.0, 2.0])
    array([1, 0, 2])
    >>> argsort([2.0, 1.0, 2.0], descending=True)
    array([0, 2, 1])
    """
    array = np.asarray(x)
    if axis is None:
        array, axis = array.reshape(-1), 0
    axis = checked_axis("argsort", axis, array.ndim)
    if array.dtype.kind != "f":
        if descending:  # the complement turns the order of integers and booleans around
            array = ~array
        return np.argsort(array, axis=axis, kind="stable")
    return back(_argsort_rows(last_axis(as_real("argsort", array), axis), descending), axis)


def sort(x: ArrayLike, *, axis: int | None = -1, descending: bool = False) -> Array:
    """`x` sorted along an axis; parameters and errors as in `argsort`.

    Values alone are NumPy's for short rows, and by digits for long ones.

    Examples
    --------
    >>> sort([2.0, np.nan, 1.0], descending=True)
    array([nan,  2.,  1.])
    """
    array = np.asarray(x)
    if axis is None:
        array, axis = array.reshape(-1), 0
    axis = checked_axis("sort", axis, array.ndim)
    if array.dtype.char in "fd" and array.shape[axis] >= LONG:
        rows = last_axis(as_real("sort", array), axis)
        return back(np.take_along_axis(rows, _argsort_rows(rows, descending), -1), axis)
    y = np.sort(array, axis=axis)
    return np.flip(y, axis) if descending else y


def top_k(x: ArrayLike, *, k: int, sorted: bool = True) -> tuple[Array, Array]:
    """The `k` largest elements of every row.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Real numbers.
    k : int
        How many, from 0 to n.
    sorted : bool, default True
        Largest first. The order is not promised otherwise, though it is the same today.

    Returns
    -------
    values : ndarray, shape (..., k)
        float32 for float32, otherwise float64. NaN counts as the largest number.
    indices : ndarray of int64, shape (..., k)
        Where they stand; of equal elements the first comes first.

    Raises
    ------
    ValueError
        If there is no axis, or `k` does not fit.

    Examples
    --------
    >>> top_k([3.0, 5.0, 3.0, 1.0], k=2)
    (array([5., 3.]), array([1, 0]))
    """
    rows = as_real("top_k", x)
    if rows.ndim == 0:
        raise ValueError("top_k: got a 0-d array, expected rows")
    length = rows.shape[-1]
    if not 0 <= k <= length:
        raise ValueError(f"top_k: k is {k}, expected a number from 0 to the length {length}")
    shape = (*rows.shape[:-1], k)
    if by_sorting(k, length):
        places = np.ascontiguousarray(_argsort_rows(rows, True)[..., :k])
        return np.take_along_axis(rows, places, -1), places
    values, places = np.empty(shape, rows.dtype), np.empty(shape, np.int64)
    if values.size:
        keys = np.empty(shape, np.int64)
        made = _BLOCKS["top_k", rows.dtype]
        count = values.size // k
        run(made, count, CHUNK // length, rows, places, keys, values, p=length, q=k)
    return values, places


def _warm(real: str) -> None:
    x = np.zeros((1, 64), real)
    argsort(x)
    top_k(x, k=1)


for _real in REAL_NAMES:
    on_warmup(f"argsort top_k {_real}")(lambda real=_real: _warm(real))

__all__ = ["argsort", "sort", "top_k"]
