"""The names by which losses are known in `compile`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from tapegrad.losses import (
    binary,
    categorical,
    divergence,
    margin,
    overlap,
    regression,
    robust,
    sequence,
    similarity,
    sparse,
)
from tapegrad.losses.base import Loss, LossFunctionWrapper
from tapegrad.utils import serialization
from tapegrad.utils.lookup import look_up

__all__ = ["deserialize", "get", "sample_values", "serialize"]

LOSSES: dict[Callable[..., Any], type[Loss]] = {
    regression.mean_squared_error: regression.MeanSquaredError,
    regression.mean_absolute_error: regression.MeanAbsoluteError,
    regression.mean_absolute_percentage_error: regression.MeanAbsolutePercentageError,
    regression.mean_squared_logarithmic_error: regression.MeanSquaredLogarithmicError,
    robust.huber: robust.Huber,
    robust.log_cosh: robust.LogCosh,
    similarity.cosine_similarity: similarity.CosineSimilarity,
    similarity.circle: similarity.Circle,
    binary.binary_crossentropy: binary.BinaryCrossentropy,
    binary.binary_focal_crossentropy: binary.BinaryFocalCrossentropy,
    categorical.categorical_crossentropy: categorical.CategoricalCrossentropy,
    categorical.categorical_focal_crossentropy: categorical.CategoricalFocalCrossentropy,
    sparse.sparse_categorical_crossentropy: sparse.SparseCategoricalCrossentropy,
    sparse.categorical_generalized_cross_entropy: sparse.CategoricalGeneralizedCrossEntropy,
    divergence.kl_divergence: divergence.KLDivergence,
    divergence.poisson: divergence.Poisson,
    margin.hinge: margin.Hinge,
    margin.squared_hinge: margin.SquaredHinge,
    margin.categorical_hinge: margin.CategoricalHinge,
    overlap.dice: overlap.Dice,
    overlap.tversky: overlap.Tversky,
    sequence.ctc: sequence.CTC,
}
"""The class that belongs to each function."""

ALIASES: dict[str, Callable[..., Any]] = {
    "mse": regression.mean_squared_error,
    "mae": regression.mean_absolute_error,
    "mape": regression.mean_absolute_percentage_error,
    "msle": regression.mean_squared_logarithmic_error,
    "bce": binary.binary_crossentropy,
    "cce": categorical.categorical_crossentropy,
    "kld": divergence.kl_divergence,
    # Names of Keras 2, which its listings still use.
    "kullback_leibler_divergence": divergence.kl_divergence,
    "logcosh": robust.log_cosh,
    "huber_loss": robust.huber,
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in LOSSES
} | ALIASES

_NAMES: dict[str, type[Loss]] = {name: LOSSES[function] for name, function in FUNCTIONS.items()} | {
    loss.__name__: loss for loss in LOSSES.values()
}


def get(identifier: Any) -> Loss | None:
    """Return a loss for a name, a Loss, its class, a description, or a function.

    Parameters
    ----------
    identifier
        A name such as ``"mse"``, ``"mean_squared_error"`` or ``"MeanSquaredError"``; a Loss or its
        class; what `serialize` returned; a function of labels and predictions; or None.

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
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if callable(identifier):
        known = LOSSES.get(identifier)
        return LossFunctionWrapper(identifier) if known is None else known()
    raise TypeError(
        f"A loss is a name, a Loss, a function or None, not {type(identifier).__name__}."
    )


def serialize(loss: Any) -> Any:
    """Return a loss, or a function of this module, as plain data.

    Examples
    --------
    >>> from tapegrad import losses
    >>> serialize(losses.Huber(2.0))["config"]["delta"]
    2.0
    """
    return serialization.serialize(loss, "loss")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Return the loss that `serialize` turned into data.

    Parameters
    ----------
    config
        The data: ``{"class_name": …, "config": …}``.
    custom_objects
        Classes and functions of your own, by name.

    Raises
    ------
    ValueError
        If the class is unknown.

    Examples
    --------
    >>> deserialize({"class_name": "Huber", "config": {"delta": 2.0}}).delta
    2.0
    """
    if isinstance(config, dict) and config.get("class_name") in _NAMES:
        config = {"module": "tapegrad.losses", **config}
    with serialization.custom_object_scope(custom_objects):
        return serialization.deserialize(config)


def sample_values(fn: Callable[..., Any], **kwargs: Any) -> Callable[[Any, Any], Any]:
    """Return a function of labels and predictions that returns one value a sample.

    For a function of this package it is what its class computes, for which a vector counts as one
    value a sample; any other one is taken as it is.

    Parameters
    ----------
    fn
        A loss's function.
    kwargs
        Further arguments of `fn`.
    """
    known = LOSSES.get(fn)
    if known is not None and set(kwargs) <= set(inspect.signature(known.__init__).parameters):
        return known(**kwargs).call
    return (lambda y_true, y_pred: fn(y_true, y_pred, **kwargs)) if kwargs else fn
