"""Several cells as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad._core.tensor import Tensor
from tapegrad.layers.base import Layer, Shape
from tapegrad.layers.recurrent._states import (
    as_list,
    call_cell,
    check_cell,
    initial_states,
    output_size,
)

__all__ = ["StackedRNNCells"]


class StackedRNNCells(Layer):
    """Cells one on the other: each takes the output of the one below as its input.

    Parameters
    ----------
    cells
        The cells, the first one nearest to the input.
    **kwargs
        ``name``, ``dtype`` and ``trainable``, as for every layer.

    Raises
    ------
    ValueError
        If there is no cell, or if one lacks ``call`` or ``state_size``.

    Examples
    --------
    >>> import numpy as np
    >>> from tapegrad.layers import RNN, GRUCell, LSTMCell
    >>> cell = StackedRNNCells([LSTMCell(8), GRUCell(4)])
    >>> cell.state_size, cell.output_size
    ([[8, 8], 4], 4)
    >>> RNN(cell)(np.ones((2, 5, 3), dtype="float32")).shape
    (2, 4)
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not cells:
            raise ValueError(f"StackedRNNCells {self.name}: there must be at least one cell.")
        for cell in cells:
            check_cell(f"StackedRNNCells {self.name}", cell)
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """The cells' ``state_size``, one entry a cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The length of the last cell's output."""
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the states that each cell starts from, nested like ``state_size``."""
        found = [initial_states(cell, batch_size, self._dtype) for cell in self.cells]
        return [_like_size(cell, states) for cell, states in zip(self.cells, found)]

    def build(self, input_shape: Shape) -> None:
        """Make the cells' weights for a step's inputs of this shape."""
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
                cell.built = True
            input_shape = (input_shape[0], output_size(cell))

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Tensor, list[Any]]:  # type: ignore[override]
        """Return the last cell's output, and the states of all after the step."""
        after = []
        for cell, before in zip(self.cells, states, strict=True):
            inputs, new = call_cell(cell, inputs, as_list(before), training)
            after.append(_like_size(cell, new))
        return inputs, after

    def compute_output_shape(self, input_shape: Shape, states_shape: Any = None) -> Any:
        """Return the shapes of the output and of the states."""
        samples = input_shape[0]
        states = [
            [(samples, length) for length in size]
            if isinstance(size, list | tuple)
            else (samples, size)
            for size in self.state_size
        ]
        return (samples, self.output_size), states


def _like_size(cell: Any, states: list[Any]) -> Any:
    """Return the only state of a cell whose ``state_size`` is a number without its list."""
    return states if isinstance(cell.state_size, list | tuple) else states[0]
