"""Metrics of Keras 3, streamed over three batches of different sizes, in both precisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import losses
from tapegrad import metrics as m
from tapegrad._core.masking import set_mask

BATCHES = (slice(0, 15), slice(15, 32), slice(32, 40))
TOLERANCE = {"float64": 2e-6, "float32": 2e-4}

# The metric, its arguments, the labels and the predictions.
CASES: dict[str, tuple[str, dict, str, str]] = {
    "binary_accuracy_column": ("BinaryAccuracy", {"threshold": 0.4}, "binary", "column"),
    "top_k_ids": (
        "SparseTopKCategoricalAccuracy",
        {"k": 2, "from_sorted_ids": True},
        "labels",
        "ids",
    ),
    "top_k_steps": ("SparseTopKCategoricalAccuracy", {"k": 2}, "step_labels", "steps"),
    "sparse_accuracy_steps": ("SparseCategoricalAccuracy", {}, "step_labels", "steps"),
    **{
        f"{name}{suffix}": (name, options, "binary", pred)
        for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")
        for suffix, options, pred in (
            ("", {}, "chances"),
            ("_several", {"thresholds": [0.7, 0.2, 0.5]}, "chances"),
            ("_even", {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, "grid"),
        )
    },
    "precision_even": ("Precision", {"thresholds": list(np.arange(11) / 10)}, "binary", "grid"),
    "recall_uneven": ("Recall", {"thresholds": [0.1, 0.3, 0.6]}, "binary", "grid"),
    "recall_top_k_class": ("Recall", {"top_k": 2, "class_id": 1}, "one_hot", "scores"),
    "precision_many": ("Precision", {}, "many", "many_chances"),
    **{
        f"auc_{curve}_{method}": (
            "AUC",
            {"curve": curve, "summation_method": method, "num_thresholds": 50},
            "binary",
            "chances",
        )
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
    },
    "auc": ("AUC", {}, "binary", "chances"),
    "auc_grid": ("AUC", {"num_thresholds": 11}, "binary", "grid"),
    "auc_column": ("AUC", {"curve": "PR"}, "binary", "column"),
    "auc_thresholds": ("AUC", {"thresholds": [0.8, 0.1, 0.35]}, "binary", "chances"),
    "auc_even_thresholds": ("AUC", {"thresholds": [0.25, 0.5, 0.75]}, "binary", "chances"),
    "auc_logits": ("AUC", {"from_logits": True}, "many", "logits"),
    "auc_flat": ("AUC", {}, "many", "many_chances"),
    "auc_labels": ("AUC", {"multi_label": True}, "many", "many_chances"),
    "auc_labels_pr": (
        "AUC",
        {"multi_label": True, "num_labels": 4, "curve": "PR", "label_weights": [0.5, 0, 2, 1]},
        "many",
        "many_chances",
    ),
    "auc_labels_roc": (
        "AUC",
        {"multi_label": True, "label_weights": [0.5, 0, 2, 1]},
        "many",
        "many_chances",
    ),
    "auc_label_weights": ("AUC", {"label_weights": [0.5, 0, 2, 1]}, "many", "many_chances"),
    "sensitivity": ("SensitivityAtSpecificity", {"specificity": 0.6}, "binary", "chances"),
    "sensitivity_grid": (
        "SensitivityAtSpecificity",
        {"specificity": 0.5, "num_thresholds": 11},
        "binary",
        "grid",
    ),
    "sensitivity_one": (
        "SensitivityAtSpecificity",
        {"specificity": 0.2, "num_thresholds": 1},
        "binary",
        "chances",
    ),
    "specificity": (
        "SpecificityAtSensitivity",
        {"sensitivity": 0.7, "class_id": 2},
        "many",
        "many_chances",
    ),
    "precision_at": ("PrecisionAtRecall", {"recall": 0.6}, "binary", "chances"),
    "recall_at": ("RecallAtPrecision", {"precision": 0.6}, "binary", "chances"),
    "recall_at_nowhere": ("RecallAtPrecision", {"precision": 1.0}, "binary", "grid"),
    "f_beta": ("FBetaScore", {"beta": 0.5, "threshold": 0.4}, "many", "many_chances"),
    "iou": ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, "labels", "guesses"),
    "iou_absent": ("IoU", {"num_classes": 7, "target_class_ids": [1, 6]}, "labels", "guesses"),
    "mean_iou": ("MeanIoU", {"num_classes": 4}, "labels", "guesses"),
    "mean_iou_ignored": ("MeanIoU", {"num_classes": 4, "ignore_class": 2}, "labels", "guesses"),
    "mean_iou_void": ("MeanIoU", {"num_classes": 4, "ignore_class": 255}, "void_labels", "guesses"),
    "mean_iou_scores": (
        "MeanIoU",
        {"num_classes": 4, "sparse_y_pred": False},
        "step_labels",
        "steps",
    ),
    "binary_iou": ("BinaryIoU", {}, "binary", "chances"),
    "binary_iou_grid": (
        "BinaryIoU",
        {"target_class_ids": [1], "threshold": 0.3},
        "binary",
        "grid",
    ),
    "one_hot_iou": (
        "OneHotIoU",
        {"num_classes": 4, "target_class_ids": [1, 3]},
        "one_hot",
        "scores",
    ),
    "one_hot_mean_iou": (
        "OneHotMeanIoU",
        {"num_classes": 4, "sparse_y_pred": True},
        "one_hot",
        "guesses",
    ),
    "mape": ("MeanAbsolutePercentageError", {}, "targets", "outputs"),
    "msle": ("MeanSquaredLogarithmicError", {}, "targets", "outputs"),
    "mse_steps": ("MeanSquaredError", {}, "step_targets", "steps"),
    "rmse_steps": ("RootMeanSquaredError", {}, "step_targets", "steps"),
    "cosine": ("CosineSimilarity", {}, "targets", "outputs"),
    "cosine_axis": ("CosineSimilarity", {"axis": 1}, "step_targets", "steps"),
    "log_cosh": ("LogCoshError", {}, "targets", "outputs"),
    "r2_none": ("R2Score", {"class_aggregation": None}, "targets", "outputs"),
    "r2_weighted": (
        "R2Score",
        {"class_aggregation": "variance_weighted_average"},
        "targets",
        "outputs",
    ),
    "r2_adjusted": ("R2Score", {"num_regressors": 5}, "targets", "outputs"),
    "pearson": ("PearsonCorrelation", {}, "targets", "outputs"),
    "pearson_axis": ("PearsonCorrelation", {"axis": 1}, "step_targets", "steps"),
    "concordance": ("ConcordanceCorrelation", {}, "targets", "outputs"),
    "concordance_axis": ("ConcordanceCorrelation", {"axis": 1}, "step_targets", "steps"),
    "kld": ("KLDivergence", {}, "one_hot", "scores"),
    "poisson": ("Poisson", {}, "positive", "positive"),
    "bce_smooth": (
        "BinaryCrossentropy",
        {"from_logits": True, "label_smoothing": 0.2},
        "many",
        "logits",
    ),
    "cce_smooth": ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "one_hot", "scores"),
    "scce_ignore": (
        "SparseCategoricalCrossentropy",
        {"from_logits": True, "ignore_class": 1},
        "step_labels",
        "steps",
    ),
    "hinge": ("Hinge", {}, "many", "logits"),
    "squared_hinge": ("SquaredHinge", {}, "many", "logits"),
    "categorical_hinge": ("CategoricalHinge", {}, "one_hot", "logits"),
}


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    """Return the numbers of Keras 3; see tests/reference/make_metric_reference.py."""
    path = Path(__file__).parents[1] / "reference" / "metric_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def check(result, expected, dtype):
    scale = max(1.0, np.abs(expected).max())
    assert result.shape == expected.shape
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", ["plain", "weighted", "masked", "masked_weighted"])
@pytest.mark.parametrize("name", CASES)
def test_streamed_values(reference, name, kind, dtype):
    cls, options, true_name, pred_name = CASES[name]
    if f"{dtype}/{name}/{kind}" not in reference:
        assert "masked" in kind
        return
    true, pred = reference[f"data/{true_name}"], reference[f"data/{pred_name}"]
    pred = pred.astype(dtype) if pred.dtype.kind == "f" else pred
    steps = true_name.startswith("step") and "axis" not in name
    weights = reference["data/step_weights" if steps else "data/weights"]
    metric = getattr(m, cls)(**options)
    for _ in range(2):  # a reset forgets everything
        metric.reset_state()
        for part in BATCHES:
            given = tg.tensor(pred[part])
            if "masked" in kind:
                set_mask(given, reference["data/mask"][part])
            extra = {"sample_weight": weights[part]} if "weighted" in kind else {}
            metric.update_state(true[part], given, **extra)
    check(metric.result(), reference[f"{dtype}/{name}/{kind}"], dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "name", ["huber", "binary_focal_crossentropy", "categorical_focal_crossentropy"]
)
def test_losses_as_metrics(reference, name, dtype):
    numbers = ("targets", "outputs") if name == "huber" else ("one_hot", "scores")
    true, pred = (reference[f"data/{key}"] for key in numbers)
    weights = reference["data/weights"]
    for metric in (m.get(name), m.get(getattr(losses, name)), m.get(losses.get(name))):
        assert metric.name in (name, "huber_loss")
        for part in BATCHES:
            metric.update_state(true[part], pred[part].astype(dtype), weights[part])
        check(metric.result(), reference[f"{dtype}/wrapped/{name}"], dtype)


@pytest.mark.parametrize("weight", ["None", "weights", "step_weights", "number"])
@pytest.mark.parametrize("value", ["chances", "targets", "steps"])
@pytest.mark.parametrize("cls", [m.Mean, m.Sum])
def test_means_and_sums(reference, cls, value, weight):
    key = f"float64/{cls.__name__}/{value}/{weight}"
    if key not in reference:
        assert (value, weight) == ("chances", "step_weights")
        return
    metric = cls()
    for i, part in enumerate(BATCHES):
        given = {"None": None, "number": 0.5 + i}.get(weight)
        if weight.endswith("weights"):
            given = reference[f"data/{weight}"][part]
        metric.update_state(reference[f"data/{value}"][part], given)
    check(metric.result(), reference[key], "float64")
