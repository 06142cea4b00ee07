"""Where elements come from: arrays, files, numbers, generators."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tapegrad.data.cursor import Cursor
from tapegrad.data.dataset import UNKNOWN_CARDINALITY, Dataset
from tapegrad.data.structure import as_element, leaves, map_leaves, paired

__all__ = ["Arrays", "Generated", "Numbers", "Windows", "open_npy", "slices"]


class Arrays(Dataset):
    """The rows of arrays of one length, in memory or mapped from files."""

    _indexed = True

    def __init__(self, arrays: Any, length: int) -> None:
        super().__init__()
        self._arrays = arrays
        self._count = length

    def _length(self) -> int:
        return self._count

    def cardinality(self) -> int:
        """Return the number of rows."""
        return self._count

    def _rows(self, where: slice | np.ndarray) -> Any:
        return map_leaves(lambda array: _rows_of(array, where), self._arrays)

    def _element(self, index: int) -> Any:
        return map_leaves(lambda array: _row_of(array, index), self._arrays)


def _rows_of(array: np.ndarray, where: slice | np.ndarray) -> np.ndarray:
    if isinstance(array, np.memmap):  # now is when the rows are read, and no others
        return np.array(array[where], subok=False)
    # `take` is the faster way, but would first copy an array that is not contiguous as a whole.
    if isinstance(where, np.ndarray) and array.flags.c_contiguous:
        return array.take(where, axis=0)
    return array[where]


def _row_of(array: np.ndarray, index: int) -> Any:
    row = array[index]
    return np.array(row, subok=False) if isinstance(row, np.memmap) else row


def slices(tensors: Any) -> Arrays:
    """Return a data set of the rows of arrays; see `Dataset.from_tensor_slices`."""
    who = "Dataset.from_tensor_slices"
    return _of_one_length(map_leaves(lambda leaf: _as_rows(leaf, who), tensors), who)


def _as_rows(leaf: Any, who: str) -> np.ndarray:
    if isinstance(leaf, np.memmap):
        return leaf
    try:
        array = np.asarray(leaf)
    except ValueError:
        raise ValueError(
            f"{who}: a list is not one array, its parts have different shapes; give a tuple of "
            "arrays, or pad them first."
        ) from None
    if array.dtype == object:
        raise TypeError(
            f"{who}: expected arrays of numbers or texts, got {type(leaf).__name__} with dtype "
            "object; convert it first."
        )
    # A view that cannot be written to: a mapped function that works in place would change the
    # user's data, and change it again in every epoch.
    view = array.view()
    view.flags.writeable = False
    return view


def _of_one_length(arrays: Any, who: str) -> Arrays:
    named = list(leaves(arrays))
    if not named:
        raise ValueError(f"{who}: expected at least one array, got an empty structure.")
    for name, array in named:
        if array.ndim == 0:
            where = f"part {name!r} is" if name else "this is"
            raise ValueError(f"{who}: expected arrays with an axis of samples, but {where} 0-d.")
    lengths = {len(array) for _, array in named}
    if len(lengths) > 1:
        listed = ", ".join(f"{name!r}: {len(array)}" for name, array in named)
        raise ValueError(f"{who}: all arrays must have one number of rows, but have {listed}.")
    return Arrays(arrays, lengths.pop())


def open_npy(paths: Any) -> Arrays:
    """Return a data set of the rows of .npy files; see `Dataset.from_npy`."""

    def opened(path: Any) -> np.memmap:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(
                "Dataset.from_npy: expected the path of a .npy file, or a tuple or dict of them, "
                f"got {type(path).__name__}."
            )
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise ValueError(
                f"Dataset.from_npy: {os.fspath(path)} is no whole .npy file of numbers ({error})."
            ) from None
        if not isinstance(array, np.memmap):
            array.close()
            raise ValueError(
                f"Dataset.from_npy: {os.fspath(path)} is an archive of several arrays, which "
                "cannot be mapped into memory; save each array with numpy.save."
            )
        return array

    return _of_one_length(map_leaves(opened, paths), "Dataset.from_npy")


class Numbers(Dataset):
    """Whole numbers at one distance; see `Dataset.range`."""

    _indexed = True

    def __init__(self, *bounds: int) -> None:
        super().__init__()
        try:
            self._range = range(*bounds)
        except (TypeError, ValueError) as error:
            raise type(error)(f"Dataset.range{bounds}: {error}.") from None

    def _length(self) -> int:
        return len(self._range)

    def cardinality(self) -> int:
        """Return how many numbers there are."""
        return len(self._range)

    def _rows(self, where: slice | np.ndarray) -> np.ndarray:
        if isinstance(where, slice):
            where = np.arange(where.start, where.stop, dtype=np.int64)
        return self._range.start + self._range.step * where

    def _element(self, index: int) -> np.int64:
        return np.int64(self._range[index])


class Windows(Dataset):
    """Windows that slide over a series, and what belongs to each.

    Parameters
    ----------
    series
        Array with time as its first axis.
    targets
        One a start of a window, or None.
    starts
        Where windows start.
    offsets
        The steps of a window, counted from its start.
    """

    _indexed = True

    def __init__(
        self,
        series: np.ndarray,
        targets: np.ndarray | None,
        starts: np.ndarray,
        offsets: np.ndarray,
    ) -> None:
        super().__init__()
        self._series = series
        self._targets = targets
        self._starts = starts
        self._offsets = offsets

    def _length(self) -> int:
        return len(self._starts)

    def cardinality(self) -> int:
        """Return the number of windows."""
        return len(self._starts)

    def _rows(self, where: slice | np.ndarray) -> Any:
        starts = self._starts[where]
        windows = self._series[starts[:, None] + self._offsets]
        return windows if self._targets is None else (windows, self._targets[starts])

    def _element(self, index: int) -> Any:
        start = self._starts[index]
        window = self._series[start + self._offsets]
        return window if self._targets is None else (window, self._targets[start])


class Generated(Dataset):
    """What a generator yields; see `Dataset.from_generator`."""

    def __init__(
        self, make: Any, output_types: Any, args: tuple[Any, ...], cardinality: int | None
    ) -> None:
        super().__init__()
        if isinstance(make, Iterator):
            raise TypeError(
                f"Dataset.from_generator: a {type(make).__name__} can be gone through only once; "
                "give the function that makes it, without calling it."
            )
        if not callable(make) and not isinstance(make, Iterable):
            raise TypeError(
                "Dataset.from_generator: expected a function that returns an iterator, got "
                f"{type(make).__name__}."
            )
        self._make: Callable[..., Any] = make if callable(make) else lambda: make
        self._types = output_types
        self._args = args
        self._count = UNKNOWN_CARDINALITY if cardinality is None else int(cardinality)

    def cardinality(self) -> int:
        """Return the number of elements that was given, or `UNKNOWN_CARDINALITY`."""
        return self._count

    def _open(self, run: Any) -> Cursor:
        return _GeneratorCursor(iter(self._make(*self._args)), self._types)


class _GeneratorCursor(Cursor):
    def __init__(self, elements: Iterator[Any], types: Any) -> None:
        self._elements = elements
        self._types = types

    def __next__(self) -> Any:
        element = as_element(next(self._elements))
        return element if self._types is None else _cast(element, self._types)

    def skip(self, count: int) -> int:
        """Pass over elements without converting them."""
        for done in range(count):
            if next(self._elements, self) is self:
                return done
        return count

    def close(self) -> None:
        """Close the generator, so that its ``finally`` blocks run now."""
        close = getattr(self._elements, "close", None)
        if close is not None:
            close()


def _cast(element: Any, types: Any) -> Any:
    if not isinstance(types, tuple | dict):
        return map_leaves(lambda leaf: np.asarray(leaf).astype(types, copy=False)[()], element)
    wanted = [dtype for _, dtype in leaves(types)]
    parts = [leaf for _, leaf in leaves(element)]
    if len(parts) != len(wanted):
        raise ValueError(
            f"Dataset.from_generator: an element has {len(parts)} arrays, but output_types names "
            f"{len(wanted)}."
        )
    cast = (np.asarray(leaf).astype(dtype, copy=False)[()] for leaf, dtype in zip(parts, wanted))
    return paired(element, cast)
