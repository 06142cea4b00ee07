"""An optimizer's state as named arrays and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tapegrad._core.variable import Variable
from tapegrad.saving.assignment import Assignment

__all__ = ["add_optimizer_state", "optimizer_state"]


def optimizer_state(optimizer: Any) -> dict[str, np.ndarray]:
    """Return the values of an optimizer's variables by their place and name."""
    return {name: variable.numpy() for name, variable in _named(optimizer).items()}


def add_optimizer_state(
    optimizer: Any,
    variables: Sequence[Variable],
    state: Mapping[str, np.ndarray],
    assignment: Assignment,
) -> None:
    """Note an optimizer's state for assignment.

    Parameters
    ----------
    optimizer
        An optimizer made as the one that was saved.
    variables
        The model's trainable variables.
    state
        What `optimizer_state` returned.
    assignment
        Where the values are noted.
    """
    if len(state) > len(_named(optimizer)):  # it had taken a step, and so had its slots
        optimizer.build(variables)
    assignment.add_named(_named(optimizer), state)


def _named(optimizer: Any) -> dict[str, Variable]:
    return {
        f"{index}/{variable.name}": variable for index, variable in enumerate(optimizer.variables)
    }
