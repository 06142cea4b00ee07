"""Running means of the weights in the place of the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.callbacks.base import Callback, Logs

__all__ = ["SwapEMAWeights"]


class SwapEMAWeights(Callback):
    """Evaluates with the running means of the weights that the optimizer keeps.

    With ``use_ema=True`` an optimizer keeps an exponential moving average of each weight. This
    callback puts them in the weights' place before an evaluation or prediction, and the weights
    back after it (Polyak and Juditsky, 1992: averages often generalise better than the last step).

    Parameters
    ----------
    swap_on_epoch
        Whether they are in place also from the end of an epoch to the beginning of the next, so
        that callbacks that come after this one see them: a `ModelCheckpoint` saves them.

    Raises
    ------
    ValueError
        At the first exchange, if the optimizer keeps none.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> model = tg.Sequential([tg.layers.Dense(1, input_dim=2)])
    >>> model.compile(tg.optimizers.SGD(use_ema=True), "mse")
    >>> x, y = np.ones((8, 2)), np.ones(8)
    >>> history = model.fit(x, y, validation_data=(x, y), callbacks=[SwapEMAWeights()], verbose=0)
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._weights: list[np.ndarray] | None = None  # the weights, while means are in place

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget a run that was broken off: its weights are no longer wanted."""
        self._weights = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Put the weights back."""
        self._put_back()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Put the means in place, if they are to stay until the next epoch."""
        if self.swap_on_epoch:
            self._put_means()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Leave the means: the optimizer puts them in the weights' place for good now."""
        self._weights = None

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Put the means in place."""
        self._put_means()

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Put the weights back."""
        self._put_back()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Put the means in place."""
        self._put_means()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Put the weights back."""
        self._put_back()

    def get_state(self) -> dict[str, Any]:
        """Return the weights, if the means are in their place."""
        return {"weights": self._weights}

    def set_state(self, state: dict[str, Any]) -> None:
        """Keep the weights that are to be put back."""
        weights = state["weights"]
        self._weights = None if weights is None else [np.asarray(weight) for weight in weights]

    def _put_means(self) -> None:
        if self._weights is not None:
            return
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            raise ValueError(
                "SwapEMAWeights: the optimizer keeps no running means; make it with use_ema=True."
            )
        if not optimizer.built:  # no step was taken: the weights are their own means
            return
        variables = self.model.trainable_variables
        self._weights = [variable.numpy() for variable in variables]
        optimizer.finalize_variable_values(variables)

    def _put_back(self) -> None:
        weights, self._weights = self._weights, None
        if weights is not None:
            for variable, weight in zip(self.model.trainable_variables, weights):
                variable.assign(weight)
