"""Data that come in batches already: generators, pipelines, sequences of batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tapegrad import random
from tapegrad.training.arrays import as_arrays, check_lengths, dense
from tapegrad.training.class_weights import weights_of_classes
from tapegrad.training.sources import Batch, Source
from tapegrad.utils.batches import unpack_x_y_sample_weight as unpack

__all__ = ["IteratorSource", "PipelineSource", "SequenceSource", "unpack"]


class _Batches(Source):
    """What all data that come in batches share: each batch is checked as it comes.

    Parameters
    ----------
    data
        What yields ``(x, y)``, ``(x, y, sample_weight)``, ``(x,)`` or ``x``.
    class_weight
        A weight for each class number; others weigh 1.
    dtype
        What floating arrays are converted to.
    """

    def __init__(
        self,
        data: Any,
        class_weight: dict[int, float] | None = None,
        dtype: np.dtype[Any] | None = None,
    ) -> None:
        self.data = data
        self.class_weight = class_weight
        self.dtype = dtype
        self._looked_for_nan = False

    def _batch(self, given: Any) -> Batch:
        """Return what the data yielded as arrays; in the first batch, NaN is looked for too."""
        x, y, weight = unpack(given)
        check = not self._looked_for_nan
        self._looked_for_nan = True
        if x is None:
            raise ValueError(f"The {self.kind} yielded a batch without inputs.")
        try:
            x = as_arrays(x, "x", self.dtype, check_nan=check)
            y = as_arrays(y, "y", self.dtype, check_nan=check)
            weight = as_arrays(weight, "sample_weight", self.dtype, check_nan=check)
            check_lengths(("x", x), ("y", y), ("sample_weight", weight))
        except (TypeError, ValueError) as error:
            raise type(error)(f"In a batch of the {self.kind}, {error}") from None
        if self.class_weight is not None:
            weight = weights_of_classes(y, self.class_weight, weight, self.dtype)
        return dense(x), dense(y), dense(weight)


class IteratorSource(_Batches):
    """A Python generator or another iterator: what it has yielded is gone.

    A run that is taken up again needs a fresh generator, whose first batches are thrown away.
    """

    repeats = False
    kind = "generator"

    def begin(self) -> Iterator[Batch]:
        """Go on where the iterator is."""
        return map(self._batch, self.data)

    def resume(self, state: dict[str, Any], done: int) -> Iterator[Batch]:
        """Throw batches away, as they come."""
        for _ in range(done):
            if next(self.data, None) is None:
                break
        return self.begin()


class PipelineSource(_Batches):
    """A `tapegrad.data.Dataset`, a data loader, or another thing that can be gone through again.

    If it has ``state()`` and ``set_state(state)``, a pass can be made again exactly; if it has
    ``iterate(skip=…)``, without computing the batches that are left out.
    """

    kind = "data set"

    def __init__(self, data: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(data, *args, **kwargs)
        self.batches = _length(data)
        self.endless = hasattr(data, "cardinality") and int(data.cardinality()) == -1
        self._state: Any = None

    def begin(self) -> Iterator[Batch]:
        """Start a pass."""
        self._note_state()
        return map(self._batch, iter(self.data))

    def state(self) -> dict[str, Any]:
        """Return the data set's own state, as it was when the pass began."""
        return {} if self._state is None else {"pass": self._state}

    def resume(self, state: dict[str, Any], done: int) -> Iterator[Batch]:
        """Make the pass again and leave out its first batches."""
        if "pass" in state and hasattr(self.data, "set_state"):
            self.data.set_state(state["pass"])
        if not hasattr(self.data, "iterate"):
            return super().resume(state, done)
        self._note_state()
        return map(self._batch, self.data.iterate(skip=done))

    def _note_state(self) -> None:
        if hasattr(self.data, "set_state"):
            self._state = self.data.state()


def _length(data: Any) -> int | None:
    """Return the number of batches of a pipeline, None if it is unknown or infinite."""
    if hasattr(data, "cardinality"):
        count = int(data.cardinality())
        return count if count >= 0 else None
    try:
        return len(data)
    except TypeError:
        return None


class SequenceSource(_Batches):
    """An object with ``__len__`` and ``__getitem__``, such as Keras's PyDataset: batches by number.

    ``on_epoch_begin`` and ``on_epoch_end`` are called if they exist.

    Parameters
    ----------
    data
        The object. ``num_batches`` goes before ``len``.
    shuffle
        Whether each pass goes through the batches in a new order.
    class_weight, dtype
        As for all data in batches.
    """

    kind = "sequence"

    def __init__(
        self,
        data: Any,
        class_weight: dict[int, float] | None = None,
        dtype: np.dtype[Any] | None = None,
        *,
        shuffle: bool = False,
    ) -> None:
        super().__init__(data, class_weight, dtype)
        self.batches = int(data.num_batches) if hasattr(data, "num_batches") else len(data)
        self.shuffle = shuffle
        self._passes = 0
        self._drawn_from: tuple[int, int] | None = None

    def begin(self) -> Iterator[Batch]:
        """Start a pass."""
        generator = random.get_generator()
        self._drawn_from = int(generator.seed), int(generator.stream)
        return self._walk(self._order(generator), 0)

    def state(self) -> dict[str, Any]:
        """Return what the order was drawn from, and how many passes went before."""
        if self._drawn_from is None:
            return {"passes": self._passes}
        seed, stream = self._drawn_from
        return {"passes": self._passes, "seed": seed, "stream": stream}

    def resume(self, state: dict[str, Any], done: int) -> Iterator[Batch]:
        """Let earlier passes end, draw the order again and go on in it."""
        for _ in range(state.get("passes", 0)):
            self.end()
        if "seed" not in state:
            return self._walk(self._order(random.get_generator()), done)
        self._drawn_from = state["seed"], state["stream"]
        generator = random.Generator(state["seed"])
        generator.stream.assign(np.uint64(state["stream"]))
        return self._walk(self._order(generator), done)

    def end(self) -> None:
        """Tell the object that its pass is over."""
        self._passes += 1
        if hasattr(self.data, "on_epoch_end"):
            self.data.on_epoch_end()

    def _order(self, generator: random.Generator) -> np.ndarray:
        if hasattr(self.data, "on_epoch_begin"):
            self.data.on_epoch_begin()
        count = self.batches or 0
        return generator.permutation(count).numpy() if self.shuffle else np.arange(count)

    def _walk(self, order: np.ndarray, done: int) -> Iterator[Batch]:
        for place in order[done:]:
            yield self._batch(self.data[int(place)])
