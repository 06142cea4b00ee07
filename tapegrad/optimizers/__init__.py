"""Optimizers. Names, arguments, defaults and update formulas of Keras 3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from tapegrad.optimizers.adam import Adam
from tapegrad.optimizers.base import Optimizer
from tapegrad.optimizers.sgd import SGD
from tapegrad.utils.lookup import look_up

__all__ = ["Optimizer", "SGD", "Adam", "get"]

_NAMES: dict[str, Callable[[], Optimizer]] = {"sgd": SGD, "adam": Adam}


def get(identifier: Any) -> Optimizer:
    """Return an optimizer for a name, an Optimizer or its class.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` is nothing of the above.

    Examples
    --------
    >>> get("adam")
    <Adam learning_rate=0.001>
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        return look_up(identifier, _NAMES, "optimizer")()
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return cast(Callable[[], Optimizer], identifier)()
    raise TypeError(f"An optimizer is a name or an Optimizer, not {type(identifier).__name__}.")
