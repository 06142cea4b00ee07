"""Dropout of recurrent cells: masks that stay the same at all steps of a sequence."""

from __future__ import annotations

from typing import Any

from tapegrad._core.tensor import Tensor

__all__ = ["DropoutRNNCell"]


class DropoutRNNCell:
    """What cells with dropout inherit besides `tapegrad.layers.Layer`.

    A mask is drawn at the first step of a sequence and used at all further ones (Gal and
    Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks",
    2016). The layer that runs the cell forgets it at the end of the sequence.

    Attributes
    ----------
    dropout, recurrent_dropout : float
        The fraction of the inputs and of the states that are dropped.
    dropout_mask_count : int or None
        How many masks there are, one for each gate; None for a single one, not in a list.

    Examples
    --------
    >>> import numpy as np
    >>> import tapegrad as tg
    >>> cell = tg.layers.LSTMCell(3, dropout=0.5, seed=0)
    >>> x = tg.tensor(np.ones((1, 4), "float32"))
    >>> first, again = cell.get_dropout_mask(x), cell.get_dropout_mask(x)
    >>> first is again
    True
    """

    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    dropout_mask_count: int | None = None
    _generator: Any
    _dropout_mask: Any = None
    _recurrent_dropout_mask: Any = None

    def get_dropout_mask(self, step_input: Any) -> Any:
        """Return the mask (or the list of masks) of a step's inputs, None without dropout."""
        if self._dropout_mask is None and self.dropout > 0:
            self._dropout_mask = self._draw_masks(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: Any) -> Any:
        """Return the mask (or the list of masks) of the state, None without dropout."""
        if self._recurrent_dropout_mask is None and self.recurrent_dropout > 0:
            self._recurrent_dropout_mask = self._draw_masks(step_input, self.recurrent_dropout)
        return self._recurrent_dropout_mask

    def reset_dropout_mask(self) -> None:
        """Forget the mask of the inputs."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Forget the mask of the state."""
        self._recurrent_dropout_mask = None

    def _draw_masks(self, like: Any, rate: float) -> Any:
        if self.dropout_mask_count is None:
            return self._draw_mask(like, rate)
        return [self._draw_mask(like, rate) for _ in range(self.dropout_mask_count)]

    def _draw_mask(self, like: Any, rate: float) -> Tensor:
        """Return ones with the rate dropped, and the rest enlarged to keep sums on average."""
        kept = self._generator.bernoulli(like.shape, 1.0 - rate, dtype=like.dtype)
        return kept if rate == 1.0 else kept * (1.0 / (1.0 - rate))
