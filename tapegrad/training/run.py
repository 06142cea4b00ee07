"""One call of `fit`: what takes part in it and how far it is."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from tapegrad.callbacks import CallbackList, History
from tapegrad.training.epochs import Epochs
from tapegrad.training.many_steps import ManySteps

if TYPE_CHECKING:
    from tapegrad.training.state import SavedRun

__all__ = ["Run"]


class Run:
    """What a call of `fit` works with.

    Attributes
    ----------
    model
        The model.
    data, validation : Epochs
        Where batches come from; `validation` may be None.
    callbacks : CallbackList
        Who is told of what happens.
    epochs : int
        The number of the last epoch, from 1.
    logs : dict
        The values after the last step.
    saved : SavedRun or None
        A state that a callback found and that training shall go on from.
    finished : bool
        Whether training came to its end, and was not broken off.
    many : ManySteps or None
        What takes many steps in one call, where the data allow it.
    """

    def __init__(
        self,
        model: Any,
        data: Epochs,
        validation: Epochs | None,
        callbacks: CallbackList,
        epochs: int,
    ) -> None:
        self.model = model
        self.data = data
        self.validation = validation
        self.callbacks = callbacks
        self.epochs = epochs
        self.logs: dict[str, Any] = {}
        self.saved: SavedRun | None = None
        self.finished = False
        self.many = ManySteps.of(data)
        # TerminateOnNaN says the same, and acts.
        self._watches_loss = not any(
            type(callback).__name__ == "TerminateOnNaN" for callback in callbacks.callbacks
        )

    def first_epoch(self, initial_epoch: int) -> int:
        """Return the epoch to begin with; a state saved between two epochs is taken up now."""
        saved = self.saved
        if saved is None:
            return initial_epoch
        if saved.batch == 0:
            self.saved = None
            saved.apply(self)
        return saved.epoch

    def take_up_epoch(self) -> int:
        """Take up the saved state, if there is one; return the batches its epoch has had."""
        saved, self.saved = self.saved, None
        if saved is None:
            return 0
        saved.apply(self)
        self.logs = dict(saved.logs)
        return saved.batch

    def only_history(self) -> bool:
        """Whether nobody is to be called before the end of training, and nothing is validated."""
        return (
            self.validation is None
            and self.saved is None
            and self.data.steps is None
            and all(type(callback) is History for callback in self.callbacks.callbacks)
        )

    def watch_loss(self, loss: Any, epoch: int, step: int) -> None:
        """Warn once if the loss is not a number any more."""
        if loss == loss or not self._watches_loss:
            return
        self._watches_loss = False
        warnings.warn(
            f"The loss became NaN in epoch {epoch + 1}, step {step + 1}: try a smaller learning "
            "rate, clipnorm in the optimizer, or inputs scaled to about one; the callback "
            "TerminateOnNaN would end training here.",
            stacklevel=4,
        )
