"""Steps over arrays, many in one native call."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad import random
from tapegrad._core.nest import flatten
from tapegrad.training.arrays import map_leaves
from tapegrad.training.epochs import Epochs
from tapegrad.training.sources import ArrayPass, ArraySource

if TYPE_CHECKING:
    from tapegrad.training.collected import Collected
    from tapegrad.training.recorded import Recorded, RecordedStep

__all__ = ["ManySteps"]

SECONDS = 0.1
"""How long a call may take: so long nothing is shown, and Ctrl-C does not work."""

ENTRIES = 1 << 20
"""How many rows the orders of epochs that are taken in one call may have together."""


class ManySteps:
    """Takes steps over arrays, as many in one call as take about a tenth of a second.

    Parameters
    ----------
    source
        The arrays.
    parts
        What steps take of them, plain arrays whose rows a program can gather: inputs, targets and
        weights, or inputs alone.
    """

    def __init__(self, source: ArraySource, parts: tuple[Any, ...]) -> None:
        self._source = source
        self._parts = parts
        self._sources = [array for array in flatten(self._parts) if array is not None]
        self._in_order = np.arange(source.samples)
        self._repeated = self._in_order[np.newaxis]
        self._entries: dict[int, tuple[RecordedStep, Recorded]] = {}

    @classmethod
    def of(cls, data: Epochs, parts: int = 3) -> ManySteps | None:
        """Return what takes steps over data, or None if they are no arrays that suit it.

        Steps take inputs, targets and weights, or the first of these `parts`.
        """
        source = data.source
        if not isinstance(source, ArraySource):
            return None
        arrays = source.in_c_order()
        return None if arrays is None else cls(source, arrays[:parts])

    def take(
        self, step: RecordedStep, walk: ArrayPass, most: int, outputs: Collected | None = None
    ) -> int:
        """Take the next steps of a pass; return how many, `most` or fewer.

        Parameters
        ----------
        step
            What is done with each batch.
        walk
            Where batches come from.
        most
            How many of the next batches have one size.
        outputs
            What collects the outputs of a step that has any.
        """
        first, stop = walk.bounds()
        size = stop - first
        entry = self._entry(step, size)
        program = None if step.eager else entry.many
        if program is not None and outputs is not None and not outputs.suits(program.results, size):
            program = None
        if program is None:
            returned = step(*next(walk)[: len(self._parts)])
            if outputs is not None:
                outputs.add(returned)
            return 1
        count = min(most, max(1, int(SECONDS / entry.seconds))) if entry.seconds else 1
        count = min(count, step.alike or count)
        order = self._in_order if walk.order is None else walk.order
        before, skipped = divmod(first, size)
        if skipped:
            order, before = order[first:], 0
        started = time.perf_counter()
        results = () if outputs is None else outputs.rows_from(first if skipped else 0)
        program.run(self._sources, order, before, count, results)
        if outputs is not None:
            outputs.filled += count * size
        entry.seconds = (time.perf_counter() - started) / count
        step.ran = True
        walk.done += count
        return count

    def epochs_at_once(self, step: RecordedStep, most: int) -> int:
        """Return how many epochs one call of `take_epochs` may take; 0 if that is not possible.

        It is possible once steps are programs without calls of Python, which draw nothing from
        the generator that the orders of the epochs are drawn from.
        """
        entries = [self._entry(step, size) for size in self._sizes()]
        if most < 2 or step.eager or step.alike is not None:
            return 0
        if not all(entry.seconds for entry in entries):
            return 0
        if any(entry.many is None or not entry.many.is_native for entry in entries):
            return 0
        source = self._source
        generator = random.get_generator()
        if source.shuffle and any(entry.reads(generator.stream) for entry in entries):
            return 0
        most = min(most, ENTRIES // source.samples)
        return min(most, int(SECONDS / (entries[0].seconds * (source.batches or 1))))

    def take_epochs(self, step: RecordedStep, count: int) -> None:
        """Take all steps of `count` epochs."""
        source = self._source
        entries = [self._entry(step, rows) for rows in self._sizes()]
        programs: list[Any] = [entry.many for entry in entries]
        started = time.perf_counter()
        self._run_epochs(programs, self._orders(count))
        entries[0].seconds = (time.perf_counter() - started) / (count * (source.batches or 1))

    def _run_epochs(self, programs: list[Any], orders: np.ndarray) -> None:
        if len(programs) == 1:
            steps = orders.size // programs[0].batch_size
            programs[0].run(self._sources, orders.reshape(-1), 0, steps)
        else:
            programs[0].run_epochs(self._sources, orders, programs[1])

    def began(self, epochs: int) -> None:
        """Take note how many epochs of the last call of `take_epochs` were begun."""
        self._source.began(epochs)

    def _orders(self, count: int) -> np.ndarray:
        """Return the orders of several epochs, one a row."""
        if self._source.shuffle:
            return self._source.orders(count)
        if len(self._repeated) < count:
            self._repeated = np.tile(self._in_order, (count, 1))
        return self._repeated[:count]

    def _sizes(self) -> list[int]:
        """Return the sizes that batches have: that of the last one may be another."""
        size, samples = self._source.batch_size, self._source.samples
        sizes = [size] if samples >= size else []
        return sizes if samples % size == 0 else [*sizes, samples % size]

    def _entry(self, step: RecordedStep, size: int) -> Recorded:
        """Return what is known of a step on batches of a size."""
        known = self._entries.get(size)
        if known is None or known[0] is not step or step.alike is not None:
            batch = tuple([_first_rows(part, size) for part in self._parts])
            known = self._entries[size] = step, step.entry(batch)
        return known[1]


def _first_rows(part: Any, size: int) -> Any:
    return map_leaves(lambda array: array[:size], part)
