"""The names by which metrics are known in `compile`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tapegrad import losses, metrics
from tapegrad.losses.names import FUNCTIONS, LOSSES
from tapegrad.metrics.base import Metric
from tapegrad.metrics.reduction import MeanMetricWrapper
from tapegrad.utils import serialization
from tapegrad.utils.lookup import look_up, snake_case

__all__ = ["deserialize", "get", "serialize"]

_ALIASES = {
    "mse": "MeanSquaredError",
    "rmse": "RootMeanSquaredError",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "bce": "BinaryCrossentropy",
    "cce": "CategoricalCrossentropy",
    "kld": "KLDivergence",
    "logcosh": "LogCoshError",
    "log_cosh": "LogCoshError",
    "r2_score": "R2Score",
    "f1_score": "F1Score",
    "fbeta_score": "FBetaScore",
    "f_beta_score": "FBetaScore",
}


@functools.cache
def _names() -> Mapping[str, Any]:
    """Return metrics by name, and losses by those names that no metric has."""
    named = [getattr(metrics, name) for name in metrics.__all__]
    classes = [x for x in named if isinstance(x, type) and x is not Metric]
    known: dict[str, Any] = dict(FUNCTIONS)
    known |= {loss.__name__: function for function, loss in LOSSES.items()}
    known |= {snake_case(metric.__name__): metric for metric in classes}
    known |= {metric.__name__: metric for metric in classes}
    return known | {alias: getattr(metrics, name) for alias, name in _ALIASES.items()}


def get(identifier: Any) -> Metric:
    """Return a metric for a name, a Metric, its class, a description, a loss, or a function.

    Parameters
    ----------
    identifier
        A name such as ``"mse"``, ``"mean_squared_error"`` or ``"MeanSquaredError"``, also that of a
        loss, of which the mean is taken then; a Metric or its class; a Loss; what `serialize`
        returned; or a function of labels and predictions that returns one value a sample.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` is nothing of the above.

    Examples
    --------
    >>> get("binary_accuracy")
    <BinaryAccuracy name=binary_accuracy>
    >>> get("huber")
    <MeanMetricWrapper name=huber>
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        found = look_up(identifier, _names(), "metric")
        return found() if isinstance(found, type) else MeanMetricWrapper(found)
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    if isinstance(identifier, type) and issubclass(identifier, losses.Loss):
        identifier = identifier()
    if isinstance(identifier, losses.Loss):
        return MeanMetricWrapper(identifier.call, identifier.name)
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if callable(identifier):
        return MeanMetricWrapper(identifier)
    raise TypeError(f"A metric is a name, a Metric or a function, not {type(identifier).__name__}.")


def serialize(metric: Any) -> Any:
    """Return a metric, or a function of this module, as plain data.

    Examples
    --------
    >>> serialize(metrics.AUC(curve="PR"))["config"]["curve"]
    'PR'
    """
    return serialization.serialize(metric, "metric")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Return the metric that `serialize` turned into data.

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
    >>> deserialize({"class_name": "Recall", "config": {"thresholds": 0.25}}).thresholds
    [0.25]
    """
    if isinstance(config, dict) and config.get("class_name") in _names():
        config = {"module": "tapegrad.metrics", **config}
    with serialization.custom_object_scope(custom_objects):
        return serialization.deserialize(config)
