"""Random orders, which can be drawn again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from tapegrad._core.device import device
from tapegrad.data.cursor import Cursor, IndexedCursor
from tapegrad.data.dataset import Dataset, Run
from tapegrad.random import Generator, get_generator

__all__ = ["Shuffled"]

_DRAWN_AT_ONCE = 1024


class Shuffled(Dataset):
    """Elements in random order; see `Dataset.shuffle`.

    Each pass has a *key*, a whole number that decides its order. Keys come from a generator of
    this step's own if it has a seed, and otherwise from tapegrad's. The key of the next pass is
    drawn when the pass begins, or when the state is asked for before.
    """

    def __init__(
        self, source: Dataset, buffer_size: int | None, seed: int | None, reshuffle: bool
    ) -> None:
        if buffer_size is not None and (int(buffer_size) != buffer_size or buffer_size <= 0):
            raise ValueError(
                "Dataset.shuffle: buffer_size must be a positive whole number, but is "
                f"{buffer_size!r}."
            )
        super().__init__(source)
        self._source = source
        self._size = None if buffer_size is None else int(buffer_size)
        self._reshuffle = reshuffle
        with device("cpu"):
            self._own = None if seed is None else Generator(seed)
        self._key: int | None = None

    def cardinality(self) -> int:
        """Return the number of elements, if it is known."""
        return self._source.cardinality()

    def _begin(self, run: Run) -> None:
        super()._begin(run)
        if self not in run:
            run[self] = _Keys(self._next_key())
            if self._reshuffle:
                self._key = None

    def _next_key(self) -> int:
        if self._key is None:
            self._key = _draw_key(self._own or get_generator())
        return self._key

    def _open(self, run: Run) -> Cursor:
        keys: _Keys = run[self]
        key = keys.next() if self._reshuffle else keys.first
        with device("cpu"):
            generator = Generator(key)
            if not self._source._indexed:
                source = self._source._open(run)
                return _ShufflingCursor(source, shuffled(source, self._size, generator))
            length = self._source._length()
            if self._size is None or self._size >= length:
                return IndexedCursor(self._source, generator.permutation(length).numpy())
            return IndexedCursor(self._source, shuffled(range(length), self._size, generator))

    def _state(self) -> dict[str, Any]:
        key = self._next_key()  # before the count of draws is looked at
        drawn = None if self._own is None else int(self._own.stream)
        return {**super()._state(), "next": key, "drawn": drawn}

    def _set_state(self, state: dict[str, Any]) -> None:
        self._key = int(state["next"])
        if self._own is not None and state["drawn"] is not None:
            # As in `state`: the count after the next pass's key was drawn.
            self._own.stream.assign(np.uint64(state["drawn"]))


class _Keys:
    """The keys of a pass: one, and under `repeat` further ones that follow from it."""

    def __init__(self, first: int) -> None:
        self.first = first
        self._generator: Generator | None = None

    def next(self) -> int:
        if self._generator is None:
            with device("cpu"):
                self._generator = Generator(self.first)
            return self.first
        return _draw_key(self._generator)


def _draw_key(generator: Generator) -> int:
    with device("cpu"):
        return int(float(generator.uniform((), dtype="float64")) * 2**53)


def shuffled(elements: Iterable[Any], size: int | None, generator: Generator) -> Iterator[Any]:
    """Yield elements in random order, chosen from a buffer of `size` of them."""
    elements = iter(elements)
    numbers = _uniform_numbers(generator)
    buffer = list(islice(elements, size))
    for element in elements:
        at = int(next(numbers) * len(buffer))
        chosen, buffer[at] = buffer[at], element
        yield chosen
    while buffer:
        at = int(next(numbers) * len(buffer))
        buffer[at], buffer[-1] = buffer[-1], buffer[at]
        yield buffer.pop()


def _uniform_numbers(generator: Generator) -> Iterator[float]:
    while True:
        with device("cpu"):
            drawn = generator.uniform((_DRAWN_AT_ONCE,), dtype="float64")
        yield from drawn.numpy().tolist()


class _ShufflingCursor(Cursor):
    def __init__(self, source: Cursor, elements: Iterator[Any]) -> None:
        self._source = source
        self._elements = elements

    def __next__(self) -> Any:
        return next(self._elements)

    def close(self) -> None:
        self._source.close()
