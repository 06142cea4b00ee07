"""Elements made ahead of their use, in a thread."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from tapegrad.data.cursor import Cursor
from tapegrad.data.dataset import Dataset, Run

__all__ = ["Prefetched"]

_CHOSEN_SIZE = 2


class Prefetched(Dataset):
    """Elements made ahead of their use; see `Dataset.prefetch`."""

    def __init__(self, source: Dataset, buffer_size: int) -> None:
        super().__init__(source)
        self._source = source
        if buffer_size < -1:
            raise ValueError(
                "Dataset.prefetch: buffer_size must be a whole number from 0, or AUTOTUNE, but is "
                f"{buffer_size!r}."
            )
        self._size = _CHOSEN_SIZE if buffer_size < 0 else int(buffer_size)

    def cardinality(self) -> int:
        """Return the number of elements, if it is known."""
        return self._source.cardinality()

    def _open(self, run: Run) -> Cursor:
        source = self._source._open(run)
        return _PrefetchingCursor(source, self._size) if self._size else source


class _PrefetchingCursor(Cursor):
    """A thread that fills a queue; it starts with the first element and ends with the pass."""

    def __init__(self, source: Cursor, size: int) -> None:
        self._source = source
        self._size = size
        self._ready: deque[Any] = deque()
        self._changed = threading.Condition()
        self._finished = False  # by the thread: nothing comes after what is ready
        self._stopped = False  # by the consumer: nothing more is wanted
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __next__(self) -> Any:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name="tapegrad-prefetch", daemon=True
            )
            self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._finished)
            if self._ready:
                element = self._ready.popleft()
                self._changed.notify_all()
                return element
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def _work(self) -> None:
        try:
            while self._wait_for_room():
                element = next(self._source)
                with self._changed:
                    self._ready.append(element)
                    self._changed.notify_all()
        except StopIteration:
            pass
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._finished = True
                self._changed.notify_all()

    def _wait_for_room(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._ready) < self._size)
            return not self._stopped

    def skip(self, count: int) -> int:
        if self._thread is not None:
            return super().skip(count)
        return self._source.skip(count)

    def close(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        # The garbage collector may end a forgotten pass from within its own thread.
        if self._thread not in (None, threading.current_thread()):
            self._thread.join()
        self._source.close()
