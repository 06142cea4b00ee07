"""An optimizer's state as named arrays and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tapegrad._core.variable import Variable
from tapegrad.saving.assignment import Assignment

__all__ = ["add_optimizer_state", "optimized_weights"]


def optimized_weights(model: Any) -> list[str]:
    """Return the paths of the weights that a model's optimizer keeps state for, in its order.

    It is that in which they were first trained, which later changes of ``trainable`` leave.
    """
    paths = {id(variable): path for path, variable in model.named_weights().items()}
    groups = model.optimizer._groups
    known = [] if groups is None else groups.variables
    return [paths[id(variable)] for variable in known if id(variable) in paths]


def add_optimizer_state(
    model: Any, paths: list[str], state: Mapping[str, np.ndarray], assignment: Assignment
) -> None:
    """Note the state of a model's optimizer for assignment.

    Parameters
    ----------
    model
        A compiled model.
    paths
        What `optimized_weights` returned when it was saved.
    state
        The values of the optimizer's variables by name.
    assignment
        Where they are noted.
    """
    weights: dict[str, Variable] = model.named_weights()
    unknown = [path for path in paths if path not in weights]
    if unknown:
        assignment.refuse(f"the optimizer has state for {unknown[0]}, which the model lacks")
        return
    if paths:
        model.optimizer.build([weights[path] for path in paths])
    assignment.add_named(model.optimizer.named_variables(), state)
