"""What cells carry from one step to the next.

A cell says by its ``state_size`` what it carries: a whole number for one state of shape
(batch, size), or a list with one entry a state. An entry may be a list itself, as in a stack of
cells. Everywhere here states are a list with one part for each entry, nested like ``state_size``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core.nest import flatten, map_structure, pack_like
from tapegrad._core.tensor import Tensor, tensor
from tapegrad.layers.base import Layer

__all__ = [
    "as_list",
    "call_cell",
    "check_cell",
    "convert_states",
    "initial_states",
    "output_size",
    "state_sizes",
]


def as_list(states: Any) -> list[Any]:
    """Return states as a list: what stands alone becomes its only entry."""
    return list(states) if isinstance(states, list | tuple) else [states]


def check_cell(owner: str, cell: Any) -> None:
    """Refuse what is no cell.

    Raises
    ------
    ValueError
        If it has no ``call`` or no ``state_size`` of whole numbers.
    """
    what = f"{owner}: the cell {getattr(cell, 'name', type(cell).__name__)!r}"
    if not callable(getattr(cell, "call", None)):
        raise ValueError(f"{what} has no method call(inputs, states), which a cell needs.")
    size = getattr(cell, "state_size", None)
    if size is None:
        raise ValueError(
            f"{what} has no state_size: set it to the length of its state, or to a list with one "
            "length for each of its states."
        )
    parts = flatten(size)
    if not parts or not all(isinstance(part, int | np.integer) for part in parts):
        raise ValueError(f"{what} has state_size {size!r}, expected a whole number or a list.")


def state_sizes(cell: Any) -> list[Any]:
    """Return a cell's ``state_size`` as a list."""
    return as_list(cell.state_size)


def output_size(cell: Any) -> int:
    """Return the length of what a cell puts out: by default that of its first state."""
    size = getattr(cell, "output_size", None)
    return flatten(cell.state_size)[0] if size is None else size


def initial_states(cell: Any, batch_size: int, dtype: Any) -> list[Any]:
    """Return what a cell starts from: its ``get_initial_state``, or zeros if it has none.

    Parameters
    ----------
    cell
        A cell.
    batch_size
        The number of samples.
    dtype
        Of the zeros, for a cell that does not say its own.
    """
    sizes = state_sizes(cell)
    own = getattr(cell, "get_initial_state", None)
    if own is None:
        dtype = getattr(cell, "compute_dtype", dtype)
        return map_structure(lambda size: tensor(np.zeros((batch_size, size), dtype)), sizes)
    given = as_list(own(batch_size=batch_size))
    return as_list(pack_like(sizes, flatten(given)))


def convert_states(owner: str, given: Any, cell: Any, batch_size: int, dtype: Any) -> list[Any]:
    """Return initial states that a user gave as tensors, nested like the cell's ``state_size``.

    Parameters
    ----------
    owner
        The layer, for errors.
    given
        One state, or a list of them.
    cell
        The cell.
    batch_size
        The number of samples.
    dtype
        What they are converted to.

    Raises
    ------
    ValueError
        If there are more or fewer than the cell has, or if one's shape does not fit.
    """
    sizes = state_sizes(cell)
    states, lengths = flatten(as_list(given)), flatten(sizes)
    if len(states) != len(lengths):
        raise ValueError(
            f"{owner}: initial_state has {len(states)} parts, but the cell has {len(lengths)} "
            f"states, of {', '.join(map(str, lengths))} units."
        )
    converted = []
    for number, (state, length) in enumerate(zip(states, lengths)):
        value = state if type(state) is Tensor else tensor(state)
        if value.dtype != dtype:
            value = value.astype(dtype)
        shape = value.shape
        if len(shape) < 2 or (shape[0], shape[-1]) != (batch_size, length):
            raise ValueError(
                f"{owner}: part {number} of initial_state has shape {shape}, expected "
                f"{(batch_size, length)}, which is (samples, units)."
            )
        converted.append(value)
    return as_list(pack_like(sizes, converted))


def call_cell(cell: Any, inputs: Any, states: list[Any], training: bool) -> tuple[Any, list[Any]]:
    """Run one step.

    Parameters
    ----------
    cell
        A layer, or any object with ``call(inputs, states)``.
    inputs
        The step's inputs, shape (batch, …).
    states
        The states before it.
    training
        Passed on to cells that are layers and ask for it.

    Returns
    -------
    tuple
        The output, and the states after the step, nested like ``state_size``.

    Raises
    ------
    ValueError
        If the cell does not return an output and as many states as it says.
    """
    if isinstance(cell, Layer):
        returned = cell(inputs, states, training=training)
    else:
        returned = cell.call(inputs, states)
    name = getattr(cell, "name", type(cell).__name__)
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise ValueError(
            f"The cell {name} must return its output and a list of its states from call()."
        )
    output, after = returned
    found = flatten(as_list(after))
    if len(found) != len(flatten(states)):
        raise ValueError(
            f"The cell {name} returned {len(found)} states, but by its state_size it has "
            f"{len(flatten(states))}."
        )
    return output, as_list(pack_like(states, found))
