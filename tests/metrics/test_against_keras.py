"""Metrics of Keras 3, streamed over three batches of different sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad import metrics as m

CASES = {
    "accuracy": (lambda: m.Accuracy(), "labels", "classes"),
    "binary_accuracy": (lambda: m.BinaryAccuracy(), "binary", "chances"),
    "binary_accuracy_threshold": (lambda: m.BinaryAccuracy(threshold=0.3), "binary", "chances"),
    "categorical_accuracy": (lambda: m.CategoricalAccuracy(), "one_hot", "scores"),
    "sparse_categorical_accuracy": (lambda: m.SparseCategoricalAccuracy(), "labels", "scores"),
    "top_k": (lambda: m.TopKCategoricalAccuracy(k=2), "one_hot", "scores"),
    "sparse_top_k": (lambda: m.SparseTopKCategoricalAccuracy(k=2), "labels", "scores"),
    "precision": (lambda: m.Precision(), "binary", "chances"),
    "precision_thresholds": (lambda: m.Precision(thresholds=[0.2, 0.7]), "binary", "chances"),
    "precision_top_k": (lambda: m.Precision(top_k=2), "one_hot", "scores"),
    "precision_class": (lambda: m.Precision(class_id=1), "one_hot", "scores"),
    "recall": (lambda: m.Recall(), "binary", "chances"),
    "recall_thresholds": (lambda: m.Recall(thresholds=[0.2, 0.7]), "binary", "chances"),
    "recall_one_hot": (lambda: m.Recall(), "one_hot", "scores"),
    "f1": (lambda: m.F1Score(), "one_hot", "scores"),
    "f1_micro": (lambda: m.F1Score(average="micro"), "one_hot", "scores"),
    "f1_macro": (lambda: m.F1Score(average="macro"), "one_hot", "scores"),
    "f1_weighted": (lambda: m.F1Score(average="weighted"), "one_hot", "scores"),
    "f1_threshold": (lambda: m.F1Score(threshold=0.4), "one_hot", "scores"),
    "fbeta": (lambda: m.FBetaScore(beta=2.0, average="macro"), "one_hot", "scores"),
    "mean_squared_error": (lambda: m.MeanSquaredError(), "targets", "outputs"),
    "mean_absolute_error": (lambda: m.MeanAbsoluteError(), "targets", "outputs"),
    "root_mean_squared_error": (lambda: m.RootMeanSquaredError(), "targets", "outputs"),
    "r2_score": (lambda: m.R2Score(), "targets", "outputs"),
    "binary_crossentropy": (lambda: m.BinaryCrossentropy(), "one_hot", "scores"),
    "categorical_crossentropy": (lambda: m.CategoricalCrossentropy(), "one_hot", "scores"),
    "sparse_categorical_crossentropy": (
        lambda: m.SparseCategoricalCrossentropy(),
        "labels",
        "scores",
    ),
}


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", CASES)
def test_streamed_values(keras_reference, name, weighted):
    make, true_name, pred_name = CASES[name]
    data = {
        key: keras_reference[f"metrics/{key}"]
        for key in ("scores", "labels", "binary", "chances", "targets", "outputs")
    }
    data["one_hot"] = np.eye(4)[data["labels"]]
    data["classes"] = data["scores"].argmax(1)
    weights = keras_reference["metrics/weights"]
    metric = make()
    for _ in range(2):  # a reset forgets everything
        metric.reset_state()
        for part in (slice(0, 20), slice(20, 47), slice(47, 50)):
            extra = {"sample_weight": weights[part]} if weighted else {}
            metric.update_state(data[true_name][part], data[pred_name][part], **extra)
    expected = keras_reference[f"metrics/{name}/{'weighted' if weighted else 'plain'}"]
    np.testing.assert_allclose(metric.result().numpy(), expected, rtol=2e-6, atol=2e-6)
