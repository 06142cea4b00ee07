"""Several data sets as one: side by side, one after the other, one again and again."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.data.cursor import Cursor, IndexedCursor
from tapegrad.data.dataset import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset, Run
from tapegrad.data.structure import leaves, map_leaves, paired

__all__ = ["Concatenated", "Repeated", "Zipped"]


class Zipped(Dataset):
    """Elements side by side; see `Dataset.zip`."""

    def __init__(self, datasets: Any) -> None:
        parts = [part for _, part in leaves(datasets)]
        wrong = next((part for part in parts if not isinstance(part, Dataset)), None)
        if wrong is not None or not parts:
            raise TypeError(
                "Dataset.zip: expected data sets, or one tuple or dict of them, got "
                f"{type(wrong).__name__}."
            )
        super().__init__(*parts)
        self._structure = datasets
        self._indexed = all(part._indexed for part in parts)

    def cardinality(self) -> int:
        """Return the length of the shortest part, if it is known."""
        counts = [source.cardinality() for source in self._sources]
        if UNKNOWN_CARDINALITY in counts:
            return UNKNOWN_CARDINALITY
        return min((count for count in counts if count >= 0), default=INFINITE_CARDINALITY)

    def _length(self) -> int:
        return min(source._length() for source in self._sources)

    def _rows(self, where: slice | np.ndarray) -> Any:
        return map_leaves(lambda source: source._rows(where), self._structure)

    def _element(self, index: int) -> Any:
        return map_leaves(lambda source: source._element(index), self._structure)

    def _open(self, run: Run) -> Cursor:
        if self._indexed:
            return IndexedCursor(self)
        return _ZippingCursor([source._open(run) for source in self._sources], self._structure)


class _ZippingCursor(Cursor):
    def __init__(self, sources: list[Cursor], structure: Any) -> None:
        self._parts = sources
        self._structure = structure

    def __next__(self) -> Any:
        # All first: StopIteration inside a generator expression would be an error.
        parts = [next(part) for part in self._parts]
        return paired(self._structure, iter(parts))

    def skip(self, count: int) -> int:
        return min(part.skip(count) for part in self._parts)

    def close(self) -> None:
        for part in self._parts:
            part.close()


class Concatenated(Dataset):
    """One data set after the other; see `Dataset.concatenate`."""

    def __init__(self, first: Dataset, second: Dataset) -> None:
        if not isinstance(second, Dataset):
            raise TypeError(
                f"Dataset.concatenate: expected a data set, got {type(second).__name__}."
            )
        super().__init__(first, second)

    def cardinality(self) -> int:
        """Return the sum of both numbers, if it is known."""
        counts = [source.cardinality() for source in self._sources]
        if INFINITE_CARDINALITY in counts:
            return INFINITE_CARDINALITY
        return UNKNOWN_CARDINALITY if UNKNOWN_CARDINALITY in counts else sum(counts)

    def _open(self, run: Run) -> Cursor:
        return _ChainingCursor(list(self._sources), run)


class Repeated(Dataset):
    """A data set again and again; see `Dataset.repeat`."""

    def __init__(self, source: Dataset, count: int | None) -> None:
        super().__init__(source)
        self._source = source
        self._count = None if count is None or count < 0 else int(count)

    def cardinality(self) -> int:
        """Return the number of elements of all repetitions, if it is known."""
        count = self._source.cardinality()
        if self._count == 0 or count == 0:
            return 0
        if self._count is None:
            return INFINITE_CARDINALITY
        return count if count < 0 else count * self._count

    def _open(self, run: Run) -> Cursor:
        return _RepeatingCursor(self._source, self._count, run)


class _ChainingCursor(Cursor):
    """Goes through data sets in turn, each opened when the one before has ended."""

    def __init__(self, sources: list[Dataset], run: Run) -> None:
        self._waiting = list(reversed(sources))
        self._run = run
        self._current: Cursor | None = None

    def _next_source(self) -> Dataset | None:
        return self._waiting.pop() if self._waiting else None

    def _open_next(self) -> bool:
        self.close()
        source = self._next_source()
        if source is None:
            return False
        self._current = source._open(self._run)
        return True

    def __next__(self) -> Any:
        while self._current is not None or self._open_next():
            assert self._current is not None
            try:
                return next(self._current)
            except StopIteration:
                self._finished()
        raise StopIteration

    def skip(self, count: int) -> int:
        done = 0
        while done < count and (self._current is not None or self._open_next()):
            assert self._current is not None
            skipped = self._current.skip(count - done)
            done += skipped
            if done < count:
                self._finished(skipped)
        return done

    def _finished(self, count: int = 0) -> None:
        self.close()

    def close(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            current.close()


class _RepeatingCursor(_ChainingCursor):
    def __init__(self, source: Dataset, count: int | None, run: Run) -> None:
        super().__init__([], run)
        self._source = source
        self._left = count
        self._empty = False  # whether the current repetition has had no element yet

    def _next_source(self) -> Dataset | None:
        # Nothing repeated without end would be waited for without end.
        if self._left == 0 or self._empty:
            return None
        if self._left is not None:
            self._left -= 1
        self._empty = True
        return self._source

    def __next__(self) -> Any:
        element = super().__next__()
        self._empty = False
        return element

    def _finished(self, count: int = 0) -> None:
        if count:
            self._empty = False
        super()._finished()

    def skip(self, count: int) -> int:
        done = super().skip(count)
        if done:
            self._empty = False
        return done
