"""Data sets as training sees them: passes of batches, each begun anew or taken up in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tapegrad import random
from tapegrad._core.nest import flatten
from tapegrad.training.arrays import as_arrays, check_lengths, is_sparse, is_structure, map_leaves
from tapegrad.training.class_weights import weights_of_classes

__all__ = ["ArrayPass", "ArraySource", "Batch", "Source"]

Batch = tuple[Any, Any, Any]
"""Inputs, targets and sample weights of a batch; the latter two may be None."""


class Source:
    """Base of all kinds of data.

    A *pass* is one walk through the data. `begin` starts one; `state` says, in numbers that JSON
    holds, what the pass that was begun last depends on, and `resume` takes up a pass of that state
    after some of its batches.

    Attributes
    ----------
    batches : int or None
        How many batches a pass has, if that is known.
    repeats : bool
        Whether a second pass is possible: not for iterators.
    endless : bool
        Whether a pass never ends.
    kind : str
        What such data is called, for messages.
    """

    batches: int | None = None
    repeats = True
    endless = False
    kind = "data"

    def begin(self) -> Iterator[Batch]:
        """Start a pass."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return what the last pass depends on."""
        return {}

    def resume(self, state: dict[str, Any], done: int) -> Iterator[Batch]:
        """Return the rest of a pass after its first `done` batches."""
        iterator = self.begin()
        for _ in range(done):
            if next(iterator, None) is None:
                break
        return iterator

    def end(self) -> None:
        """Take note that a pass went through to its end."""


class ArraySource(Source):
    """Arrays in memory or memory-mapped, cut into batches.

    Parameters
    ----------
    x, y, sample_weight
        Arrays, or structures of arrays, with one sample a row.
    batch_size
        Samples a batch; the last one may be shorter.
    shuffle
        Whether each pass has a new order, drawn from tapegrad's generator.
    class_weight
        A weight for each class number; others weigh 1.
    dtype
        What floating arrays are converted to; memory-mapped ones batch by batch.

    Raises
    ------
    TypeError, ValueError
        If an array is not one of numbers, empty, or holds NaN, or if lengths differ.
    """

    kind = "arrays"

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int = 32,
        shuffle: bool = False,
        class_weight: dict[int, float] | None = None,
        dtype: np.dtype[Any] | None = None,
    ) -> None:
        self.x = as_arrays(x, "x", dtype)
        self.y = as_arrays(y, "y", dtype)
        self.sample_weight = as_arrays(sample_weight, "sample_weight", dtype)
        self.samples = check_lengths(
            ("x", self.x), ("y", self.y), ("sample_weight", self.sample_weight)
        )
        if class_weight is not None:
            self.sample_weight = weights_of_classes(self.y, class_weight, self.sample_weight, dtype)
        self.shuffle = shuffle
        self.resize(batch_size)
        self._takers = [_taker(part) for part in (self.x, self.y, self.sample_weight)]
        self._drawn_from: tuple[int, int] | None = None
        self._ahead = 0  # passes whose orders were drawn together
        self._in_c_order: Batch | None = None

    def resize(self, batch_size: int) -> None:
        """Set the number of samples a batch."""
        self.batch_size = batch_size
        self.batches = -(-self.samples // batch_size)

    def begin(self) -> ArrayPass:
        """Start a pass, in a new order if samples are shuffled."""
        if not self.shuffle:
            return ArrayPass(self, None, 0)
        generator = random.get_generator()
        self._drawn_from = int(generator.seed), int(generator.stream)
        return ArrayPass(self, generator.permutation(self.samples).numpy(), 0)

    def orders(self, passes: int) -> np.ndarray:
        """Return the orders of the next passes, one a row; `began` says how many are begun."""
        generator = random.get_generator()
        stream = int(generator.stream)
        drawn = generator._permutations(passes, self.samples)
        self._drawn_from = int(generator.seed), (stream + passes - 1) % 2**64
        self._ahead = passes
        return drawn

    def began(self, passes: int) -> None:
        """Take note how many passes were begun; orders of others will be drawn again."""
        back, self._ahead = self._ahead - passes, 0
        if back > 0 and self._drawn_from is not None:
            seed, stream = self._drawn_from
            self._drawn_from = seed, (stream - back) % 2**64
            random.get_generator().stream.assign(np.uint64((stream - back + 1) % 2**64))

    def state(self) -> dict[str, Any]:
        """Return the state of the generator that the order was drawn from."""
        if self._drawn_from is None:
            return {}
        return {"seed": self._drawn_from[0], "stream": self._drawn_from[1]}

    def resume(self, state: dict[str, Any], done: int) -> ArrayPass:
        """Draw the order again and go on in it."""
        if not self.shuffle or "seed" not in state:
            return ArrayPass(self, None, done)
        self._drawn_from = state["seed"], state["stream"]
        generator = random.Generator(state["seed"])
        generator.stream.assign(np.uint64(state["stream"]))
        return ArrayPass(self, generator.permutation(self.samples).numpy(), done)

    def in_c_order(self) -> Batch | None:
        """Return inputs, targets and weights as plain arrays, each sample in one piece of memory.

        Arrays in memory that lie otherwise, such as columns of a table, are copied, and the copies
        kept. Where that is not possible the result is None: for sparse matrices, and for parts of
        memory-mapped arrays.
        """
        if self._in_c_order is None:
            parts = self.x, self.y, self.sample_weight
            if not all(_can_be_in_c_order(array) for array in flatten(parts)):
                return None
            x, y, weight = [map_leaves(_in_c_order, part) for part in parts]
            self._in_c_order = x, y, weight
        return self._in_c_order

    def rows(self, where: slice | np.ndarray) -> Batch:
        """Return these samples as a batch."""
        x, y, weight = self._takers
        return x(where), y(where), weight(where)


class ArrayPass(Iterator[Batch]):
    """A walk through arrays: deals out batches, and knows where it is.

    Attributes
    ----------
    order : ndarray of int64, or None
        The rows in the order of this pass; None for the order in which they lie.
    done : int
        Batches that were dealt out.
    """

    def __init__(self, source: ArraySource, order: np.ndarray | None, done: int) -> None:
        self.source = source
        self.order = order
        self.done = done
        self.size = source.batch_size  # that of the pass, whatever later ones have

    def __next__(self) -> Batch:
        first, stop = self.bounds()
        if first >= stop:
            raise StopIteration
        self.done += 1
        return self.source.rows(
            slice(first, stop) if self.order is None else self.order[first:stop]
        )

    def bounds(self) -> tuple[int, int]:
        """Return the places of the next batch in the order; equal ones at the end of the pass."""
        count = self.source.samples
        first = min(self.done * self.size, count)
        return first, min(first + self.size, count)

    @property
    def alike(self) -> int:
        """How many of the next batches have one size."""
        first, stop = self.bounds()
        return (self.source.samples - first) // (stop - first) if stop > first else 0


def _can_be_in_c_order(array: Any) -> bool:
    if array is None:
        return True
    if not isinstance(array, np.ndarray) or not array.dtype.isnative:
        return False
    return array.flags.c_contiguous or not (0 in array.strides or _is_mapped(array))


def _is_mapped(array: Any) -> bool:
    """Whether an array is a view of a file."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


def _in_c_order(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(np.ndarray)


Taker = Callable[[Any], Any]
"""Returns rows, given a slice or row numbers."""


def _taker(data: Any) -> Taker:
    """Return a function that takes rows of each array of a structure."""
    if data is None:
        return lambda where: None
    if isinstance(data, dict):
        named = {key: _taker(part) for key, part in data.items()}
        return lambda where: {key: take(where) for key, take in named.items()}
    if is_structure(data):
        kind, takers = type(data), [_taker(part) for part in data]
        if hasattr(kind, "_fields"):  # a namedtuple
            return lambda where: kind(*[take(where) for take in takers])
        return lambda where: kind([take(where) for take in takers])
    if is_sparse(data):
        return lambda where: data[where].toarray()
    if isinstance(data, np.memmap):  # now is when the rows are read, and no others
        return lambda where: np.array(data[where], subok=False)
    if not data.flags.c_contiguous:  # `take` would first copy it as a whole
        return lambda where: data[where]
    return lambda where: data[where] if type(where) is slice else data.take(where, axis=0)
