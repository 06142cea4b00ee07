"""Parts of a data set, and numbers beside its elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.data.cursor import Cursor, IndexedCursor
from tapegrad.data.dataset import INFINITE_CARDINALITY, Dataset, Run

__all__ = ["Chosen", "Enumerated", "Skipped", "Taken"]


class Taken(Dataset):
    """The first elements; see `Dataset.take`."""

    def __init__(self, source: Dataset, count: int) -> None:
        super().__init__(source)
        self._source = source
        self._count = int(count)
        self._indexed = source._indexed

    def cardinality(self) -> int:
        """Return the number of elements, if it is known."""
        count = self._source.cardinality()
        if self._count < 0:
            return count
        if count == INFINITE_CARDINALITY:
            return self._count
        return min(count, self._count)

    def _length(self) -> int:
        length = self._source._length()
        return length if self._count < 0 else min(length, self._count)

    def _rows(self, where: slice | np.ndarray) -> Any:
        return self._source._rows(where)

    def _element(self, index: int) -> Any:
        return self._source._element(index)

    def _open(self, run: Run) -> Cursor:
        if self._indexed:
            return IndexedCursor(self)
        cursor = self._source._open(run)
        return cursor if self._count < 0 else _TakingCursor(cursor, self._count)


class _TakingCursor(Cursor):
    def __init__(self, source: Cursor, count: int) -> None:
        self._source = source
        self._left = count

    def __next__(self) -> Any:
        if self._left <= 0:
            raise StopIteration
        element = next(self._source)
        self._left -= 1
        return element

    def skip(self, count: int) -> int:
        skipped = self._source.skip(min(count, self._left))
        self._left -= skipped
        return skipped

    def read(self, count: int) -> tuple[Any, int]:
        if self._left <= 0:
            raise StopIteration
        batch, number = self._source.read(min(count, self._left))
        self._left -= number
        return batch, number

    def close(self) -> None:
        self._source.close()


class Skipped(Dataset):
    """All but the first elements; see `Dataset.skip`."""

    def __init__(self, source: Dataset, count: int) -> None:
        super().__init__(source)
        self._source = source
        self._count = int(count)
        self._indexed = source._indexed

    def cardinality(self) -> int:
        """Return the number of elements, if it is known."""
        count = self._source.cardinality()
        if self._count < 0:
            return 0
        return count if count < 0 else max(0, count - self._count)

    def _length(self) -> int:
        return 0 if self._count < 0 else max(0, self._source._length() - self._count)

    def _rows(self, where: slice | np.ndarray) -> Any:
        if isinstance(where, slice):
            return self._source._rows(slice(where.start + self._count, where.stop + self._count))
        return self._source._rows(where + self._count)

    def _element(self, index: int) -> Any:
        return self._source._element(index + self._count)

    def _open(self, run: Run) -> Cursor:
        if self._indexed:
            return IndexedCursor(self)
        cursor = self._source._open(run)
        if self._count < 0:
            return _TakingCursor(cursor, 0)
        try:
            cursor.skip(self._count)
        except BaseException:
            cursor.close()
            raise
        return cursor


class Enumerated(Dataset):
    """Elements with their numbers; see `Dataset.enumerate`."""

    def __init__(self, source: Dataset, start: int) -> None:
        super().__init__(source)
        self._source = source
        self._start = int(start)
        self._indexed = source._indexed

    def cardinality(self) -> int:
        """Return the number of elements, if it is known."""
        return self._source.cardinality()

    def _length(self) -> int:
        return self._source._length()

    def _rows(self, where: slice | np.ndarray) -> Any:
        if isinstance(where, slice):
            numbers = np.arange(where.start, where.stop, dtype=np.int64)
        else:
            numbers = where
        return numbers + self._start, self._source._rows(where)

    def _element(self, index: int) -> Any:
        return np.int64(index + self._start), self._source._element(index)

    def _open(self, run: Run) -> Cursor:
        if self._indexed:
            return IndexedCursor(self)
        return _NumberingCursor(self._source._open(run), self._start)


class _NumberingCursor(Cursor):
    def __init__(self, source: Cursor, start: int) -> None:
        self._source = source
        self._number = start

    def __next__(self) -> Any:
        element = next(self._source)
        self._number += 1
        return np.int64(self._number - 1), element

    def skip(self, count: int) -> int:
        skipped = self._source.skip(count)
        self._number += skipped
        return skipped

    def close(self) -> None:
        self._source.close()


class Chosen(Dataset):
    """Some elements of a data set that can be reached by number, in an order.

    Parameters
    ----------
    source
        The data set.
    indices
        The numbers of the elements.
    """

    _indexed = True

    def __init__(self, source: Dataset, indices: np.ndarray) -> None:
        super().__init__(source)
        self._source = source
        self._indices = indices

    def cardinality(self) -> int:
        """Return how many were chosen."""
        return len(self._indices)

    def _length(self) -> int:
        return len(self._indices)

    def _rows(self, where: slice | np.ndarray) -> Any:
        return self._source._rows(self._indices[where])

    def _element(self, index: int) -> Any:
        return self._source._element(int(self._indices[index]))
