"""Elements stacked to batches, and batches cut to elements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tapegrad.data.cursor import Cursor
from tapegrad.data.dataset import UNKNOWN_CARDINALITY, Dataset, Run
from tapegrad.data.structure import unstack

__all__ = ["Batched", "Unbatched"]


class Batched(Dataset):
    """Elements stacked to batches; see `Dataset.batch`."""

    def __init__(self, source: Dataset, batch_size: int, drop_remainder: bool) -> None:
        if isinstance(batch_size, bool) or int(batch_size) != batch_size or batch_size <= 0:
            raise ValueError(
                f"Dataset.batch: batch_size must be a positive whole number, but is {batch_size!r}."
            )
        super().__init__(source)
        self._source = source
        self._size = int(batch_size)
        self._drop = drop_remainder

    @property
    def batch_size(self) -> int:
        """Elements a batch."""
        return self._size

    def cardinality(self) -> int:
        """Return the number of batches, if it is known."""
        count = self._source.cardinality()
        if count < 0:
            return count
        return count // self._size if self._drop else -(-count // self._size)

    def _open(self, run: Run) -> Cursor:
        return _BatchingCursor(self._source._open(run), self._size, self._drop)


class _BatchingCursor(Cursor):
    def __init__(self, source: Cursor, size: int, drop: bool) -> None:
        self._source = source
        self._size = size
        self._drop = drop

    def __next__(self) -> Any:
        batch, count = self._source.read(self._size)
        if self._drop and count < self._size:
            raise StopIteration
        return batch

    def skip(self, count: int) -> int:
        whole, rest = divmod(self._source.skip(count * self._size), self._size)
        return whole if self._drop or not rest else whole + 1

    def close(self) -> None:
        self._source.close()


class Unbatched(Dataset):
    """Batches cut to elements; see `Dataset.unbatch`."""

    def __init__(self, source: Dataset) -> None:
        super().__init__(source)
        self._source = source

    def cardinality(self) -> int:
        """Return the number of elements, known if the source is `batch` without its remainder."""
        count = self._source.cardinality()
        if count <= 0:
            return count
        if isinstance(self._source, Batched):
            elements = self._source._source.cardinality()
            return elements if not self._source._drop else count * self._source.batch_size
        return UNKNOWN_CARDINALITY

    def _open(self, run: Run) -> Cursor:
        return _CuttingCursor(self._source._open(run))


class _CuttingCursor(Cursor):
    def __init__(self, source: Cursor) -> None:
        self._source = source
        self._current: Iterator[Any] = iter(())

    def __next__(self) -> Any:
        while True:
            for element in self._current:
                return element
            self._current = unstack(next(self._source), "Dataset.unbatch")

    def close(self) -> None:
        self._source.close()
