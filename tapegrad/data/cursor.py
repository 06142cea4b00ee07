"""How one pass over a data set is made: cursors, and the iterator that users see."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

import numpy as np

from tapegrad.data.structure import stack

__all__ = ["Cursor", "DatasetIterator", "Indexed", "IndexedCursor"]


class Cursor:
    """A place in one pass over a data set.

    A subclass says how to get the next element. It overwrites `skip` and `read` where it can do
    better than one element after the other.
    """

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """Return the next element.

        Raises
        ------
        StopIteration
            If there is none.
        """
        raise NotImplementedError

    def skip(self, count: int) -> int:
        """Pass over elements; return how many there were, less than `count` only at the end."""
        for done in range(count):
            if next(self, _END) is _END:
                return done
        return count

    def read(self, count: int) -> tuple[Any, int]:
        """Return the next elements, at most `count`, stacked to a batch, and their number.

        Raises
        ------
        StopIteration
            If there is none.
        """
        elements = list(islice(self, count))
        if not elements:
            raise StopIteration
        return stack(elements, "Dataset.batch"), len(elements)

    def close(self) -> None:
        """End threads and close files; called once, also if the pass was broken off."""


_END = object()


class Indexed(Protocol):
    """A data set whose elements can be reached by number."""

    def _length(self) -> int: ...

    def _rows(self, where: slice | np.ndarray) -> Any: ...

    def _element(self, index: int) -> Any: ...


class IndexedCursor(Cursor):
    """Goes through a data set by numbers: all in turn, or in an order.

    Parameters
    ----------
    dataset
        The data set.
    order
        The numbers in the order of the pass: an array, or an iterator of them where they are
        drawn on the way. None is one after the other.
    """

    def __init__(self, dataset: Indexed, order: np.ndarray | Iterator[int] | None = None) -> None:
        self._dataset = dataset
        self._order = order
        self._position = 0
        self._length = dataset._length()

    def __next__(self) -> Any:
        if self._position >= self._length:
            raise StopIteration
        if self._order is None:
            index = self._position
        elif isinstance(self._order, np.ndarray):
            index = int(self._order[self._position])
        else:
            index = next(self._order)
        self._position += 1
        return self._dataset._element(index)

    def skip(self, count: int) -> int:
        """Move on without touching the data."""
        count = min(count, self._length - self._position)
        self._where(count)
        return count

    def read(self, count: int) -> tuple[Any, int]:
        """Take all rows of a batch at once."""
        count = min(count, self._length - self._position)
        if count <= 0:
            raise StopIteration
        return self._dataset._rows(self._where(count)), count

    def _where(self, count: int) -> slice | np.ndarray:
        start = self._position
        self._position += count
        if self._order is None:
            return slice(start, start + count)
        if isinstance(self._order, np.ndarray):
            return self._order[start : start + count]
        return np.fromiter(islice(self._order, count), np.int64, count)


class DatasetIterator(Iterator[Any]):
    """One pass over a data set, as `iter` and `Dataset.iterate` return it.

    Threads of the pass end when it does: at the last element, at an error, at `close`, at the end
    of a ``with`` block, or when nobody holds the iterator any more.

    Attributes
    ----------
    position : int
        How many elements were taken or skipped.

    Examples
    --------
    >>> from tapegrad.data import Dataset
    >>> with Dataset.range(5).iterate(skip=3) as elements:
    ...     int(next(elements)), elements.position
    (3, 4)
    """

    def __init__(self, cursor: Cursor, skip: int = 0) -> None:
        self._cursor: Cursor | None = cursor
        self.position = 0
        try:
            self.position = cursor.skip(skip) if skip else 0
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> DatasetIterator:
        return self

    def __next__(self) -> Any:
        if self._cursor is None:
            raise StopIteration
        try:
            element = next(self._cursor)
        except BaseException:
            self.close()
            raise
        self.position += 1
        return element

    def close(self) -> None:
        """End the pass; further calls of `next` find nothing."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()

    def __enter__(self) -> DatasetIterator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
