"""Steps over arrays, many in one native call."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tapegrad._core.nest import flatten
from tapegrad.training.arrays import map_leaves
from tapegrad.training.epochs import Epochs
from tapegrad.training.recorded import Recorded, RecordedStep
from tapegrad.training.sources import ArrayPass, ArraySource

__all__ = ["ManySteps"]

SECONDS = 0.1
"""How long a call may take: so long nothing is shown, and Ctrl-C does not work."""


class ManySteps:
    """Takes steps over arrays, as many in one call as take about a tenth of a second.

    Parameters
    ----------
    source
        The arrays: plain ones in memory, whose rows a program can gather.
    """

    def __init__(self, source: ArraySource) -> None:
        self._parts = source.x, source.y, source.sample_weight
        self._sources = [array for array in flatten(self._parts) if array is not None]
        self._in_order = np.arange(source.samples)
        self._entries: dict[int, tuple[RecordedStep, Recorded]] = {}

    @classmethod
    def of(cls, data: Epochs) -> ManySteps | None:
        """Return what takes steps over data, or None if they are no plain arrays in memory."""
        source = data.source
        if not isinstance(source, ArraySource):
            return None
        arrays = flatten([source.x, source.y, source.sample_weight])
        plain = all(
            array is None or (type(array) is np.ndarray and array.flags.c_contiguous)
            for array in arrays
        )
        return cls(source) if plain else None

    def take(self, step: RecordedStep, walk: ArrayPass, most: int) -> int:
        """Take the next steps of a pass; return how many, `most` or fewer.

        Parameters
        ----------
        step
            What is done with each batch.
        walk
            Where batches come from.
        most
            How many of the next batches have one size.
        """
        first, stop = walk.bounds()
        size = stop - first
        entry = self._entry(step, size)
        program = None if step.eager else entry.many
        if program is None:
            step(*next(walk))
            return 1
        count = min(most, max(1, int(SECONDS / entry.seconds))) if entry.seconds else 1
        order = self._in_order if walk.order is None else walk.order
        before, skipped = divmod(first, size)
        if skipped:
            order, before = order[first:], 0
        started = time.perf_counter()
        program.run(self._sources, order, before, count)
        entry.seconds = (time.perf_counter() - started) / count
        step.ran = True
        walk.done += count
        return count

    def _entry(self, step: RecordedStep, size: int) -> Recorded:
        """Return what is known of a step on batches of a size."""
        known = self._entries.get(size)
        if known is None or known[0] is not step:
            batch = tuple([_first_rows(part, size) for part in self._parts])
            known = self._entries[size] = step, step.entry(batch)
        return known[1]


def _first_rows(part: Any, size: int) -> Any:
    return map_leaves(lambda array: array[:size], part)
