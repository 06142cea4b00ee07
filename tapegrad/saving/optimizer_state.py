"""The state of a model's optimizers as named arrays and back.

A model has the optimizer that it was compiled with, and those that it keeps in attributes, as
networks that are trained against each other do. Names begin with that of the attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tapegrad.optimizers import Optimizer
from tapegrad.saving.assignment import Assignment

__all__ = ["add_optimizer_states", "optimized_weights", "optimizer_states"]


def optimizer_states(model: Any) -> dict[str, np.ndarray]:
    """Return the values of all that a model's optimizers keep, by name."""
    return {
        f"{attribute}/{name}": value
        for attribute, optimizer in _optimizers(model).items()
        for name, value in optimizer.get_state().items()
    }


def optimized_weights(model: Any) -> dict[str, list[str]]:
    """Return the paths of the weights that each optimizer keeps state for, in its order.

    It is that in which they were first trained, which later changes of ``trainable`` leave.
    """
    paths = {id(variable): path for path, variable in model.named_weights().items()}
    found: dict[str, list[str]] = {}
    for attribute, optimizer in _optimizers(model).items():
        known = [] if optimizer._groups is None else optimizer._groups.variables
        found[attribute] = [paths[id(variable)] for variable in known if id(variable) in paths]
    return found


def add_optimizer_states(
    model: Any,
    optimized: Mapping[str, list[str]],
    states: Mapping[str, np.ndarray],
    assignment: Assignment,
) -> None:
    """Note the states of a model's optimizers for assignment.

    Parameters
    ----------
    model
        A compiled model.
    optimized
        What `optimized_weights` returned when it was saved.
    states
        What `optimizer_states` returned.
    assignment
        Where the values are noted.
    """
    weights = model.named_weights()
    named = {}
    for attribute, optimizer in _optimizers(model).items():
        paths = optimized.get(attribute, [])
        unknown = [path for path in paths if path not in weights]
        if unknown:
            assignment.refuse(f"it has a state of training for {unknown[0]}, which the model lacks")
            return
        if paths:
            optimizer.build([weights[path] for path in paths])
        for name, variable in optimizer.named_variables().items():
            named[f"{attribute}/{name}"] = variable
    assignment.add_named(named, states)


def _optimizers(model: Any) -> dict[str, Optimizer]:
    """Return a model's optimizers by the names of its attributes."""
    return {
        name: value for name, value in sorted(vars(model).items()) if isinstance(value, Optimizer)
    }
