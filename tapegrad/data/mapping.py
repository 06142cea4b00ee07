"""Functions of elements, called here or in threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NoReturn

from tapegrad.data.cursor import Cursor
from tapegrad.data.dataset import UNKNOWN_CARDINALITY, Dataset, Run
from tapegrad.data.structure import as_element

__all__ = ["Filtered", "Mapped"]


class Mapped(Dataset):
    """A function of each element; see `Dataset.map`."""

    def __init__(self, source: Dataset, function: Callable[..., Any], workers: int | None) -> None:
        super().__init__(source)
        self._source = source
        self._function = _callable(function, "map")
        if workers is not None and workers < 0:
            workers = os.cpu_count()
        self._workers = workers or 0

    def cardinality(self) -> int:
        """Return the number of elements, if it is known."""
        return self._source.cardinality()

    def _open(self, run: Run) -> Cursor:
        source = self._source._open(run)
        if self._workers > 1:
            return _ThreadedCursor(source, self._function, self._workers)
        return _MappingCursor(source, self._function)


class Filtered(Dataset):
    """The elements for which a function is true; see `Dataset.filter`."""

    def __init__(self, source: Dataset, predicate: Callable[..., Any]) -> None:
        super().__init__(source)
        self._source = source
        self._predicate = _callable(predicate, "filter")

    def cardinality(self) -> int:
        """Return 0 if there is nothing to choose from, otherwise `UNKNOWN_CARDINALITY`."""
        return 0 if self._source.cardinality() == 0 else UNKNOWN_CARDINALITY

    def _open(self, run: Run) -> Cursor:
        return _FilteringCursor(self._source._open(run), self._predicate)


def _callable(function: Any, step: str) -> Callable[..., Any]:
    if not callable(function):
        raise TypeError(f"Dataset.{step}: expected a function, got {type(function).__name__}.")
    return function


def _call(function: Callable[..., Any], element: Any) -> Any:
    return function(*element) if isinstance(element, tuple) else function(element)


def _reraise(error: Exception, step: str, index: int) -> NoReturn:
    """Raise an error of a user's function again, with the number of the element in its message.

    The kind of the error stays where it can be made from a message alone.
    """
    text = f"Dataset.{step}: the function failed at element {index}: {error}"
    kind = type(error)
    # StopIteration would pass for the end of the data.
    plain = len(error.args) <= 1 and not isinstance(error, StopIteration)
    if not plain or not isinstance(kind.__init__, _BuiltIn):
        text, kind = f"{text} ({kind.__name__})", RuntimeError
    raise kind(text) from error


_BuiltIn = type(Exception.__init__)


class _MappingCursor(Cursor):
    def __init__(self, source: Cursor, function: Callable[..., Any]) -> None:
        self._source = source
        self._function = function
        self._index = 0

    def __next__(self) -> Any:
        element = next(self._source)
        index = self._index
        self._index += 1
        try:
            return as_element(_call(self._function, element))
        except Exception as error:
            _reraise(error, "map", index)

    def skip(self, count: int) -> int:
        skipped = self._source.skip(count)
        self._index += skipped
        return skipped

    def close(self) -> None:
        self._source.close()


class _ThreadedCursor(Cursor):
    """Calls a function in threads, some elements ahead, and returns results in order.

    The source is read in the thread of the caller: only the function runs elsewhere.
    """

    def __init__(self, source: Cursor, function: Callable[..., Any], workers: int) -> None:
        self._source = source
        self._function = function
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[Any]] = deque()
        self._index = 0
        self._ended = False
        self._error: Exception | None = None

    def __next__(self) -> Any:
        self._fill()
        if not self._waiting:
            if self._error is not None:  # of the source: after the elements before it
                raise self._error
            raise StopIteration
        future = self._waiting.popleft()
        index = self._index
        self._index += 1
        try:
            return future.result()
        except Exception as error:
            _reraise(error, "map", index)

    def _fill(self) -> None:
        if self._pool is None:  # no threads before the first element is asked for
            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="tapegrad-map")
        while not self._ended and len(self._waiting) < 2 * self._workers:
            try:
                element = next(self._source)
            except StopIteration:
                self._ended = True
                return
            except Exception as error:
                self._ended, self._error = True, error
                return
            self._waiting.append(self._pool.submit(self._work, element))

    def _work(self, element: Any) -> Any:
        return as_element(_call(self._function, element))

    def skip(self, count: int) -> int:
        if self._pool is not None:
            return super().skip(count)
        skipped = self._source.skip(count)
        self._index += skipped
        return skipped

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._source.close()


class _FilteringCursor(Cursor):
    def __init__(self, source: Cursor, predicate: Callable[..., Any]) -> None:
        self._source = source
        self._predicate = predicate
        self._index = 0

    def __next__(self) -> Any:
        for element in self._source:
            index = self._index
            self._index += 1
            try:
                chosen = bool(_call(self._predicate, element))
            except Exception as error:
                _reraise(error, "filter", index)
            if chosen:
                return element
        raise StopIteration

    def close(self) -> None:
        self._source.close()
