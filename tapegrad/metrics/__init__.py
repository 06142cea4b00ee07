"""Metrics: what is watched during training. Names, arguments and defaults of Keras 3.

A metric adds up counts batch by batch (`update_state`), and divides them when asked (`result`).
The functions of the report work on whole sets of labels at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tapegrad.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from tapegrad.metrics.base import Mean, MeanMetricWrapper, Metric, Sum
from tapegrad.metrics.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
from tapegrad.metrics.precision_recall import F1Score, FBetaScore, Precision, Recall
from tapegrad.metrics.regression import (
    MeanAbsoluteError,
    MeanSquaredError,
    R2Score,
    RootMeanSquaredError,
)
from tapegrad.metrics.report import (
    ConfusionMatrix,
    classification_report,
    confusion_matrix,
    regression_report,
)
from tapegrad.utils.lookup import look_up, snake_case

__all__ = [
    "Metric",
    "Mean",
    "MeanMetricWrapper",
    "Sum",
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "Precision",
    "Recall",
    "F1Score",
    "FBetaScore",
    "ConfusionMatrix",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "SparseCategoricalCrossentropy",
    "MeanSquaredError",
    "MeanAbsoluteError",
    "RootMeanSquaredError",
    "R2Score",
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "top_k_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "confusion_matrix",
    "classification_report",
    "regression_report",
    "get",
]

_CLASSES: tuple[type[Metric], ...] = (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    Precision,
    Recall,
    F1Score,
    FBetaScore,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    MeanSquaredError,
    MeanAbsoluteError,
    RootMeanSquaredError,
    R2Score,
)

_NAMES: Mapping[str, type[Metric]] = (
    {snake_case(metric.__name__): metric for metric in _CLASSES}
    | {metric.__name__: metric for metric in _CLASSES}
    | {
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "rmse": RootMeanSquaredError,
        "bce": BinaryCrossentropy,
        "r2_score": R2Score,
        "f1_score": F1Score,
        "fbeta_score": FBetaScore,
    }
)


def get(identifier: Any) -> Metric:
    """Return a metric for a name, a Metric, its class, or a function of labels and predictions.

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
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        return look_up(identifier, _NAMES, "metric")()
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    if callable(identifier):
        return MeanMetricWrapper(identifier)
    raise TypeError(f"A metric is a name, a Metric or a function, not {type(identifier).__name__}.")
