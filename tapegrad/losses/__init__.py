"""Losses: what training makes small. Names, arguments and defaults of Keras 3.

Each comes as a class, which reduces to a scalar, and as a function, which returns one value a
sample. Strings such as ``"mse"`` or ``"categorical_crossentropy"`` name them in `compile`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tapegrad.losses.base import Loss, LossFunctionWrapper
from tapegrad.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from tapegrad.losses.regression import (
    MeanAbsoluteError,
    MeanSquaredError,
    mean_absolute_error,
    mean_squared_error,
)
from tapegrad.utils.lookup import look_up

__all__ = [
    "Loss",
    "LossFunctionWrapper",
    "MeanSquaredError",
    "MeanAbsoluteError",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "SparseCategoricalCrossentropy",
    "mean_squared_error",
    "mean_absolute_error",
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "get",
]

_CLASSES: dict[Callable[..., Any], type[Loss]] = {
    mean_squared_error: MeanSquaredError,
    mean_absolute_error: MeanAbsoluteError,
    binary_crossentropy: BinaryCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
}

_ALIASES: dict[str, type[Loss]] = {
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "bce": BinaryCrossentropy,
    "cce": CategoricalCrossentropy,
}

_NAMES: dict[str, type[Loss]] = (
    {function.__name__: loss for function, loss in _CLASSES.items()}
    | {loss.__name__: loss for loss in _CLASSES.values()}
    | _ALIASES
)


def get(identifier: Any) -> Loss | None:
    """Return a loss for a name, a Loss, its class, or a function of labels and predictions.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` is nothing of the above.

    Examples
    --------
    >>> get("mse")
    <MeanSquaredError name=mean_squared_error>
    """
    if identifier is None or isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, str):
        return look_up(identifier, _NAMES, "loss")()
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    if callable(identifier):
        known = _CLASSES.get(identifier)
        return LossFunctionWrapper(identifier) if known is None else known()
    raise TypeError(
        f"A loss is a name, a Loss, a function or None, not {type(identifier).__name__}."
    )
