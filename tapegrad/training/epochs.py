"""Passes over the data, cut into epochs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from tapegrad.training.sources import ArrayPass, ArraySource, Batch, Source

__all__ = ["Epochs"]


class Epochs:
    """Deals out the batches of a source, epoch by epoch, and knows where it is.

    Without `steps` an epoch is a pass. With it an epoch ends after so many batches, and the next
    one goes on in the same pass, as in Keras.

    Parameters
    ----------
    source
        The data.
    steps
        Batches an epoch, or None.
    argument
        What `steps` is called by the user, for messages.

    Raises
    ------
    ValueError
        If `steps` is not positive, or missing where data never end.

    Attributes
    ----------
    done : int
        Batches taken from the present pass (from an iterator: all it has given).
    ended : bool
        Whether there is nothing left: an iterator came to its end.
    """

    def __init__(
        self, source: Source, steps: int | None = None, argument: str = "steps_per_epoch"
    ) -> None:
        if steps is not None and (isinstance(steps, bool) or int(steps) != steps or steps <= 0):
            raise ValueError(f"{argument} must be a positive whole number, but is {steps!r}.")
        if steps is None and source.endless:
            raise ValueError(
                f"The {source.kind} never ends: pass {argument} to say how long an epoch is."
            )
        self.source = source
        self.steps = None if steps is None else int(steps)
        self.argument = argument
        self.done = 0
        self.ended = False
        self._iterator: Iterator[Batch] | None = None
        self._begun = False
        self._first: Batch | None = None
        self._warned = False

    @property
    def batches(self) -> int | None:
        """How many batches an epoch has, if that is known."""
        return self.source.batches if self.steps is None else self.steps

    def sample(self) -> Batch:
        """Return data to build a model from and to check: all arrays, or a first batch.

        The batch is not lost by this, the first epoch has it too.
        """
        if isinstance(self.source, ArraySource):
            return self.source.rows(slice(0, 1))[0], self.source.y, self.source.sample_weight
        if self._first is None:
            self._start()
            assert self._iterator is not None
            self._first = next(self._iterator, None)
            if self._first is None:
                raise ValueError(f"The {self.source.kind} yielded no batch.")
        return self._first

    def epoch(self, taken: int = 0) -> Iterator[Batch]:
        """Deal out the batches of one epoch.

        Parameters
        ----------
        taken
            How many the epoch has had already, in a run that was taken up again.
        """
        limit, source = self.steps, self.source
        if limit is None and source.repeats and not taken and self._first is None:
            self._iterator = None
        while limit is None or taken < limit:
            batch = self._next()
            if batch is None:
                if self._may_begin_again(taken):
                    continue
                break
            self.done += 1
            taken += 1
            yield batch
        if self._iterator is not None and self.done == source.batches and source.repeats:
            self._end_pass()

    def stretch(self, taken: int) -> tuple[ArrayPass, int] | None:
        """Return the pass over arrays that an epoch is in, and how many batches of one size come.

        Whoever has them dealt out by the pass, one or all, says so with `took`. At the end of the
        epoch it is None.

        Parameters
        ----------
        taken
            How many batches the epoch has had already.
        """
        if self.steps is None and not taken:
            self._iterator = None
        while self.steps is None or taken < self.steps:
            if self._iterator is None:
                self._start()
            walk: Any = self._iterator
            if walk.alike:
                left = walk.alike if self.steps is None else min(walk.alike, self.steps - taken)
                return walk, left
            if not self._may_begin_again(taken):
                break
        if self._iterator is not None and self.done == self.source.batches:
            self._end_pass()
        return None

    def took(self, count: int) -> None:
        """Take note that a pass dealt out batches."""
        self.done += count

    def went_through(self) -> None:
        """Take note that whole passes over arrays were begun and went to their ends."""
        self._begun = True
        self.done = self.source.batches or 0
        self._end_pass()

    def restart(self) -> None:
        """Let the next epoch begin a new pass, if the data can be gone through again."""
        if self.source.repeats and self._first is None:
            self._iterator = None

    def explain_end(self, epoch: int, taken: int, epochs: int) -> None:
        """Warn, once, if the data ended before the training epoch had its number of batches."""
        if self._warned or taken == self.steps or (self.steps is None and not self.ended):
            return
        kind = self.source.kind
        if self.source.repeats:
            text = (
                f"The {kind} ended after {taken} batches of epoch {epoch + 1}, but "
                f"{self.argument}={self.steps} were expected; the next epoch begins a new pass."
            )
        elif self.steps is not None:
            text = (
                f"The {kind} ended after {self.done} batches, but {self.steps * epochs} were "
                f"expected ({self.argument}={self.steps} in each of {epochs} epochs); training "
                f"stops in epoch {epoch + 1}."
            )
        elif epoch + 1 < epochs:
            text = (
                f"The {kind} ended after {self.done} batches, but as many were expected in each "
                f"of {epochs} epochs; training stops after epoch {epoch + 1}. Pass "
                f"{self.argument} to cut what a {kind} yields into epochs."
            )
        else:
            return
        self._warned = True
        warnings.warn(text, stacklevel=3)

    def explain_short(self, taken: int) -> None:
        """Warn, once, if an evaluation or a prediction had no or too few batches."""
        if self._warned or taken >= (self.steps or 1):
            return
        self._warned = True
        kind = self.source.kind
        if self.steps is None:
            text = (
                f"The {kind} had ended before, so nothing is measured on it any more; pass arrays "
                f"or a Dataset, or cut what an endless {kind} yields with {self.argument}."
            )
        else:
            text = (
                f"The {kind} ended after {taken} batches, but {self.argument}={self.steps} were "
                "expected."
            )
        warnings.warn(text, stacklevel=4)

    # ---- position ----------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return where this is, in what JSON holds."""
        return {
            "begun": self._begun,
            "open": self._iterator is not None,
            "done": self.done,
            "source": self.source.state(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to where another run was."""
        peeked = self._first is not None and not self.source.repeats
        self.done = state["done"]
        if not state["begun"] or (peeked and self.done == 0):
            return
        self._iterator = self._first = None
        self._begun = True
        # A pass that had ended is begun again too, so that the next one is what would follow.
        kept = state["open"] or not self.source.repeats
        iterator = self.source.resume(state["source"], self.done - peeked if kept else 0)
        self._iterator = iterator if kept else None

    # ---- inside ------------------------------------------------------------------------

    def _start(self) -> None:
        if self.source.repeats:
            self.done = 0
        self._iterator = self.source.begin()
        self._begun = True

    def _next(self) -> Batch | None:
        if self._first is not None:
            batch, self._first = self._first, None
            return batch
        if self._iterator is None:
            if self.ended:
                return None
            self._start()
            assert self._iterator is not None
        return next(self._iterator, None)

    def _may_begin_again(self, taken: int) -> bool:
        """End the pass; whether the epoch goes on with a new one, as nothing has come yet."""
        empty = self.done == 0
        self._end_pass()
        if not self.source.repeats:
            self.ended = True
            return False
        if empty:
            raise ValueError(f"The {self.source.kind} yielded no batch.")
        return taken == 0

    def _end_pass(self) -> None:
        self._iterator = None
        self.source.end()
